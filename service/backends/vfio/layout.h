/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"
#include "backends/vfio/sysfs.h"
#include "region.h"

/* The regions of a PCI device (RegiondRegion, in an array that frees them). Each
 * has VFIO's index (linux/vfio.h), and a name that is its for good:
 *   0 to 5  "bar0" … "bar5"  kind "mmio" or "io"
 *   6       "rom"            "rom"
 *   7       "config"         "config", of 256 or 4096 bytes
 *   8       "vga"            "vga", the legacy window
 *   9 …     "specific9" …    "device-specific"
 * A BAR or ROM that the device lacks, or that has no address, is left out. */

/* What the kernel knows of a device that nobody has opened: all but the last two
 * kinds. Touches nothing of the device. Gone, Failed. */
GPtrArray *regiond_layout_read (RegiondSysfs *sysfs, GError **error);

/* Where a BAR begins in the machine's address space: how much of a page it is.
 * NotFound where there is none of that index. */
gboolean   regiond_layout_read_start (RegiondSysfs *sysfs, guint index, guint64 *start, GError **error);

/* @regions with what VFIO says while the device is open: the sizes, where they differ,
 * and the last two kinds. What is in @regions stays, in its place. @regions itself where
 * there is nothing new: a reference in any case. */
GPtrArray *regiond_layout_complete (GPtrArray *regions, RegiondHandle *handle);

/* So for one region that VFIO knows: whether that was new. Sizes of 0 change nothing. */
gboolean   regiond_layout_add (GPtrArray *regions, guint index, guint64 size);
