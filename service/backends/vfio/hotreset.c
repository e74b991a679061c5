/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/hotreset.h"

#include <errno.h>
#include <sys/ioctl.h>

/* A bus has 256 functions at the most; one more does not help. */
#define DEVICES_MOST 256

gboolean
regiond_hotreset_hits_one (const struct vfio_pci_hot_reset_info *info,
                           guint                                 group)
{
  return info->count == 1 && info->devices[0].group_id == group;
}

gboolean
regiond_hotreset_is_ours (RegiondHandle *handle,
                          guint          group)
{
  gsize size = sizeof (struct vfio_pci_hot_reset_info) + DEVICES_MOST * sizeof (struct vfio_pci_dependent_device);
  g_autofree struct vfio_pci_hot_reset_info *info = g_malloc0 (size);

  info->argsz = size;
  return ioctl (regiond_handle_get_fd (handle), VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info) == 0 &&
         regiond_hotreset_hits_one (info, group);
}

int
regiond_hotreset_perform (RegiondHandle *handle)
{
  gsize size = sizeof (struct vfio_pci_hot_reset) + sizeof (gint32);
  g_autofree struct vfio_pci_hot_reset *order = g_malloc0 (size);

  order->argsz = size;
  order->count = 1;
  order->group_fds[0] = regiond_handle_get_group_fd (handle);
  return ioctl (regiond_handle_get_fd (handle), VFIO_DEVICE_PCI_HOT_RESET, order) < 0 ? errno : 0;
}
