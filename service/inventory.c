/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "inventory.h"

#include "backends/vfio.h"
#include "backends/vfio/command.h"
#include "backends/vfio/kernel.h"
#include "device.h"
#include "hotplug.h"
#include "recovery.h"

#include <linux/pci_regs.h>

#define DRIVER "vfio-pci"

typedef struct {
  char            *address;
  RegiondSysfs    *sysfs;
  RegiondIdentity *identity;
  char            *drivers; /* of all in its group */
  RegiondBackend  *backend;
  RegiondDevice   *device;
} Item;

struct _RegiondInventory {
  RegiondDaemon *daemon;
  char          *folder;
  RegiondLoans  *loans;
  RegiondHotplug *hotplug;
  GHashTable    *items; /* address -> Item */
};

static void
item_free (Item *self)
{
  g_clear_object (&self->device);
  g_clear_object (&self->backend);
  g_clear_pointer (&self->identity, regiond_identity_unref);
  regiond_sysfs_unref (self->sysfs);
  g_free (self->drivers);
  g_free (self->address);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Item, item_free)

/* Whether a mapping can be taken from its holder is part of what each offers. */
static void
on_kernel_known (gpointer data)
{
  RegiondInventory *self = data;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->items);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    regiond_backend_emit_changed (((Item *) value)->backend);
}

RegiondInventory *
regiond_inventory_new (RegiondDaemon *daemon,
                       const char    *folder,
                       RegiondLoans  *loans)
{
  RegiondInventory *self = g_new0 (RegiondInventory, 1);

  self->daemon = daemon;
  self->folder = g_strdup (folder);
  self->loans = regiond_loans_ref (loans);
  self->items = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) item_free);
  regiond_kernel_listen (on_kernel_known, self);
  return self;
}

void
regiond_inventory_free (RegiondInventory *self)
{
  regiond_kernel_listen (NULL, NULL);
  g_clear_pointer (&self->hotplug, regiond_hotplug_free);
  g_hash_table_unref (self->items);
  regiond_loans_unref (self->loans);
  g_free (self->folder);
  g_free (self);
}

/* "0000:00:10.0=vfio-pci …": whether the group can be isolated depends on all of
 * them. */
static char *
describe_drivers (const RegiondIdentity *identity,
                  RegiondSysfs          *sysfs)
{
  GString *text = g_string_new (NULL);

  for (char **member = identity->group_devices; *member != NULL; member++)
    {
      g_autofree char *name = g_strdup_printf ("iommu_group/devices/%s/driver", *member);
      g_autofree char *driver = regiond_sysfs_read_link (sysfs, name);

      g_string_append_printf (text, "%s=%s ", *member, driver != NULL ? driver : "");
    }

  return g_string_free (text, FALSE);
}

static RegiondBackend *
make_backend (RegiondInventory *self,
              Item             *item,
              GError          **error)
{
  RegiondVfioSetup setup = {
    .identity = item->identity,
    .sysfs = item->sysfs,
    .settings = regiond_settings_find_pci (self->daemon->settings, item->identity),
    .unsafe_noiommu = self->daemon->settings->unsafe_noiommu,
    .folder = self->folder,
    .loans = self->loans,
    .watch = self->daemon->watch,
    .budget = self->daemon->budget,
    .server = self->daemon->server,
  };

  return regiond_vfio_backend_new (&setup, error);
}

/* Puts it on the bus. One that is left out is not: nobody can ask for it, but what was lent of it is claimed. */
static RegiondDevice *
show (RegiondInventory *self,
      Item             *item,
      GError          **error)
{
  const RegiondPciSettings *settings = regiond_settings_find_pci (self->daemon->settings, item->identity);
  g_autoptr (GError) left_out = NULL;
  RegiondDeviceTerms terms = {
    .id = item->identity->id,
    .description = settings != NULL && settings->description != NULL ? settings->description : item->identity->description,
    .authorization = settings != NULL ? settings->authorization : self->daemon->settings->authorization,
    .identity = item->identity,
    .backend = item->backend,
  };
  RegiondDevice *device;

  if (!regiond_settings_check_pci (self->daemon->settings, item->identity, &left_out))
    {
      g_warning ("Device %s is left out: %s", item->address, left_out->message);
      return regiond_device_new (self->daemon, &terms);
    }

  device = regiond_daemon_add_device (self->daemon, &terms, error);
  return device != NULL ? g_object_ref (device) : NULL;
}

/* What is left of what was lent at its place, by whichever device. */
static gboolean
remember_loans (RegiondInventory *self,
                Item             *item)
{
  g_autoptr (GArray) serials = regiond_loans_place (self->loans, item->sysfs);

  if (serials->len == 0)
    return FALSE;

  g_message ("Of device %s %u descriptors were lent that may still be there; it is claimed, which cuts them",
             item->address, serials->len);
  regiond_vfio_backend_remember (item->backend, serials);
  return TRUE;
}

/* A device that is bound to vfio-pci and not yet shown. */
static void
add (RegiondInventory *self,
     const char       *address,
     RegiondSysfs     *sysfs)
{
  g_autoptr (Item) item = g_new0 (Item, 1);
  g_autoptr (GError) error = NULL;
  gboolean lent;

  item->address = g_strdup (address);
  item->sysfs = regiond_sysfs_ref (sysfs);
  if ((item->identity = regiond_identity_read (sysfs, &error)) == NULL ||
      (item->backend = make_backend (self, item, &error)) == NULL)
    {
      g_warning ("Device %s is left out: %s", address, error->message);
      return;
    }

  item->drivers = describe_drivers (item->identity, sysfs);
  lent = remember_loans (self, item);
  if ((item->device = show (self, item, &error)) == NULL)
    {
      g_warning ("Device %s is left out: %s", address, error->message);
      return;
    }

  if (lent)
    regiond_recovery_push (item->device);
  g_hash_table_insert (self->items, item->address, item);
  g_steal_pointer (&item);
}

/* Somebody has taken the device from vfio-pci by hand: what stays mapped must
 * not reach it. Not when it has a driver again: that has claimed the BARs,
 * which cuts them, and needs the bits itself. */
static void
shut (GTask        *task,
      gpointer      source,
      gpointer      data,
      GCancellable *cancellable)
{
  RegiondSysfs *sysfs = data;
  g_autofree char *driver = regiond_sysfs_read_link (sysfs, "driver");

  if (driver == NULL && !regiond_command_switch (sysfs, 0, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER) &&
      regiond_sysfs_is_there (sysfs))
    g_warning ("Device %s could not be switched off after it was taken from " DRIVER, regiond_sysfs_get_name (sysfs));
}

static void
start_shutting (RegiondSysfs *sysfs)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);

  g_task_set_task_data (task, regiond_sysfs_ref (sysfs), (GDestroyNotify) regiond_sysfs_unref);
  g_task_run_in_thread (task, shut);
}

static void
hide (RegiondInventory *self,
      const char       *address)
{
  g_autoptr (Item) item = NULL;
  gpointer found;

  if (!g_hash_table_steal_extended (self->items, address, NULL, &found))
    return;

  item = found;
  if (regiond_tenancy_count_active (regiond_device_get_tenancy (item->device)) +
      regiond_device_count_lingering (item->device) > 0)
    start_shutting (item->sysfs);
  regiond_daemon_remove_device (self->daemon, item->device, REGIOND_END_UNPLUGGED);
}

void
regiond_inventory_lose (RegiondInventory *self,
                        const char       *address)
{
  hide (self, address);
}

static void
hide_missing (RegiondInventory *self,
              GHashTable       *bound)
{
  g_autoptr (GPtrArray) missing = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, self->items);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      if (!g_hash_table_contains (bound, key) || !regiond_sysfs_is_there (((Item *) value)->sysfs))
        g_ptr_array_add (missing, g_strdup (key));
    }
  for (guint i = 0; i < missing->len; i++)
    hide (self, g_ptr_array_index (missing, i));
}

/* Tells what has changed around a device that stays. */
static void
refresh (Item *item)
{
  g_autoptr (RegiondIdentity) identity = regiond_identity_read (item->sysfs, NULL);
  g_autofree char *drivers = NULL;

  if (identity == NULL)
    return;

  drivers = describe_drivers (identity, item->sysfs);
  if (regiond_identity_equal (identity, item->identity) && g_str_equal (drivers, item->drivers))
    return;

  regiond_device_set_identity (item->device, identity);
  g_free (item->drivers);
  item->drivers = g_steal_pointer (&drivers);
  regiond_identity_unref (item->identity);
  item->identity = g_steal_pointer (&identity);
  regiond_backend_emit_changed (item->backend);
}

/* Address -> RegiondSysfs of all that are on vfio-pci. */
static GHashTable *
list_bound (const char *const *folders)
{
  GHashTable *bound = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) regiond_sysfs_unref);

  for (; *folders != NULL; folders++)
    {
      g_autoptr (RegiondSysfs) sysfs = regiond_sysfs_new (*folders);
      g_autofree char *driver = regiond_sysfs_read_link (sysfs, "driver");
      const char *address = regiond_sysfs_get_name (sysfs);

      if (g_strcmp0 (driver, DRIVER) == 0)
        g_hash_table_insert (bound, (gpointer) address, g_steal_pointer (&sysfs));
    }

  return bound;
}

void
regiond_inventory_look (RegiondInventory  *self,
                        const char *const *folders)
{
  g_autoptr (GHashTable) bound = list_bound (folders);
  GHashTableIter iter;
  gpointer key, value;

  hide_missing (self, bound);
  g_hash_table_iter_init (&iter, bound);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      Item *item = g_hash_table_lookup (self->items, key);

      if (item != NULL)
        refresh (item);
      else
        add (self, key, value);
    }
}

static void
look_around (RegiondInventory *self)
{
  g_auto (GStrv) folders = regiond_hotplug_list (self->hotplug);

  regiond_inventory_look (self, (const char *const *) folders);
}

void
regiond_inventory_update (RegiondInventory *self)
{
  look_around (self);
}

static void
on_hotplug (const char *lost,
            gpointer    data)
{
  RegiondInventory *self = data;

  if (lost != NULL)
    hide (self, lost);
  else
    look_around (self);
}

/* Where nothing was lent nothing is done. */
static void
wait_for_recoveries (RegiondInventory *self)
{
  g_autoptr (GPtrArray) devices = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->items);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (devices, ((Item *) value)->device);
  regiond_recovery_wait (devices);
}

/* What is not on vfio-pci any more cannot be claimed; its loans stay on record
 * for whatever comes to its place. */
static void
tell_of_absent (RegiondInventory *self,
                char            **lent)
{
  for (; *lent != NULL; lent++)
    {
      if (!g_hash_table_contains (self->items, *lent))
        g_message ("Device %s, which was lent, is not on " DRIVER " any more; what is left of it counts against what is at "
                   "its bus addresses next", *lent);
    }
}

void
regiond_inventory_start (RegiondInventory *self)
{
  g_auto (GStrv) lent = NULL;

  /* First the events: nothing is missed between the two. */
  self->hotplug = regiond_hotplug_new (on_hotplug, self);
  lent = regiond_loans_list (self->loans);
  look_around (self);
  wait_for_recoveries (self);
  tell_of_absent (self, lent);
}
