/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon.h"

#include "absent.h"
#include "backends/memory.h"
#include "device.h"
#include "error.h"
#include "inventory.h"
#include "lease.h"
#include "manager.h"
#include "mechanisms/proxy.h"
#include "parking.h"
#include "refusals.h"
#include "review.h"
#include "text.h"
#include "units.h"

#include <time.h>

#define ID_MOST 64

/* What memory is called that nobody has given a name: a password prompt says it in brackets. */
#define UNDESCRIBED "shared memory"

/* What a file system may take to say what file a shown descriptor is of. */
#define PROOF_MOST_MS 5000

static void
on_vanished (gpointer data)
{
  RegiondLease *lease = data;

  regiond_tenancy_end (regiond_device_get_tenancy (regiond_lease_get_device (lease)), lease,
                       REGIOND_END_DISCONNECTED);
}

/* Microseconds since boot: a restart starts above whatever was used before, as
 * long as nobody opens a million leases a second. */
static guint64
get_first_lease (void)
{
  struct timespec now;

  clock_gettime (CLOCK_BOOTTIME, &now);
  return (guint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static void
add_configured (RegiondDaemon *self)
{
  for (guint i = 0; i < self->settings->devices->len; i++)
    {
      RegiondDeviceSettings *settings = g_ptr_array_index (self->settings->devices, i);
      g_autoptr (GError) error = NULL;

      if (!regiond_daemon_add_memory_device (self, settings, &error))
        g_warning ("Device %s is left out: devices.d/%s.conf: %s", settings->id, settings->id, error->message);
    }
}

static void
export_manager (RegiondDaemon *self)
{
  GError *error = NULL;

  self->manager = G_DBUS_INTERFACE_SKELETON (regiond_manager_new (self));

  /* Beside the ObjectManager, which the server has put there. It cannot be
   * refused: nobody else exports on this connection. */
  if (!g_dbus_interface_skeleton_export (self->manager, self->connection, REGIOND_PATH, &error))
    g_error ("%s", error->message);
}

static RegiondServer *
make_server (void)
{
  RegiondServer *server = regiond_proxy_server_new ();
  g_autoptr (GError) error = NULL;

  if (!regiond_server_is_available (server, &error))
    g_warning ("Access without 'm' cannot be had, for want of FUSE: %s", error->message);
  return server;
}

static RegiondLedger *
make_ledger (const RegiondSettings *settings)
{
  RegiondLimits limits = {
    .leases = settings->max_leases,
    .leases_per_user = settings->max_leases_per_user,
    .leases_per_connection = settings->max_leases_per_connection,
    .proxied_leases_per_user = settings->max_proxied_leases_per_user,
    .memory_per_user = settings->max_memory_per_user,
  };

  return regiond_ledger_new (&limits);
}

static RegiondAuthority *
make_authority (const RegiondSettings *settings)
{
  RegiondPatience patience = {
    .timeout = settings->timeout,
    .prompt_timeout = settings->prompt_timeout,
    .per_user = settings->max_authorizations_per_user,
    .per_connection = settings->max_authorizations_per_connection,
  };

  return regiond_authority_new (&patience);
}

/* RuntimeDirectory= of the unit. */
static const char *
get_state_folder (void)
{
  const char *folder = g_getenv ("RUNTIME_DIRECTORY");

  return folder != NULL ? folder : "/run/regiond";
}

/* Without a record of what is lent a crash could leave something open, so no PCI
 * device is lent then. */
static void
start_inventory (RegiondDaemon *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondLoans) loans = regiond_loans_new (get_state_folder (), &error);

  self->binding = regiond_binding_new ("/sys", get_state_folder (), self->settings->unsafe_noiommu);
  if (loans == NULL)
    {
      g_warning ("PCI devices are not served: %s", error->message);
      return;
    }

  self->inventory = regiond_inventory_new (self, get_state_folder (), loans);
  regiond_inventory_start (self->inventory);
}

RegiondDaemon *
regiond_daemon_new (GDBusConnection *connection,
                    RegiondSettings *settings,
                    GError         **error)
{
  g_autoptr (RegiondDaemon) self = g_new0 (RegiondDaemon, 1);

  self->connection = g_object_ref (connection);
  self->settings = settings;
  self->devices = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_object_unref);
  self->groups = regiond_groups_new ();
  self->next_lease = get_first_lease ();
  self->budget = regiond_budget_new (settings->max_memory);
  self->ledger = make_ledger (settings);
  self->authority = make_authority (settings);
  self->refusals = regiond_refusals_new (connection);
  self->clients = regiond_clients_new (connection, on_vanished);
  self->objects = g_dbus_object_manager_server_new (REGIOND_PATH);
  self->server = make_server ();
  self->proofs = regiond_proofs_new (PROOF_MOST_MS);
  if ((self->watch = regiond_watch_new (error)) == NULL || (self->bonds = regiond_bonds_new (error)) == NULL ||
      !regiond_absent_register (connection, error))
    return NULL;

  self->review = regiond_review_new (self);
  add_configured (self);
  start_inventory (self);
  g_dbus_object_manager_server_set_connection (self->objects, connection);
  export_manager (self);
  return g_steal_pointer (&self);
}

void
regiond_daemon_remove_device (RegiondDaemon *self,
                              RegiondDevice *device,
                              RegiondEnd     end)
{
  g_autoptr (RegiondDevice) removed = g_object_ref (device);

  g_hash_table_remove (self->devices, regiond_device_get_key (device));
  regiond_device_remove (device, end);
}

/* Every lease has ended before any device is waited for. */
static void
remove_all_devices (RegiondDaemon *self)
{
  g_autoptr (GList) devices = g_hash_table_get_values (self->devices);
  g_autoptr (GPtrArray) removed = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) severing = g_ptr_array_new ();

  for (GList *l = devices; l != NULL; l = l->next)
    {
      g_ptr_array_add (removed, g_object_ref (l->data));
      if (regiond_device_severs (l->data))
        g_ptr_array_add (severing, l->data);
      regiond_daemon_remove_device (self, l->data, REGIOND_END_SHUTDOWN);
    }
  regiond_parking_finish (severing);
  for (guint i = 0; i < removed->len; i++)
    regiond_tenancy_abandon (regiond_device_get_tenancy (g_ptr_array_index (removed, i)));
}

void
regiond_daemon_free (RegiondDaemon *self)
{
  regiond_proofs_free (self->proofs);
  g_clear_pointer (&self->review, regiond_review_free);
  g_clear_pointer (&self->inventory, regiond_inventory_free);
  g_clear_pointer (&self->binding, regiond_binding_unref);
  remove_all_devices (self);
  if (self->manager != NULL)
    {
      g_dbus_interface_skeleton_unexport (self->manager);
      g_object_unref (self->manager);
    }
  g_hash_table_unref (self->devices);
  regiond_groups_free (self->groups);
  regiond_clients_free (self->clients);
  regiond_authority_free (self->authority);
  regiond_refusals_free (self->refusals);
  regiond_server_stop (self->server);
  regiond_server_unref (self->server);
  g_clear_pointer (&self->watch, regiond_watch_unref);
  g_clear_pointer (&self->bonds, regiond_bonds_free);
  regiond_ledger_unref (self->ledger);
  regiond_budget_unref (self->budget);
  g_object_unref (self->objects);
  g_object_unref (self->connection);
  regiond_settings_free (self->settings);
  g_free (self);
}

RegiondDevice *
regiond_daemon_find_device (RegiondDaemon *self,
                            const char    *id,
                            GError       **error)
{
  g_autofree char *key = g_strdelimit (g_strdup (id), ":.", '_');
  RegiondDevice *device = g_hash_table_lookup (self->devices, key);

  /* An address is found under its element, but "a:b" is no way to write "a_b". */
  if (device != NULL && !g_str_equal (id, key) && !g_str_equal (id, regiond_device_get_id (device)))
    device = NULL;
  if (device == NULL)
    {
      g_autofree char *quoted = regiond_text_quote (id);

      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                   "There is no device %s; 'regionctl list' shows those that are", quoted);
    }
  return device;
}

RegiondDevice *
regiond_daemon_find_device_at (RegiondDaemon *self,
                               const char    *path,
                               GError       **error)
{
  const char *prefix = REGIOND_DEVICES_PATH "/";

  return regiond_daemon_find_device (self, g_str_has_prefix (path, prefix) ? path + strlen (prefix) : path, error);
}

static gboolean
id_is_valid (const char *id)
{
  gsize length = strspn (id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

  return g_ascii_isalpha (id[0]) && id[length] == '\0' && length <= ID_MOST;
}

static gboolean
check_free (RegiondDaemon *self,
            const char    *id,
            GError       **error)
{
  if (!g_hash_table_contains (self->devices, id))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
               "There is a device '%s' already; take another id, or remove it first", id);
  return FALSE;
}

gboolean
regiond_daemon_check_id (RegiondDaemon *self,
                         const char    *id,
                         GError       **error)
{
  if (!id_is_valid (id))
    {
      g_autofree char *quoted = regiond_text_quote (id);

      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "%s cannot be a memory device's id: a letter and more letters, digits or '_', at most %d in all",
                   quoted, ID_MOST);
      return FALSE;
    }
  return check_free (self, id, error);
}

/* It fits into MaxMemory, and is of no use to anybody. */
static void
warn_if_too_large (RegiondDaemon *self,
                   RegiondDevice *device)
{
  guint64 most = self->settings->max_memory_per_user;
  g_autofree char *size = regiond_units_format_size (regiond_device_get_size (device));
  g_autofree char *share = regiond_units_format_size (most);

  if (regiond_device_get_size (device) > most)
    g_warning ("Device %s has %s of memory, and nobody can open it, since one user may have %s; raise MaxMemoryPerUser "
               "(half of MaxMemory, where it is not set)", regiond_device_get_id (device), size, share);
}

RegiondDevice *
regiond_daemon_add_device (RegiondDaemon            *self,
                           const RegiondDeviceTerms *terms,
                           GError                  **error)
{
  RegiondDevice *device;

  if (!check_free (self, terms->id, error))
    return NULL;

  device = regiond_device_new (self, terms);
  g_hash_table_insert (self->devices, (gpointer) regiond_device_get_key (device), device);
  regiond_device_export (device);
  warn_if_too_large (self, device);
  return device;
}

RegiondDevice *
regiond_daemon_add_memory_device (RegiondDaemon               *self,
                                  const RegiondDeviceSettings *settings,
                                  GError                     **error)
{
  RegiondMemorySetup setup = { settings->regions, settings->persist, settings->tolerate };
  RegiondMemoryMeans means = { self->watch, self->budget, self->server };
  g_autoptr (RegiondBackend) backend = NULL;
  RegiondDeviceTerms terms = {
    .id = settings->id,
    .description = settings->description != NULL ? settings->description : UNDESCRIBED,
    .tolerate = settings->tolerate,
    .authorization = settings->authorization,
  };

  if (!regiond_daemon_check_id (self, settings->id, error) ||
      (backend = regiond_memory_backend_new (settings->id, &setup, &means, error)) == NULL)
    return NULL;

  terms.backend = backend;
  return regiond_daemon_add_device (self, &terms, error);
}
