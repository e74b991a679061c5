/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watch.h"

#include "error.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

struct _RegiondWatch {
  int         fd;
  GSource    *source;
  GMutex      lock;
  GHashTable *listeners; /* id -> Listener */
  GHashTable *sharers;   /* inotify's watch descriptor -> GArray of the ids of who watches that file */
  int         last_id;
};

#define FOLDER_EVENTS (IN_CREATE | IN_DELETE | IN_MOVE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF)

/* What could not be asked is asked again. */
#define AGAIN_MS 500

typedef struct {
  int              descriptor; /* inotify's: one for all who watch a file */
  guint32          mask; /* of the events that it wants */
  RegiondWatchFunc func;
  gpointer         data;
} Listener;

static void
wake (RegiondWatch *self,
      int           id,
      guint32       mask)
{
  Listener listener = { 0 };
  Listener *found;

  g_mutex_lock (&self->lock);
  found = g_hash_table_lookup (self->listeners, GINT_TO_POINTER (id));
  if (found != NULL && found->mask & mask)
    listener = *found;
  g_mutex_unlock (&self->lock);

  /* Whoever was woken before may have removed it. */
  if (listener.func != NULL)
    listener.func (listener.data);
}

/* Under the lock; the ids of all who share it. */
static GArray *
list_sharers (RegiondWatch *self,
              int           descriptor)
{
  GArray *sharers = g_hash_table_lookup (self->sharers, GINT_TO_POINTER (descriptor));

  return sharers != NULL ? g_array_copy (sharers) : g_array_new (FALSE, FALSE, sizeof (int));
}

/* An event may still be queued for a watch that has been removed. */
static void
wake_sharers (RegiondWatch *self,
              int           descriptor,
              guint32       mask)
{
  g_autoptr (GArray) ids = NULL;

  g_mutex_lock (&self->lock);
  ids = list_sharers (self, descriptor);
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < ids->len; i++)
    wake (self, g_array_index (ids, int, i), mask);
}

/* Those that the kernel still has: a watch goes with its file system. */
static GHashTable *
list_watches (RegiondWatch *self)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", self->fd);
  g_autofree char *text = NULL;
  GHashTable *ids;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;

  ids = g_hash_table_new (NULL, NULL);
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    {
      if (g_str_has_prefix (*line, "inotify wd:"))
        g_hash_table_add (ids, GINT_TO_POINTER ((int) strtol (*line + strlen ("inotify wd:"), NULL, 16)));
    }
  return ids;
}

static void wake_all (RegiondWatch *self);

static gboolean
on_second_try (gpointer data)
{
  wake_all (data);
  return G_SOURCE_REMOVE;
}

/* Events have been lost: everybody has to look, and what a lost event would
 * have proved has to be proved anew. Those that the kernel has are asked for
 * after ours, or a watch that has just been added would seem to have gone. */
static void
wake_all (RegiondWatch *self)
{
  g_autoptr (GList) descriptors = NULL;
  g_autoptr (GHashTable) left = NULL;

  g_mutex_lock (&self->lock);
  descriptors = g_hash_table_get_keys (self->sharers);
  g_mutex_unlock (&self->lock);
  left = list_watches (self);

  for (GList *l = descriptors; l != NULL; l = l->next)
    {
      gboolean unmounted = left != NULL && !g_hash_table_contains (left, l->data);

      wake_sharers (self, GPOINTER_TO_INT (l->data), IN_CLOSE | (unmounted ? IN_UNMOUNT : 0));
    }

  /* For want of an fd, say. */
  if (left == NULL)
    g_timeout_add_full (G_PRIORITY_DEFAULT, AGAIN_MS, on_second_try, regiond_watch_ref (self),
                        (GDestroyNotify) regiond_watch_unref);
}

static gboolean
on_readable (int          fd,
             GIOCondition condition,
             gpointer     data)
{
  /* Whoever is woken may be the last to have it. */
  g_autoptr (RegiondWatch) self = regiond_watch_ref (data);
  char buffer[4096] __attribute__ ((aligned (__alignof__ (struct inotify_event))));
  gssize length = read (fd, buffer, sizeof buffer);

  for (gssize at = 0; at < length;)
    {
      const struct inotify_event *event = (const struct inotify_event *) (buffer + at);

      if (event->mask & IN_Q_OVERFLOW)
        wake_all (self);
      else
        wake_sharers (self, event->wd, event->mask);

      at += sizeof *event + event->len;
    }

  return G_SOURCE_CONTINUE;
}

RegiondWatch *
regiond_watch_new (GError **error)
{
  int fd = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  RegiondWatch *self;

  if (fd < 0)
    {
      regiond_error_set_errno (error, errno, "Cannot watch files (inotify; fs.inotify.max_user_instances)");
      return NULL;
    }

  self = g_atomic_rc_box_new0 (RegiondWatch);
  self->fd = fd;
  g_mutex_init (&self->lock);
  self->listeners = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->sharers = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_array_unref);
  self->source = g_unix_fd_source_new (fd, G_IO_IN);
  g_source_set_callback (self->source, G_SOURCE_FUNC (on_readable), self, NULL);
  g_source_attach (self->source, NULL);
  return self;
}

RegiondWatch *
regiond_watch_ref (RegiondWatch *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondWatch *self)
{
  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_hash_table_unref (self->sharers);
  g_hash_table_unref (self->listeners);
  close (self->fd);
  g_mutex_clear (&self->lock);
}

void
regiond_watch_unref (RegiondWatch *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

/* Under the lock. */
static void
share (RegiondWatch *self,
       int           descriptor,
       int           id)
{
  GArray *sharers = g_hash_table_lookup (self->sharers, GINT_TO_POINTER (descriptor));

  if (sharers == NULL)
    {
      sharers = g_array_new (FALSE, FALSE, sizeof (int));
      g_hash_table_insert (self->sharers, GINT_TO_POINTER (descriptor), sharers);
    }
  g_array_append_val (sharers, id);
}

/* Under the lock. The last one takes the watch with it. */
static void
leave (RegiondWatch *self,
         int           descriptor,
         int           id)
{
  GArray *sharers = g_hash_table_lookup (self->sharers, GINT_TO_POINTER (descriptor));

  for (guint i = 0; i < sharers->len; i++)
    {
      if (g_array_index (sharers, int, i) == id)
        {
          g_array_remove_index_fast (sharers, i);
          break;
        }
    }
  if (sharers->len > 0)
    return;

  inotify_rm_watch (self->fd, descriptor);
  g_hash_table_remove (self->sharers, GINT_TO_POINTER (descriptor));
}

static int
add (RegiondWatch    *self,
     int              fd,
     guint32          ask,
     guint32          mask,
     RegiondWatchFunc func,
     gpointer         data,
     GError         **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  int descriptor = inotify_add_watch (self->fd, path, ask | IN_MASK_ADD);
  Listener *listener;

  if (descriptor < 0)
    {
      int errsv = errno;

      regiond_error_set_errno (error, errsv, "Cannot watch a file (inotify; fs.inotify.max_user_watches)");
      return -1;
    }

  listener = g_new (Listener, 1);
  *listener = (Listener){ descriptor, mask, func, data };
  self->last_id = self->last_id < G_MAXINT ? self->last_id + 1 : 1;
  g_hash_table_insert (self->listeners, GINT_TO_POINTER (self->last_id), listener);
  share (self, descriptor, self->last_id);
  return self->last_id;
}

int
regiond_watch_add (RegiondWatch    *self,
                   int              fd,
                   RegiondWatchFunc func,
                   gpointer         data,
                   GError         **error)
{
  return add (self, fd, IN_CLOSE, IN_CLOSE, func, data, error);
}

/* The unmount is told unasked; but something has to be asked for. */
int
regiond_watch_add_unmount (RegiondWatch    *self,
                           int              fd,
                           RegiondWatchFunc func,
                           gpointer         data,
                           GError         **error)
{
  return add (self, fd, IN_DELETE_SELF, IN_UNMOUNT, func, data, error);
}

int
regiond_watch_add_folder (RegiondWatch    *self,
                          int              fd,
                          RegiondWatchFunc func,
                          gpointer         data,
                          GError         **error)
{
  return add (self, fd, FOLDER_EVENTS, FOLDER_EVENTS, func, data, error);
}

void
regiond_watch_remove (RegiondWatch *self,
                      int           id)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  Listener *listener = g_hash_table_lookup (self->listeners, GINT_TO_POINTER (id));

  if (listener == NULL)
    return;

  leave (self, listener->descriptor, id);
  g_hash_table_remove (self->listeners, GINT_TO_POINTER (id));
}
