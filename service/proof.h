/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "terms.h"

#include <gio/gunixfdlist.h>

/* What somebody has shown as a proof that he has a region: a descriptor, and what the
 * kernel says of its file without asking the file system. */
typedef struct {
  int           fd;     /* whoever is told of it does not keep it */
  RegiondAccess access; /* of the open file description: r or rw */
  guint64       device; /* as in statx(2) */
  guint64       inode;
} RegiondProof;

/* Looks at shown descriptors on threads of its own, and closes them there: both may hang for
 * ever where the file system is a hostile one's (FUSE), and nothing ends a close that
 * hangs but the end of that. Threads are few; users take turns, and who has none gets one
 * even when the others' all hang. Main thread only. */
typedef struct _RegiondProofs RegiondProofs;

/* @timeout: ms, after which whoever has shown something is told that it cannot be looked at. */
RegiondProofs *regiond_proofs_new (guint timeout);

/* Who waits is told that the service ends. Threads that hang are left behind. */
void           regiond_proofs_free (RegiondProofs *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondProofs, regiond_proofs_free)

/* @proof is NULL where there is an @error: LimitExceeded, Failed. */
typedef void (*RegiondProofFunc) (const RegiondProof *proof, const GError *error, gpointer data);

/* Whether @fd is one that can prove anything: InvalidArgs where it cannot be read from, as
 * one that was opened with O_PATH, which takes no right to the file. Asks no file system. */
gboolean       regiond_proofs_check (int fd, GError **error);

/* Looks at @fd, which is taken, and calls @func once: at the latest after the timeout, and at
 * once when too many of the user's are being looked at or closed. */
void           regiond_proofs_judge (RegiondProofs *self, guint32 uid, int fd, RegiondProofFunc func, gpointer data);

/* Empties @fds: returns number @index of them, or -1 where there is no such, and closes the others, in the
 * user's turn. */
int            regiond_proofs_take (RegiondProofs *self, guint32 uid, GUnixFDList *fds, gint32 index);
