/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "budget.h"
#include "mechanisms/hold.h"
#include "watch.h"

#include <gio/gio.h>

/* One memory object: a memfd that can neither grow, shrink nor be sealed
 * further, is owned by root with mode 0600 (no other uid can reopen it), and
 * is not executable. Its pages are allocated when it is made. Once retired it
 * is never lent again. */
#define REGIOND_TYPE_MEMFD (regiond_memfd_get_type ())
G_DECLARE_FINAL_TYPE (RegiondMemfd, regiond_memfd, REGIOND, MEMFD, GObject)

/* Takes @size bytes, a multiple of the page size, of @budget and of the
 * machine, zeroed. Blocks while the kernel allocates: not for the main thread.
 * LimitExceeded when either has no more, Failed when the kernel refuses;
 * G_IO_ERROR_CANCELLED. The budget gets the bytes back when the object is
 * freed. */
RegiondMemfd *regiond_memfd_new (RegiondWatch *watch, RegiondBudget *budget, const char *name, guint64 size,
                                 GCancellable *cancellable, GError **error);

/* A new object with the contents of @self, which is only read. Blocks. */
RegiondMemfd *regiond_memfd_copy (RegiondMemfd *self, GError **error);

/* Gives the pages back and allocates zeroed ones, under all mappings. Blocks.
 * LimitExceeded leaves the object empty but not allocated. */
gboolean regiond_memfd_empty (RegiondMemfd *self, GError **error);

/* An open file description of its own for one lease: O_RDONLY without
 * REGIOND_ACCESS_WRITE, else O_RDWR. Sets @fd, which the caller closes once it
 * is on its way. Any thread; changes its session keyring (witness.h). */
RegiondHold *regiond_memfd_open (RegiondMemfd *self, RegiondAccess access, int *fd, GError **error);

/* Whether F_SETLEASE on this kernel counts those who have a file open for
 * reading only (facts: thanks to CONFIG_IMA). Tried out once. */
gboolean regiond_memfd_sees_readers (void);

/* Whether it is proved that no description but regiond's own, no mapping and no copy in flight
 * is left (F_SETLEASE, fcntl(2)); never where readers are not seen. Page pins are invisible to it: that is why
 * an object is never lent again. */
gboolean regiond_memfd_is_free (RegiondMemfd *self);

void     regiond_memfd_retire (RegiondMemfd *self);
gboolean regiond_memfd_is_retired (RegiondMemfd *self);
