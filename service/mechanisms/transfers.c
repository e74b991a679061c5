/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/transfers.h"

#include <errno.h>

struct _RegiondTransfers {
  RegiondTransfersFunc over;
  gpointer             data;
  GMutex               lock;   /* guards what follows */
  RegiondSource       *source; /* NULL when they are over */
  gboolean             ended;
  guint                n;     /* under way or waiting */
  GQueue               queue; /* Waiting: those that may block, the first one under way */
};

typedef struct {
  RegiondTransfer transfer;
  guint8         *copy; /* of the bytes, once their thread has gone on */
  gboolean        answered;
} Waiting;

/* Of one file; and in bytes to be written, of all files together. */
#define WAITING_MOST 256
#define COPIED_MOST (64 * 1024 * 1024)

static gint copied;

static void
waiting_free (Waiting *self)
{
  if (self->copy != NULL)
    g_atomic_int_add (&copied, -(gint) self->transfer.width);
  g_free (self->copy);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Waiting, waiting_free)

RegiondTransfers *
regiond_transfers_new (RegiondSource       *source,
                       RegiondTransfersFunc over,
                       gpointer             data)
{
  RegiondTransfers *self = g_atomic_rc_box_new0 (RegiondTransfers);

  self->over = over;
  self->data = data;
  self->source = g_object_ref (source);
  g_mutex_init (&self->lock);
  g_queue_init (&self->queue);
  return self;
}

static void
clear (RegiondTransfers *self)
{
  g_assert (g_queue_is_empty (&self->queue));
  g_clear_object (&self->source);
  g_mutex_clear (&self->lock);
}

void
regiond_transfers_unref (RegiondTransfers *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

/* With the lock; to be let go of without it. The source may be the last that
 * keeps much memory. */
static RegiondSource *
steal_source_if_over (RegiondTransfers *self)
{
  return self->ended && self->n == 0 ? g_steal_pointer (&self->source) : NULL;
}

/* NULL when they have ended; otherwise it stays until finish(). */
static RegiondSource *
begin (RegiondTransfers *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (self->ended)
    return NULL;

  self->n++;
  return self->source;
}

static void
finish (RegiondTransfers *self)
{
  g_autoptr (RegiondSource) source = NULL;

  g_mutex_lock (&self->lock);
  self->n--;
  source = steal_source_if_over (self);
  g_mutex_unlock (&self->lock);

  if (source != NULL)
    self->over (self->data);
}

/* Returns 0 or an errno; sets @bytes to what has been read. */
static int
perform (RegiondSource         *source,
         const RegiondTransfer *transfer,
         RegiondServerThread   *thread,
         const guint8         **bytes)
{
  if (transfer->is_write)
    return regiond_source_write (source, transfer->offset, transfer->width, transfer->bytes);

  *bytes = thread->scratch;
  return regiond_source_read (source, transfer->offset, transfer->width, thread->scratch, bytes);
}

/* Memory that cannot be read is EIO: the kernel makes it so. */
static void
answer (const RegiondTransfer *transfer,
        int                    errsv,
        const guint8          *bytes)
{
  if (errsv != 0)
    fuse_reply_err (transfer->request, errsv);
  else if (transfer->is_write)
    fuse_reply_write (transfer->request, transfer->width);
  else
    fuse_reply_buf (transfer->request, (const char *) bytes, transfer->width);
}

/* FALSE if somebody has answered, or does now. */
static gboolean
claim_answer (RegiondTransfers *self,
              Waiting          *waiting)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gboolean mine = !waiting->answered;

  waiting->answered = TRUE;
  return mine;
}

/* The next one that is to be made: @done has been, if it is not NULL. */
static Waiting *
next (RegiondTransfers *self,
      Waiting          *done)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (done != NULL)
    g_queue_remove (&self->queue, done); /* the first one */
  return g_queue_peek_head (&self->queue);
}

/* What waited when the end came is not made any more. */
static void
perform_all (RegiondTransfers    *self,
             RegiondSource       *source,
             RegiondServerThread *thread)
{
  Waiting *waiting = next (self, NULL);

  while (waiting != NULL)
    {
      g_autoptr (Waiting) done = waiting;
      const guint8 *bytes = NULL;
      int errsv = ENOTCONN;

      if (!regiond_transfers_have_ended (self))
        errsv = perform (source, &done->transfer, thread, &bytes);
      if (claim_answer (self, done))
        answer (&done->transfer, errsv, bytes);
      waiting = next (self, done);
      finish (self);
    }
}

/* FALSE when there is too much that waits already. */
static gboolean
keep_bytes (Waiting *self)
{
  RegiondTransfer *transfer = &self->transfer;

  if (!transfer->is_write)
    return TRUE;
  if (g_atomic_int_add (&copied, transfer->width) > COPIED_MOST)
    {
      g_atomic_int_add (&copied, -(gint) transfer->width);
      return FALSE;
    }

  transfer->bytes = self->copy = g_memdup2 (transfer->bytes, transfer->width);
  return TRUE;
}

typedef enum {
  TURN_NOW,   /* it has to be made now */
  TURN_LATER, /* whoever is at it comes to it */
  TURN_NEVER, /* too many wait */
} Turn;

static Turn
enqueue (RegiondTransfers *self,
         Waiting          *waiting)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gboolean first = g_queue_is_empty (&self->queue);

  if (!first && (self->queue.length > WAITING_MOST || !keep_bytes (waiting)))
    return TURN_NEVER;

  g_queue_push_tail (&self->queue, waiting);
  return first ? TURN_NOW : TURN_LATER;
}

static void
refuse (RegiondTransfers *self,
        Waiting          *waiting)
{
  answer (&waiting->transfer, ENOMEM, NULL);
  waiting_free (waiting);
  finish (self);
}

static void
start_slow (RegiondTransfers      *self,
            RegiondSource         *source,
            const RegiondTransfer *transfer,
            RegiondServerThread   *thread)
{
  Waiting *waiting = g_new0 (Waiting, 1);
  Turn turn;

  waiting->transfer = *transfer;
  turn = enqueue (self, waiting);
  if (turn == TURN_LATER)
    return;

  if (turn == TURN_NEVER)
    refuse (self, waiting);
  else if (regiond_server_hand_over (thread))
    perform_all (self, source, thread);
  else
    {
      /* No thread to be had, and this one must not wait. */
      next (self, waiting);
      refuse (self, waiting);
    }
}

void
regiond_transfers_start (RegiondTransfers      *self,
                         const RegiondTransfer *transfer,
                         RegiondServerThread   *thread)
{
  RegiondSource *source = begin (self);
  const guint8 *bytes = NULL;
  int errsv;

  if (source == NULL)
    answer (transfer, ENOTCONN, NULL);
  else if (regiond_source_is_quick (source))
    {
      errsv = perform (source, transfer, thread, &bytes);
      answer (transfer, errsv, bytes);
      finish (self);
    }
  else
    start_slow (self, source, transfer, thread);
}

typedef struct {
  RegiondTransfers *transfers;
  guint64           unique;
} Interruption;

static void
interruption_free (Interruption *self)
{
  regiond_transfers_unref (self->transfers);
  g_free (self);
}

static int
compare_unique (gconstpointer waiting,
                gconstpointer unique)
{
  return ((const Waiting *) waiting)->transfer.unique == *(const guint64 *) unique ? 0 : 1;
}

/* On the main thread, since it must come even when every other one waits.
 * While one is found, the thread that is at it keeps its file. */
static gboolean
on_grace_over (gpointer data)
{
  Interruption *interruption = data;
  RegiondTransfers *self = interruption->transfers;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  GList *found = g_queue_find_custom (&self->queue, &interruption->unique, compare_unique);
  Waiting *waiting = found != NULL ? found->data : NULL;

  if (waiting != NULL && !waiting->answered)
    {
      waiting->answered = TRUE;
      fuse_reply_err (waiting->transfer.request, EINTR);
    }
  return G_SOURCE_REMOVE;
}

/* One that has not begun, out of the queue. */
static Waiting *
withdraw (RegiondTransfers *self,
          guint64           unique)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  GList *found = g_queue_find_custom (&self->queue, &unique, compare_unique);
  Waiting *waiting;

  if (found == NULL || found == self->queue.head)
    return NULL;

  waiting = found->data;
  g_queue_delete_link (&self->queue, found);
  return waiting;
}

void
regiond_transfers_interrupt (RegiondTransfers *self,
                             guint64           unique)
{
  g_autoptr (Waiting) waiting = withdraw (self, unique);
  Interruption *interruption;

  if (waiting != NULL)
    {
      fuse_reply_err (waiting->transfer.request, EINTR);
      finish (self);
      return;
    }

  interruption = g_new (Interruption, 1);
  *interruption = (Interruption){ g_atomic_rc_box_acquire (self), unique };
  g_timeout_add_full (G_PRIORITY_DEFAULT, REGIOND_TRANSFER_GRACE_MS, on_grace_over, interruption,
                      (GDestroyNotify) interruption_free);
}

void
regiond_transfers_end (RegiondTransfers *self)
{
  g_autoptr (RegiondSource) source = NULL;

  g_mutex_lock (&self->lock);
  self->ended = TRUE;
  if (self->source != NULL)
    regiond_source_end (self->source);
  source = steal_source_if_over (self);
  g_mutex_unlock (&self->lock);

  if (source != NULL)
    self->over (self->data);
}

gboolean
regiond_transfers_have_ended (RegiondTransfers *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->ended;
}

gboolean
regiond_transfers_are_over (RegiondTransfers *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->source == NULL;
}

RegiondSource *
regiond_transfers_ref_source (RegiondTransfers *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->source != NULL ? g_object_ref (self->source) : NULL;
}
