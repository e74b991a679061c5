/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proof.h"

#include "bond.h"
#include "error.h"
#include "queue.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* How many threads there are; of one user; and more for users who have none. */
#define PLACES 8
#define PLACES_EACH 2
#define PLACES_RESERVE 8

/* How many of one user may be under way, if he is to be told anything. */
#define MOST_EACH 16

struct _RegiondProofs {
  RegiondQueue *queue; /* Item */
  GThreadPool  *pool;
  GThreadPool  *memory; /* closes memfds: to free a gigabyte takes a tenth of a second, and never hangs */
  GHashTable   *heard; /* a set of Item: of which somebody waits to hear */
  guint         timeout;
};

typedef struct {
  RegiondProofs   *proofs;
  guint32          uid;
  RegiondProof     proof;
  RegiondProofFunc func;
  gpointer         data;
  guint            timer;
  gboolean         begun;
  gboolean         looked; /* what is left to do is to close it */
} Item;

static void
clear (RegiondProofs *self)
{
  regiond_queue_free (self->queue);
  g_hash_table_unref (self->heard);
  g_thread_pool_free (self->pool, FALSE, FALSE);
  g_thread_pool_free (self->memory, FALSE, FALSE);
}

static void
release (RegiondProofs *self)
{
  g_rc_box_release_full (self, (GDestroyNotify) clear);
}

static void
item_free (Item *self)
{
  release (self->proofs);
  g_free (self);
}

/* What is known of the file already: nobody is asked, so that whose file system hangs is
 * told at once that he has shown nothing. A file system that does not keep to that
 * hangs here. */
static void
look (RegiondProof *proof)
{
  struct statx known;

  if (statx (proof->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &known) < 0)
    return;

  proof->device = makedev (known.stx_dev_major, known.stx_dev_minor);
  proof->inode = known.stx_ino;
}

static gboolean on_worked (gpointer data);

/* On a thread. */
static void
work (gpointer data,
      gpointer user_data)
{
  Item *item = data;

  if (item->looked)
    close (item->proof.fd);
  else
    look (&item->proof);
  g_idle_add_full (G_PRIORITY_DEFAULT, on_worked, item, NULL);
}

/* On a thread. 0 would be NULL. */
static void
close_memory (gpointer data,
              gpointer user_data)
{
  close (GPOINTER_TO_INT (data) - 1);
}

RegiondProofs *
regiond_proofs_new (guint timeout)
{
  RegiondProofs *self = g_rc_box_new0 (RegiondProofs);

  self->queue = regiond_queue_new (PLACES, PLACES_EACH, PLACES_RESERVE);
  self->pool = g_thread_pool_new (work, NULL, -1, FALSE, NULL);
  self->memory = g_thread_pool_new (close_memory, NULL, 1, FALSE, NULL);
  self->heard = g_hash_table_new (NULL, NULL);
  self->timeout = timeout;
  return self;
}

/* Once. */
static void
tell (Item         *item,
      const GError *error)
{
  g_clear_handle_id (&item->timer, g_source_remove);
  if (g_hash_table_remove (item->proofs->heard, item))
    item->func (error == NULL ? &item->proof : NULL, error, item->data);
}

/* What waits to be closed is left to the kernel, which has to wait then. */
void
regiond_proofs_free (RegiondProofs *self)
{
  g_autoptr (GError) error = g_error_new_literal (REGIOND_ERROR, REGIOND_ERROR_GONE, "The service ends");
  g_autoptr (GList) heard = g_hash_table_get_keys (self->heard);
  Item *item;

  for (GList *l = heard; l != NULL; l = l->next)
    tell (l->data, error);
  while ((item = regiond_queue_steal (self->queue)) != NULL)
    item_free (item);
  release (self);
}

static void
serve (RegiondProofs *self)
{
  Item *item;

  while ((item = regiond_queue_serve (self->queue)) != NULL)
    {
      item->begun = TRUE;
      g_thread_pool_push (self->pool, item, NULL);
    }
}

/* It keeps its place until it is closed. */
static gboolean
on_worked (gpointer data)
{
  Item *item = data;
  RegiondProofs *self = item->proofs;

  if (!item->looked)
    {
      item->looked = TRUE;
      tell (item, NULL);
      g_thread_pool_push (self->pool, item, NULL);
      return G_SOURCE_REMOVE;
    }

  regiond_queue_done (self->queue, item->uid);
  serve (self);
  item_free (item);
  return G_SOURCE_REMOVE;
}

gboolean
regiond_proofs_check (int      fd,
                      GError **error)
{
  int flags = fcntl (fd, F_GETFL);
  const char *objection = NULL;

  if (flags < 0 || flags & O_PATH)
    objection = "was opened with O_PATH, which anybody can: it proves nothing";
  else if ((flags & O_ACCMODE) == O_WRONLY)
    objection = "cannot be read from";
  if (objection == NULL)
    return TRUE;

  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
               "The descriptor that was shown %s; show the one that a lease came with", objection);
  return FALSE;
}

static gboolean
on_timeout (gpointer data)
{
  Item *item = data;
  g_autoptr (GError) error = NULL;

  item->timer = 0;
  if (item->begun)
    error = g_error_new (REGIOND_ERROR, REGIOND_ERROR_FAILED,
                         "The descriptor that was shown cannot be looked at: its file system has not answered for %u ms",
                         item->proofs->timeout);
  else
    error = g_error_new (REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                         "The descriptor that was shown could not be looked at within %u ms: others that user %u has "
                         "shown are still being closed, since their file systems do not answer; end those",
                         item->proofs->timeout, item->uid);
  tell (item, error);
  return G_SOURCE_REMOVE;
}

static Item *
item_new (RegiondProofs *self,
          guint32        uid,
          int            fd)
{
  Item *item = g_new0 (Item, 1);

  item->proofs = g_rc_box_acquire (self);
  item->uid = uid;
  item->proof.fd = fd;
  return item;
}

/* Of a pidfd and a memfd no file system is asked, and others' that hang need not keep them open. */
static void
close_later (RegiondProofs *self,
             guint32        uid,
             int            fd)
{
  Item *item;

  if (regiond_bond_is_pidfd (fd))
    {
      close (fd);
      return;
    }
  if (fcntl (fd, F_GET_SEALS) >= 0)
    {
      g_thread_pool_push (self->memory, GINT_TO_POINTER (fd + 1), NULL);
      return;
    }

  item = item_new (self, uid, fd);
  item->looked = TRUE;
  regiond_queue_push (self->queue, uid, item);
  serve (self);
}

int
regiond_proofs_take (RegiondProofs *self,
                     guint32        uid,
                     GUnixFDList   *fds,
                     gint32         index)
{
  int n = 0;
  g_autofree int *list = g_unix_fd_list_steal_fds (fds, &n);

  for (int i = 0; i < n; i++)
    {
      if (i != index)
        close_later (self, uid, list[i]);
    }
  return index >= 0 && index < n ? list[index] : -1;
}

void
regiond_proofs_judge (RegiondProofs   *self,
                      guint32          uid,
                      int              fd,
                      RegiondProofFunc func,
                      gpointer         data)
{
  g_autoptr (GError) error = NULL;
  Item *item;

  if (regiond_queue_count (self->queue, uid) >= MOST_EACH)
    {
      error = g_error_new (REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                           "%u descriptors that user %u has shown are still being looked at or closed; wait for some "
                           "of them, and end the file systems that do not answer", MOST_EACH, uid);
      close_later (self, uid, fd);
      func (NULL, error, data);
      return;
    }

  item = item_new (self, uid, fd);
  item->proof.access = REGIOND_ACCESS_READ | ((fcntl (fd, F_GETFL) & O_ACCMODE) == O_RDWR ? REGIOND_ACCESS_WRITE : 0);
  item->func = func;
  item->data = data;
  item->timer = g_timeout_add (self->timeout, on_timeout, item);
  g_hash_table_add (self->heard, item);
  regiond_queue_push (self->queue, uid, item);
  serve (self);
}
