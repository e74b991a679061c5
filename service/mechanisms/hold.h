/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ledger.h"
#include "mechanisms/source.h"
#include "proof.h"
#include "terms.h"

/* What one lease's fd holds on to, in whatever process it has got to: the way
 * to prove that nothing of it is left, and to take it away. Each mechanism has
 * its own. Main thread only, and nothing here blocks;
 * but any thread may be the last to let go of one. */
#define REGIOND_TYPE_HOLD (regiond_hold_get_type ())
G_DECLARE_DERIVABLE_TYPE (RegiondHold, regiond_hold, REGIOND, HOLD, GObject)

typedef void (*RegiondHoldFunc) (gpointer data);

struct _RegiondHoldClass {
  GObjectClass parent_class;

  gboolean is_shared; /* a cut takes the source from everybody who has it */
  gboolean is_dear;   /* a cut costs more than a quarter of a second's patience with one who dies */

  RegiondSource *(*ref_source) (RegiondHold *self); /* NULL when it has let go of it */
  gboolean (*is_gone) (RegiondHold *self);
  gboolean (*is_cut) (RegiondHold *self);
  gboolean (*is_cutting) (RegiondHold *self); /* NULL: a cut is always made at once */
  void     (*cut) (RegiondHold *self);
  gboolean (*listen) (RegiondHold *self, RegiondHoldFunc func, gpointer data, GError **error);
  gboolean (*is_shown) (RegiondHold *self, const RegiondProof *proof);
};

/* Whether it is proved that no reference is left. FALSE: not proved. */
gboolean regiond_hold_is_gone (RegiondHold *self);

/* Whether the access has been taken away already. */
gboolean regiond_hold_is_cut (RegiondHold *self);

/* Whether it is being taken away: a cut that has to wait for a device, or for an
 * access to one, is made off the main thread, and who listens is told when it is over. Neither this nor
 * is_cut then: it could not be made, and only the holder's close ends it. */
gboolean regiond_hold_is_cutting (RegiondHold *self);

/* Takes the access away, as far as the mechanism's revocation goes; from every
 * hold as well that shares its fate. A hold that it turns out to have hit
 * without that is cut from then on, and whoever listens to it is told. */
void     regiond_hold_cut (RegiondHold *self);

/* Whether cutting is dear: see the class. */
gboolean regiond_hold_is_dear (RegiondHold *self);

/* What it was made of, or NULL when it has let go of that: with the cut of one that is
 * its own, though its file may be there for as long as anybody likes. Any thread. */
RegiondSource *regiond_hold_ref_source (RegiondHold *self);

/* Whether what it was made of is not lent any more: it came too late. */
gboolean regiond_hold_is_stale (RegiondHold *self);

/* Whether cutting @self takes something from others at all, and from @other. */
gboolean regiond_hold_is_shared (RegiondHold *self);
gboolean regiond_hold_shares_fate (RegiondHold *self, RegiondHold *other);

/* Calls @func whenever a reference may have gone. Holds that share their fate
 * have one listener between them. Without @func one that is its own is told no
 * more. LimitExceeded or Failed when the kernel gives no watch. */
gboolean regiond_hold_listen (RegiondHold *self, RegiondHoldFunc func, gpointer data, GError **error);

/* Whether @proof shows what @self holds on to, or another copy of it: the same open file
 * description, where the kernel can tell; else the same living file, where it is lent still, whoever on it
 * has had the description: so one of a lease that has ended shows it until the file is retired. */
gboolean regiond_hold_is_shown (RegiondHold *self, const RegiondProof *proof);

/* What the lease costs, which is taken: it is charged for as long as the hold
 * is there, lease or no lease. */
void     regiond_hold_keep_charge (RegiondHold *self, RegiondCharge *charge);

/* The lease has ended; what is left of it holds on to @bytes of the source, or
 * to nothing where the cut was its own. */
void     regiond_hold_end_charge (RegiondHold *self, guint64 bytes);
