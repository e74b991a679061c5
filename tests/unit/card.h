/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/backend.h"

/* A backend that severs, as a PCI device does, and does what a test wants. It has
 * the regions "bar0" (mmio, prefetchable, two pages), "bar2" (mmio, one page) and
 * "config". With "m" its leases are cut as a BAR's are, without as proxied ones. */
#define TYPE_CARD (card_get_type ())
G_DECLARE_FINAL_TYPE (Card, card, TEST, CARD, RegiondBackend)

struct _Card {
  RegiondBackend parent_instance;
  GPtrArray     *regions;
  GPtrArray     *bars; /* holds, no references: all that there are */

  /* What it is like. */
  GError            *blocker;    /* of check */
  GError            *attach_error, *reset_error, *settle_error, *recover_error, *park_error;
  RegiondMechanism   mechanism;  /* for "m" */
  RegiondRevocation  revocation; /* of that */
  const char *const *methods;
  guint              remains;
  gboolean           lies;       /* attaching does not isolate it */
  gboolean           uncuttable;
  gboolean           by_hand;    /* a cut is over when the test says so */
  gboolean           hangs;      /* whatever is done to it waits for the gate */
  GMutex             gate;

  /* What it has been through. */
  GMutex             lock;
  GString           *told; /* "attach reset park settle …" */
  gboolean           isolated;
  gboolean           claimed; /* by a cut, until it is settled */
  guint              finalized;
};

Card      *card_new (void);

/* What it has been told since the last time: free it. */
char      *card_take_told (Card *self);

/* Another region: it has come to know more of its device. */
void       card_learn (Card *self, const char *name);

/* What an "m" lease holds. */
#define TYPE_BAR (bar_get_type ())
G_DECLARE_DERIVABLE_TYPE (Bar, bar, TEST, BAR, RegiondHold)

struct _BarClass {
  RegiondHoldClass parent_class;
};

/* The last reference is closed, and the kernel gives a sign. */
void       bar_let_go (RegiondHold *hold);

/* The cut that is under way is over, and has hit every BAR; or has not worked. */
void       card_finish_cut (Card *self, gboolean worked);
guint      card_count_cutting (Card *self);
