/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/viability.h"

#include "error.h"

/* Drivers that say so themselves (driver_managed_dma in the kernel). Of a driver
 * that is not listed the kernel has the last word, when the group is opened. */
gboolean
regiond_viability_allows (const char *driver)
{
  return strstr (driver, "vfio") != NULL || g_str_equal (driver, "pci-stub") || g_str_equal (driver, "pcieport");
}

static char *
find_driver (const char *devices,
             const char *address)
{
  g_autofree char *path = g_build_filename (devices, address, "driver", NULL);
  g_autofree char *target = g_file_read_link (path, NULL);

  return target != NULL ? g_path_get_basename (target) : NULL;
}

gboolean
regiond_viability_check (guint       group,
                         const char *folder,
                         GError    **error)
{
  g_autofree char *devices = NULL;
  g_autoptr (GDir) dir = NULL;
  const char *address;

  devices = folder != NULL ? g_build_filename (folder, "devices", NULL)
                           : g_strdup_printf ("/sys/kernel/iommu_groups/%u/devices", group);

  /* Without the group there is nobody in the way; opening it will tell. */
  if ((dir = g_dir_open (devices, 0, NULL)) == NULL)
    return TRUE;

  while ((address = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *driver = find_driver (devices, address);

      if (driver == NULL || regiond_viability_allows (driver))
        continue;
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                   "The device shares IOMMU group %u with %s, which is bound to the driver %s and so cannot be "
                   "isolated; bind that to vfio-pci as well (regionctl bind), or to pci-stub", group, address, driver);
      return FALSE;
    }

  return TRUE;
}
