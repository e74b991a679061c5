/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"

/* VFIO's reset of everything behind a bridge (linux/vfio.h,
 * VFIO_DEVICE_PCI_HOT_RESET): the last way where a device has none of its own. */

/* Whether it hits one device alone, which is of that IOMMU group: others of the group
 * may be lent to somebody else. */
gboolean regiond_hotreset_hits_one (const struct vfio_pci_hot_reset_info *info, guint group);

/* Whether it can be done, and hits nothing but the device of @handle, which is of that
 * IOMMU group. */
gboolean regiond_hotreset_is_ours (RegiondHandle *handle, guint group);

/* 0 or an errno. Blocks. */
int      regiond_hotreset_perform (RegiondHandle *handle);
