/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unbind.h"

#include "backends/vfio/container.h"
#include "device.h"
#include "error.h"
#include "inventory.h"
#include "log.h"
#include "options.h"
#include "permit.h"

/* What a client has to let go in good order. */
#define GRACE_MS 1000

/* A reset at parking may take long. */
#define PARKED_AFTER (15 * G_TIME_SPAN_SECOND)
#define LOOK_EVERY_MS 20

/* Somebody else may have it open by VFIO, and then the kernel waits for him. */
#define KERNEL_WAITS_MS (10 * 1000)

typedef struct {
  RegiondDaemon         *daemon;
  GDBusMethodInvocation *invocation; /* NULL: answered */
  RegiondClient         *client;
  RegiondBinding        *binding; /* for threads, which may outlast the daemon */
  RegiondDevice         *device;
  char                  *address;
  gboolean               force;
  gint64                 deadline;
  guint                  late; /* a source */
} Unbind;

static void
unbind_free (Unbind *self)
{
  g_clear_handle_id (&self->late, g_source_remove);
  g_clear_object (&self->device);
  regiond_binding_unref (self->binding);
  regiond_client_unref (self->client);
  g_free (self->address);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Unbind, unbind_free)

/* Takes @error; NULL is success. */
static void
answer (Unbind *self,
        GError *error)
{
  RegiondRecord record = {
    .event = error != NULL ? "refusal" : "device",
    .device = self->address,
    .reason = error != NULL ? error->message : "given back to the system's drivers",
  };

  regiond_client_describe (self->client, &record);
  regiond_log (&record);
  if (self->invocation == NULL)
    g_clear_error (&error);
  else if (error != NULL)
    regiond_error_return (g_steal_pointer (&self->invocation), error);
  else
    g_dbus_method_invocation_return_value (g_steal_pointer (&self->invocation), NULL);
}

static void
on_given_back (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (Unbind) self = data;
  GError *error = NULL;

  g_task_propagate_boolean (G_TASK (result), &error);

  /* The kernel's word for it may not have come yet; and where it could not be
   * taken from vfio-pci what is there is shown afresh. */
  regiond_inventory_lose (self->daemon->inventory, self->address);
  regiond_inventory_update (self->daemon->inventory);
  answer (self, error);
}

static void
give_back (GTask        *task,
           gpointer      source,
           gpointer      data,
           GCancellable *cancellable)
{
  Unbind *self = data;
  GError *error = NULL;

  if (regiond_binding_give_back (self->binding, self->address, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static gboolean
on_late (gpointer data)
{
  Unbind *self = data;

  self->late = 0;
  answer (self, g_error_new (REGIOND_ERROR, REGIOND_ERROR_BUSY,
                             "%s is being given back, and the kernel still waits for somebody who has it open by VFIO; it "
                             "goes on when that one lets go", self->address));
  return G_SOURCE_REMOVE;
}

static void
start_giving_back (Unbind *self)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, on_given_back, self);

  self->late = g_timeout_add (KERNEL_WAITS_MS, on_late, self);
  g_task_set_task_data (task, self, NULL);
  g_task_run_in_thread (task, give_back);
}

static gboolean
is_parked (Unbind *self)
{
  return regiond_tenancy_count_active (regiond_device_get_tenancy (self->device)) == 0 &&
         !regiond_backend_is_isolated (regiond_device_get_backend (self->device));
}

static gboolean
look (gpointer data)
{
  Unbind *self = data;

  if (!is_parked (self) && g_get_monotonic_time () < self->deadline)
    return G_SOURCE_CONTINUE;

  start_giving_back (self);
  return G_SOURCE_REMOVE;
}

static gboolean
check_leases (RegiondDevice *device,
              gboolean       force,
              GError       **error)
{
  guint leases = regiond_tenancy_count_active (regiond_device_get_tenancy (device));
  guint lingering = regiond_device_count_lingering (device);

  if (leases + lingering == 0 || force)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
               "Device %s is not given back: there %s %u %s on it; wait, revoke, or give the option 'force'",
               regiond_device_get_id (device), (leases > 0 ? leases : lingering) == 1 ? "is" : "are", leases > 0 ? leases : lingering,
               leases > 0 ? (leases == 1 ? "lease" : "leases")
               : lingering == 1 ? "reference left of ended leases" : "references left of ended leases");
  return FALSE;
}

static RegiondDevice *
find (RegiondDaemon *daemon,
      const char    *path,
      gboolean       force,
      GError       **error)
{
  RegiondDevice *device = regiond_daemon_find_device_at (daemon, path, error);

  if (device == NULL)
    return NULL;
  if (!g_str_equal (regiond_dbus_device_get_backend (REGIOND_DBUS_DEVICE (device)), "vfio"))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                   "Device %s is no PCI device, and bound to nothing; RemoveDevice takes it off the bus",
                   regiond_device_get_id (device));
      return NULL;
    }

  return check_leases (device, force, error) ? device : NULL;
}

static gboolean
check_present (Unbind  *self,
               GError **error)
{
  if (regiond_device_is_present (self->device))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "Device %s is gone or given back already", self->address);
  return FALSE;
}

/* From now on nothing is opened; who has a lease is told, and the device is parked
 * when they are over. */
static void
on_checked (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  Unbind *self = data;
  guint leases = regiond_tenancy_count_active (regiond_device_get_tenancy (self->device));
  GError *error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error) ||
      !check_present (self, &error) || !check_leases (self->device, self->force, &error))
    {
      answer (self, error);
      unbind_free (self);
      return;
    }

  regiond_backend_emit_leaving (regiond_device_get_backend (self->device), leases > 0 ? GRACE_MS : 0);
  self->deadline = g_get_monotonic_time () + PARKED_AFTER;
  g_timeout_add (LOOK_EVERY_MS, look, self);
}

/* Where another program has the group the kernel would wait for it without end.
 * What else is in the way of opening it is no hindrance here. */
static void
check (GTask        *task,
       gpointer      source,
       gpointer      data,
       GCancellable *cancellable)
{
  Unbind *self = data;
  int group = regiond_dbus_device_get_iommu_group (REGIOND_DBUS_DEVICE (self->device));
  g_autoptr (RegiondContainer) container = NULL;
  GError *error = NULL;

  if (group >= 0)
    container = regiond_container_acquire (group, FALSE, &error);
  if (g_error_matches (error, REGIOND_ERROR, REGIOND_ERROR_BUSY))
    {
      g_task_return_error (task, error);
      return;
    }

  g_clear_error (&error);
  g_task_return_boolean (task, TRUE);
}

static void
on_permitted (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr (Unbind) self = data;
  g_autoptr (GTask) task = NULL;
  GError *error = NULL;

  if (!regiond_permit_ask_finish (result, &error))
    {
      answer (self, error);
      return;
    }

  task = g_task_new (NULL, NULL, on_checked, self);
  g_task_set_task_data (task, g_steal_pointer (&self), NULL);
  g_task_run_in_thread (task, check);
}

void
regiond_unbind_start (RegiondDaemon         *daemon,
                      GDBusMethodInvocation *invocation,
                      const char            *path,
                      GVariant              *options)
{
  Unbind *self;
  RegiondDevice *device;
  RegiondQuestion *question;
  char *purpose;
  gboolean interactive = FALSE, force = FALSE;
  const RegiondOption known[] = { { "force", "b", &force }, { "interactive", "b", &interactive } };
  GError *error = NULL;

  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), &error) ||
      (device = find (daemon, path, force, &error)) == NULL)
    {
      regiond_error_return (invocation, error);
      return;
    }

  self = g_new0 (Unbind, 1);
  self->daemon = daemon;
  self->binding = regiond_binding_ref (daemon->binding);
  self->invocation = invocation;
  self->client = regiond_clients_get (daemon->clients, g_dbus_method_invocation_get_sender (invocation));
  self->device = g_object_ref (device);
  self->address = g_strdup (regiond_dbus_device_get_address (REGIOND_DBUS_DEVICE (device)));
  self->force = force;
  purpose = g_strdup_printf ("give device %s back to the system's drivers", self->address);
  question = regiond_question_new_managing (invocation, interactive, purpose, FALSE, force);
  regiond_device_add_details (device, question);
  regiond_permit_ask (daemon->authority, self->client, question, NULL, on_permitted, self);
}
