/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/backend.h"
#include "backends/vfio/loans.h"
#include "backends/vfio/sysfs.h"
#include "backends/vfio/tidings.h"
#include "budget.h"
#include "mechanisms/bar.h"
#include "mechanisms/memfd.h"
#include "mechanisms/server.h"
#include "watch.h"

#include <gio/gio.h>

/* A device in our hands: from the moment its group is held until it is let go of.
 * What blocks is done by one thread at a time, whichever calls. */
typedef struct _RegiondCustody RegiondCustody;

typedef struct {
  RegiondSysfs              *sysfs; /* its folder is named after the address */
  guint                      group;
  gboolean                   unsafe_noiommu;
  const char *const         *zero_regions; /* names */
  const char                *folder; /* /run/regiond but in tests */
  RegiondLoans              *loans;
  RegiondWatch              *watch;
  RegiondBudget             *budget;
  RegiondServer             *server;
  const RegiondTidingsEvents *events;
  GObject                   *owner; /* not kept alive */
  RegiondBarClaimFunc        claim; /* a BAR of the owner's is to be cut: regiond_custody_cut */
} RegiondCustodySetup;

/* Knows the regions that sysfs tells of, and touches nothing. Failed, Gone. */
RegiondCustody    *regiond_custody_new (const RegiondCustodySetup *setup, GError **error);
RegiondCustody    *regiond_custody_ref (RegiondCustody *self);
void               regiond_custody_unref (RegiondCustody *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondCustody, regiond_custody_unref)

/* What follows does not block, and is for any thread. */

GPtrArray         *regiond_custody_ref_regions (RegiondCustody *self);
const char *const *regiond_custody_get_reset_methods (RegiondCustody *self);

/* Whether the group is held, bus mastering off, and the device fresh. */
gboolean           regiond_custody_is_ready (RegiondCustody *self);

/* How @region can be had now: regiond_offer_find. */
RegiondMechanism   regiond_custody_find_mechanism (RegiondCustody *self, const RegiondRegion *region,
                                                   RegiondAccess access, GError **error);

/* How many references there are of what a former run has lent. */
guint              regiond_custody_count_remains (RegiondCustody *self);

/* The last lease of all has ended: the snapshot of the ROM is lent no more. */
void               regiond_custody_spend (RegiondCustody *self);

/* Has everything that is lent of @bar cut, on another thread; the bar is told the
 * outcome, and so is the owner when it fails. */
void               regiond_custody_cut (RegiondCustody *self, RegiondBar *bar);

/* What follows blocks. */

/* Takes the device, where it is not taken: holds the group, claims every BAR (so
 * that whatever anybody had of it is cut), reads the ROM, resets, switches bus
 * mastering off and verifies it. Errors of regiond_container_acquire and
 * regiond_handle_open; ResetFailed, NotIsolated, Lingering (something of a former
 * run is left); G_IO_ERROR_CANCELLED. What has been taken is let go by
 * regiond_custody_release. */
gboolean           regiond_custody_take (RegiondCustody *self, GCancellable *cancellable, GError **error);

/* One lease. NULL without an error: it has to be taken (again) first. */
RegiondHold       *regiond_custody_lend (RegiondCustody *self, const RegiondWindow *window, int *fd, GError **error);

/* Lets the claims go: nothing is left of what they were held against. */
gboolean           regiond_custody_settle (RegiondCustody *self, GError **error);

gboolean           regiond_custody_reset (RegiondCustody *self, gboolean leased, GError **error);

/* Somebody wants the device back: the next release lets go of everything, as
 * regiond_custody_abandon does. */
void               regiond_custody_set_final (RegiondCustody *self);

/* Resets, restores config space and lets go of everything; while something of
 * ended leases is left, and the kernel does not want the device back, the group is
 * kept, and so is what is claimed. */
gboolean           regiond_custody_release (RegiondCustody *self, GError **error);

/* The same, but lets go of everything in any case. What is left of ended leases
 * reaches nothing then, since the device does not decode memory until somebody
 * has it who claims it. */
gboolean           regiond_custody_abandon (RegiondCustody *self, GError **error);

/* Something may be left of what a former run has lent under these serial numbers:
 * nothing is lent beside it. Does not block. */
void               regiond_custody_remember (RegiondCustody *self, GArray *serials);

/* After a crash, while something is left: claims the device, and leaves it dark until
 * nothing is. Errors of regiond_container_acquire (Busy: the group is somebody else's,
 * and the device is not touched), regiond_handle_open and regiond_grip_isolate. It may
 * be tried again. */
gboolean           regiond_custody_recover (RegiondCustody *self, GError **error);
