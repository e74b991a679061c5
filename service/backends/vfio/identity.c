/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/identity.h"

#include "backends/vfio/address.h"
#include "error.h"

#include <libudev.h>

#define CLASS_BRIDGE 0x06

typedef struct udev      Udev;
typedef struct udev_hwdb UdevHwdb;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Udev, udev_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UdevHwdb, udev_hwdb_unref)

RegiondIdentity *
regiond_identity_ref (RegiondIdentity *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondIdentity *self)
{
  g_free (self->address);
  g_free (self->id);
  g_free (self->driver);
  g_strfreev (self->group_devices);
  g_free (self->description);
}

void
regiond_identity_unref (RegiondIdentity *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

gboolean
regiond_identity_equal (const RegiondIdentity *self,
                        const RegiondIdentity *other)
{
  return g_str_equal (self->driver, other->driver) && self->iommu_group == other->iommu_group &&
         g_strv_equal ((const char *const *) self->group_devices, (const char *const *) other->group_devices);
}

gboolean
regiond_identity_is_bridge (const RegiondIdentity *self)
{
  return self->class >> 16 == CLASS_BRIDGE;
}

/* The value of one of the @properties, or NULL. */
static const char *
find_value (struct udev_list_entry *properties,
            const char             *name)
{
  struct udev_list_entry *entry = udev_list_entry_get_by_name (properties, name);

  return entry != NULL ? udev_list_entry_get_value (entry) : NULL;
}

/* The database is asked itself, not the device's entry in udev's: that has
 * the same names, but only where udevd runs. */
static char *
describe (const RegiondIdentity *self,
          const char            *modalias)
{
  g_autoptr (Udev) udev = udev_new ();
  g_autoptr (UdevHwdb) hwdb = udev != NULL ? udev_hwdb_new (udev) : NULL;
  struct udev_list_entry *properties = NULL;
  const char *vendor, *model;
  g_autofree char *vendor_id = g_strdup_printf ("Vendor %04x", self->vendor);
  g_autofree char *model_id = g_strdup_printf ("device %04x", self->device);

  if (hwdb != NULL && modalias != NULL)
    properties = udev_hwdb_get_properties_list_entry (hwdb, modalias, 0);
  vendor = find_value (properties, "ID_VENDOR_FROM_DATABASE");
  model = find_value (properties, "ID_MODEL_FROM_DATABASE");
  return g_strdup_printf ("%s %s", vendor != NULL ? vendor : vendor_id, model != NULL ? model : model_id);
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* The kernel has a link for each device of the group, by its name. */
static GStrv
list_group (RegiondSysfs *sysfs)
{
  g_autofree char *path = g_build_filename (regiond_sysfs_get_folder (sysfs), "iommu_group", "devices", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_autoptr (GPtrArray) members = g_ptr_array_new ();
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (members, g_strdup (name));

  g_ptr_array_sort (members, compare);
  g_ptr_array_add (members, NULL);
  return (GStrv) g_ptr_array_free (g_steal_pointer (&members), FALSE);
}

static int
read_group (RegiondSysfs *sysfs)
{
  g_autofree char *group = regiond_sysfs_read_link (sysfs, "iommu_group");
  guint64 number;

  return group != NULL && g_ascii_string_to_unsigned (group, 10, 0, G_MAXINT, &number, NULL) ? (int) number : -1;
}

static gboolean
read_ids (RegiondIdentity *self,
          RegiondSysfs    *sysfs,
          GError         **error)
{
  const struct {
    const char *name;
    guint32    *value;
  } ids[] = {
    { "vendor", &self->vendor },
    { "device", &self->device },
    { "subsystem_vendor", &self->subsystem_vendor },
    { "subsystem_device", &self->subsystem },
    { "class", &self->class },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      guint64 number;

      if (!regiond_sysfs_read_number (sysfs, ids[i].name, &number, error))
        return FALSE;
      *ids[i].value = number;
    }

  return TRUE;
}

RegiondIdentity *
regiond_identity_read (RegiondSysfs *sysfs,
                       GError      **error)
{
  g_autoptr (RegiondIdentity) self = g_atomic_rc_box_new0 (RegiondIdentity);
  g_autofree char *modalias = regiond_sysfs_read (sysfs, "modalias", NULL);
  RegiondAddress address;

  if (!regiond_address_parse (regiond_sysfs_get_name (sysfs), &address))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "%s is not a PCI device: its name is no PCI address",
                   regiond_sysfs_get_folder (sysfs));
      return NULL;
    }
  if (!read_ids (self, sysfs, error))
    return NULL;

  self->address = regiond_address_to_string (&address);
  self->id = regiond_address_to_id (&address);
  self->driver = regiond_sysfs_read_link (sysfs, "driver");
  if (self->driver == NULL)
    self->driver = g_strdup ("");
  self->iommu_group = read_group (sysfs);
  self->group_devices = list_group (sysfs);
  self->description = describe (self, modalias);
  return g_steal_pointer (&self);
}
