/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"
#include "backends/vfio/sysfs.h"
#include "region.h"

#include <gio/gio.h>

/* The way to a device's registers, for regiond's own accesses: mappings of the
 * BARs' sysfs files, or the VFIO handle, or none. Never two of them: an open
 * handle takes mappings away, regiond's own too (handle.h), so these are
 * unmapped before. Whoever changes the way waits for the accesses under way, and
 * those that come meanwhile wait for him. */
typedef struct _RegiondGate RegiondGate;

/* Leads nowhere yet. */
RegiondGate   *regiond_gate_new (RegiondSysfs *sysfs);
RegiondGate   *regiond_gate_ref (RegiondGate *self);
void           regiond_gate_unref (RegiondGate *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondGate, regiond_gate_unref)

/* Stops accesses: waits for those under way, and those that come wait. The way is
 * changed by the thread that has stopped them, before it lets them go on. All of
 * it blocks. */
void           regiond_gate_stop (RegiondGate *self);
void           regiond_gate_go (RegiondGate *self);

/* Through the handle, which is opened; where it is open already it is closed first.
 * On failure the way leads nowhere. Errors of regiond_handle_open. */
gboolean       regiond_gate_lead_through_handle (RegiondGate *self, RegiondContainer *container, const char *address,
                                                 GError **error);

/* Through mappings; the handle is closed, and all it claims is let go. */
void           regiond_gate_lead_through_mappings (RegiondGate *self);

/* Nowhere. */
void           regiond_gate_shut (RegiondGate *self);

/* The handle, where the way is through it, or NULL; valid until the way is changed,
 * so for the thread that changes it. */
RegiondHandle *regiond_gate_get_handle (RegiondGate *self);

/* Switches the decoding of memory on or off, by sysfs: while it is off no load or
 * store reaches the device, whoever has a mapping. Opening and closing the handle
 * switch it on. Failed, Gone. */
gboolean       regiond_gate_set_decoding (RegiondGate *self, gboolean on, GError **error);

/* One access of exactly @width bytes, 1, 2 or 4, or 8 where the way is through
 * a mapping; at @offset of @region, a multiple of it. Any thread; it may block.
 * 0 or an errno: ENODEV where the way leads nowhere, EIO with the region's
 * decoding switched off (the device would not answer, and all ones are no data)
 * and for a mapping that has been taken away, EINVAL for a width that cannot be
 * had, EAGAIN for a region that is reached through the handle alone while that
 * is closed. */
int            regiond_gate_read (RegiondGate *self, const RegiondRegion *region, guint64 offset, gsize width,
                                  gpointer buffer);
int            regiond_gate_write (RegiondGate *self, const RegiondRegion *region, guint64 offset, gsize width,
                                   gconstpointer bytes);
