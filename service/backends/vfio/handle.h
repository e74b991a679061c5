/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/container.h"

#include <gio/gio.h>
#include <linux/vfio.h>

/* The VFIO fd of a device, while it is open: all of its regions, its resets and
 * its events. Nobody but regiond ever has it. What opening it does
 * (tests/vm/test-facts-bar.c): it takes live sysfs mappings of all BARs away on 7.2, and of
 * a BAR on older kernels when that is first touched; a device with a function
 * level reset is reset, at the close again. Any thread. */
typedef struct _RegiondHandle RegiondHandle;

/* Opens the device at @address ("0000:00:10.0"), asks for all that there is to be
 * known of its regions, and arms its request event. Blocks: up to a second where
 * that resets it. Gone when it is not vfio-pci's any more; LimitExceeded, Failed. */
RegiondHandle *regiond_handle_open (RegiondContainer *container, const char *address, GError **error);

/* Ends every claim. Blocks like opening it. */
void           regiond_handle_close (RegiondHandle *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondHandle, regiond_handle_close)

/* For ioctls; the handle's own. */
int            regiond_handle_get_fd (RegiondHandle *self);

/* Its group's VFIO fd; the container's own. */
int            regiond_handle_get_group_fd (RegiondHandle *self);

/* Becomes readable (an eventfd) when the kernel wants the device back: it waits
 * until this handle is closed. -1: this kernel has no such event. */
int            regiond_handle_get_request_fd (RegiondHandle *self);

/* VFIO_DEVICE_FLAGS_… */
guint32        regiond_handle_get_flags (RegiondHandle *self);

/* How many regions it has, those of size 0 included: indices below that. */
guint          regiond_handle_count_regions (RegiondHandle *self);

/* What VFIO says of a region, with what follows the struct (capabilities); the
 * handle's own. NotFound for an index that the device lacks. */
const struct vfio_region_info *regiond_handle_get_region (RegiondHandle *self, guint index, GError **error);

/* One access of @width bytes at @offset of a region. 0 or an errno: EINVAL for an
 * index that is not there or what is beyond the end, EIO with memory decoding off
 * and for one that was cut short. Of 8 bytes older kernels make two: use 1, 2, 4. */
int            regiond_handle_read (RegiondHandle *self, guint index, guint64 offset, gsize width, gpointer buffer);
int            regiond_handle_write (RegiondHandle *self, guint index, guint64 offset, gsize width,
                                     gconstpointer bytes);
