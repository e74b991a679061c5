/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mechanisms/hold.h"
#include "mechanisms/witness.h"
#include "watch.h"

#include <gio/gio.h>

/* One BAR of a device as it is lent to be mapped: by the kernel's own file of it
 * (sysfs, resourceN), the only one that is limited to one BAR. An open file
 * description of its own for each lease, which an epoll set of its own lists for
 * as long as anything of it is left, in whatever process: a copy, a mapping, one
 * in flight (tests/vm/test-facts-reference.c). It is cut by claiming the BAR: that takes it
 * from everybody who maps it, and keeps it from them for as long as the claim is
 * held. Claiming is the owner's business. */
#define REGIOND_TYPE_BAR (regiond_bar_get_type ())
G_DECLARE_FINAL_TYPE (RegiondBar, regiond_bar, REGIOND, BAR, GObject)

/* Asks for @bar to be claimed, off the main thread; regiond_bar_set_claimed or
 * regiond_bar_set_failed tells the outcome. */
typedef void (*RegiondBarClaimFunc) (GObject *owner, RegiondBar *bar);

typedef struct {
  int                 fd;       /* of the file, read and write; taken */
  int                 combined; /* of the file that maps with write-combining, or -1; taken */
  RegiondWatch       *watch;
  GObject            *owner;    /* not kept alive */
  RegiondBarClaimFunc claim;    /* NULL: this kernel takes no mapping from anybody */
} RegiondBarSetup;

RegiondBar  *regiond_bar_new (const RegiondBarSetup *setup);

/* Lends it: @fd is read-only without REGIOND_ACCESS_WRITE, and for the caller to
 * close once it is on its way. Sets @witness. Blocks; any thread. LimitExceeded or
 * Failed: so also where there is no witness, without which it would not be known
 * after a crash what is left. */
RegiondHold *regiond_bar_open (RegiondBar *self, RegiondAccess access, gboolean write_combining,
                               RegiondWitness *witness, int *fd, GError **error);

/* regiond's own descriptors of what it can be mapped by: sets them, and returns how
 * many there are (0 once closed). The first one is of the plain file. */
#define REGIOND_BAR_FILES_MOST 2
guint        regiond_bar_list_files (RegiondBar *self, int *files);

/* How many of what has been lent have something left. Any thread. */
guint        regiond_bar_count_references (RegiondBar *self);

/* It has been claimed: whatever has been lent of it so far is cut, and listeners
 * are told. Any thread. */
void         regiond_bar_set_claimed (RegiondBar *self);
gboolean     regiond_bar_is_claimed (RegiondBar *self);

/* The claim has been let go: it can be lent anew. */
void         regiond_bar_set_free (RegiondBar *self);

/* It could not be claimed, or has not been tried to be. */
void         regiond_bar_set_failed (RegiondBar *self);

/* Whether it need not be claimed after all: nothing is left of what was to be cut,
 * or that is cut already. Listeners are told. Any thread. */
gboolean     regiond_bar_spare (RegiondBar *self);

/* regiond has nothing to do with the file any more: nothing is told, claimed or
 * lent. Holds go on to prove. */
void         regiond_bar_close (RegiondBar *self);
