/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"

/* VFIO's reset of everything behind a bridge (linux/vfio.h,
 * VFIO_DEVICE_PCI_HOT_RESET): the last way where a device has none of its own. */

/* Whether it can be done, and hits nothing but devices of that IOMMU group, which
 * @handle's container holds. */
gboolean regiond_hotreset_is_ours (RegiondHandle *handle, guint group);

/* 0 or an errno. Blocks. */
int      regiond_hotreset_perform (RegiondHandle *handle);
