/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/bars.h"
#include "backends/vfio/config.h"
#include "backends/vfio/gate.h"
#include "backends/vfio/request.h"
#include "backends/vfio/sysfs.h"

#include <gio/gio.h>

/* How firmly regiond has a device, from nothing at all to every BAR claimed:
 * - its group is held, and with that it is isolated;
 * - its handle is open: while it is looked at, reset, or cut, while references are
 *   left that a claim is held against, while a region is out that only the handle
 *   reaches, and all the time under lockdown;
 * - BARs are claimed;
 * - it is dark: it does not decode memory, so no mapping reaches it.
 * What blocks is for one thread at a time. */
typedef struct _RegiondGrip RegiondGrip;

typedef struct {
  RegiondSysfs  *sysfs;
  guint          group;
  gboolean       unsafe_noiommu;
  RegiondConfig *config;
  RegiondGate   *gate;
  RegiondBars   *bars;
} RegiondGripSetup;

/* None yet. Keeps references of what can be referred to; config and bars have to
 * live as long. */
RegiondGrip      *regiond_grip_new (const RegiondGripSetup *setup);
void              regiond_grip_free (RegiondGrip *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondGrip, regiond_grip_free)

/* Calls @func on the main thread when the kernel wants the device back, while the
 * handle is open; @data is referred to by @ref meanwhile. */
void              regiond_grip_on_request (RegiondGrip *self, RegiondRequestFunc func, gpointer data,
                                           gpointer (*ref) (gpointer), GDestroyNotify unref);

/* Any thread. */
gboolean          regiond_grip_is_owed (RegiondGrip *self);     /* a claim is held against what is left */
gboolean          regiond_grip_is_dark (RegiondGrip *self);
gboolean          regiond_grip_is_tethered (RegiondGrip *self); /* out is a region that only the handle reaches */
gboolean          regiond_grip_is_locked (RegiondGrip *self);   /* lockdown: there are no mappings */

/* One region more, or one less, that only the handle reaches. Any thread; FALSE:
 * there is none left. */
gboolean          regiond_grip_tether (RegiondGrip *self, int more);

/* What follows blocks. */

gboolean          regiond_grip_has_group (RegiondGrip *self);
gboolean          regiond_grip_hold_group (RegiondGrip *self, GError **error);

/* Opens the handle where it is not open. */
gboolean          regiond_grip_enter (RegiondGrip *self, GError **error);
RegiondHandle    *regiond_grip_get_handle (RegiondGrip *self);

/* Another driver than vfio-pci has it: that has claimed the BARs, and its registers
 * are none of regiond's business any more. */
gboolean          regiond_grip_is_taken (RegiondGrip *self);

/* Bus mastering off, and verified; decoding on, unless it is dark. NotIsolated, Gone. */
gboolean          regiond_grip_isolate (RegiondGrip *self, GError **error);

/* Claims every BAR of @regions. */
gboolean          regiond_grip_claim_all (RegiondGrip *self, GPtrArray *regions, GError **error);

/* Cuts every mapping of @bar, and whatever that takes with it, for certain: it is
 * owed from now on. Where a mapping may have escaped it is dark, and all BARs are cut. */
gboolean          regiond_grip_cut (RegiondGrip *self, RegiondBar *bar, GError **error);

/* Owed and dark from now on: decoding is switched off as far as that can be done
 * at once. Isolate verifies it. */
void              regiond_grip_darken (RegiondGrip *self);

/* Nothing is left that a claim is held against. */
void              regiond_grip_set_settled (RegiondGrip *self);

/* Closes the handle where nothing needs it, and isolates. Sets @changed where what
 * can be had has changed by that. */
gboolean          regiond_grip_loosen (RegiondGrip *self, gboolean *changed, GError **error);

/* Lets go of everything. A device of which something is left does not decode
 * memory afterwards. */
void              regiond_grip_let_go (RegiondGrip *self);
