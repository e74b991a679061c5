/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Whether every member of an IOMMU group has a driver that leaves DMA alone
 * (VFIO's, pci-stub, a bridge's) or none: only then can the group be isolated.
 * Seen in sysfs, without opening anything; @folder is the group's there, NULL
 * for where it is. NotIsolated names the member and its driver. */
gboolean regiond_viability_check (guint group, const char *folder, GError **error);

/* Whether a driver leaves DMA alone, so that its device may be in such a group. */
gboolean regiond_viability_allows (const char *driver);
