/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mechanisms/server.h"
#include "mechanisms/source.h"

#include <fuse3/fuse_lowlevel.h>

/* The reads and writes of one proxied file, on their way to its source. Those
 * that take no time are made at once, by the thread that has read them; others
 * one after the other, so that a file never keeps more than one thread. Every
 * request gets an answer, also when its caller is killed meanwhile: until then
 * the kernel does not let it die. Any thread. */
typedef struct _RegiondTransfers RegiondTransfers;

typedef struct {
  fuse_req_t    request; /* answered, whatever happens */
  guint64       unique;  /* the kernel's number of it */
  gboolean      is_write;
  guint64       offset;  /* in the source */
  gsize         width;   /* at most REGIOND_SERVER_SCRATCH */
  const guint8 *bytes;   /* to write; valid while the thread has the request */
} RegiondTransfer;

/* How long the caller of a transfer that is under way waits for its end when a
 * signal has come; then it gets EINTR, and the transfer ends unseen. */
#define REGIOND_TRANSFER_GRACE_MS 100

typedef void (*RegiondTransfersFunc) (gpointer data);

/* @over is called, by any thread, when they are over. */
RegiondTransfers *regiond_transfers_new (RegiondSource *source, RegiondTransfersFunc over, gpointer data);
void              regiond_transfers_unref (RegiondTransfers *self);

/* Makes one, or sees to it that it is made. It may hand over the thread's lead.
 * Where too much waits already, or no thread is to be had, the answer is ENOMEM. */
void              regiond_transfers_start (RegiondTransfers *self, const RegiondTransfer *transfer,
                                           RegiondServerThread *thread);

/* The caller of a request has got a signal; one that kills cannot be told from
 * others. What has not begun gets EINTR and is not made. What has gets its
 * grace: a write that was told EINTR would be made twice. */
void              regiond_transfers_interrupt (RegiondTransfers *self, guint64 unique);

/* From now on none begins; whoever comes gets ENOTCONN. One under way that is made in
 * pieces stops between two of them. */
void              regiond_transfers_end (RegiondTransfers *self);
gboolean          regiond_transfers_have_ended (RegiondTransfers *self);

/* Whether they have ended, and none is under way any more. */
gboolean          regiond_transfers_are_over (RegiondTransfers *self);

/* NULL when they are over: nothing keeps it any more. */
RegiondSource    *regiond_transfers_ref_source (RegiondTransfers *self);
