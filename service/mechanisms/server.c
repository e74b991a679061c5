/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/server.h"

#include "error.h"
#include "mechanisms/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A thread that has not had the lead for so long is one too many. */
#define SPARE_FOR_US (10 * G_USEC_PER_SEC)

#define EVENTS_MOST 16

struct _RegiondServer {
  RegiondServeFunc serve;
  GError          *unavailable;
  int              epoll;
  int              wake; /* an eventfd: the threads are to end */
  int              null; /* /dev/null; there must be one when there are no more fds */
  GMutex           lock; /* guards what follows */
  GCond            free; /* the lead is */
  gboolean         led;
  guint            threads;
  guint            spare;
  gboolean         stopped;
  guint64          last;
  GHashTable      *clients; /* number -> GObject */
};

static gboolean
prepare (RegiondServer *self)
{
  struct epoll_event event = { .events = EPOLLIN };

  self->epoll = epoll_create1 (EPOLL_CLOEXEC);
  self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  return self->epoll >= 0 && self->wake >= 0 && self->null >= 0 &&
         epoll_ctl (self->epoll, EPOLL_CTL_ADD, self->wake, &event) == 0;
}

/* What the library has to say is for those who look for a fault. */
static void G_GNUC_PRINTF (2, 0)
on_library_log (enum fuse_log_level level,
                const char         *format,
                va_list             arguments)
{
  g_autofree char *text = g_strdup_vprintf (format, arguments);

  g_debug ("%s", g_strchomp (text));
}

RegiondServer *
regiond_server_new (RegiondServeFunc serve)
{
  RegiondServer *self = g_atomic_rc_box_new0 (RegiondServer);

  fuse_set_log_func (on_library_log);
  self->serve = serve;
  g_mutex_init (&self->lock);
  g_cond_init (&self->free);
  self->clients = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_object_unref);

  if (!prepare (self))
    regiond_error_set_errno (&self->unavailable, errno, "Cannot wait for requests");
  else
    regiond_mount_probe (&self->unavailable);
  return self;
}

RegiondServer *
regiond_server_ref (RegiondServer *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
close_if_open (int fd)
{
  if (fd >= 0)
    close (fd);
}

static void
clear (RegiondServer *self)
{
  g_clear_error (&self->unavailable);
  g_hash_table_unref (self->clients);
  close_if_open (self->epoll);
  close_if_open (self->wake);
  close_if_open (self->null);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->free);
}

void
regiond_server_unref (RegiondServer *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

void
regiond_server_stop (RegiondServer *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->stopped = TRUE;
  eventfd_write (self->wake, 1);
  g_cond_broadcast (&self->free);
}

gboolean
regiond_server_is_available (RegiondServer *self,
                             GError       **error)
{
  if (self->unavailable == NULL)
    return TRUE;

  if (error != NULL)
    *error = g_error_copy (self->unavailable);
  return FALSE;
}

/* Waits for the lead; FALSE when the thread is not needed. */
static gboolean
take_lead (RegiondServerThread *thread)
{
  RegiondServer *self = thread->server;
  gint64 until = g_get_monotonic_time () + SPARE_FOR_US;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gboolean patient = TRUE;

  self->spare++;
  while (self->led && !self->stopped && patient)
    patient = g_cond_wait_until (&self->free, &self->lock, until);
  self->spare--;

  thread->leads = !self->led && !self->stopped;
  if (thread->leads)
    self->led = TRUE;
  else
    self->threads--;
  return thread->leads;
}

static void
give_up_lead (RegiondServerThread *thread)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&thread->server->lock);

  thread->server->led = FALSE;
  thread->leads = FALSE;
}

static void
serve (RegiondServerThread *thread,
       guint64              number)
{
  RegiondServer *self = thread->server;
  g_autoptr (GObject) client = NULL;

  g_mutex_lock (&self->lock);
  client = g_hash_table_lookup (self->clients, &number);
  if (client != NULL)
    g_object_ref (client);
  g_mutex_unlock (&self->lock);

  /* Cut, since the event was taken. */
  if (client != NULL)
    self->serve (client, thread);
}

/* Until the lead is handed over. What has not been looked at of the events is
 * reported to the next one. */
static void
lead (RegiondServerThread *thread)
{
  struct epoll_event events[EVENTS_MOST];

  while (thread->leads)
    {
      int n = epoll_wait (thread->server->epoll, events, EVENTS_MOST, -1);

      for (int i = 0; i < n && thread->leads; i++)
        {
          if (events[i].data.u64 == 0)
            give_up_lead (thread);
          else
            serve (thread, events[i].data.u64);
        }
    }
}

static gpointer
run (gpointer data)
{
  RegiondServerThread thread = { .server = data, .scratch = g_malloc (REGIOND_SERVER_SCRATCH) };

  while (take_lead (&thread))
    lead (&thread);

  free (thread.request.mem);
  g_free (thread.scratch);
  regiond_server_unref (thread.server);
  return NULL;
}

/* With the lock. */
static gboolean
start_thread (RegiondServer *self,
              GError       **error)
{
  GThread *thread = g_thread_try_new ("proxy", run, regiond_server_ref (self), error);

  if (thread == NULL)
    {
      regiond_server_unref (self);
      return FALSE;
    }

  self->threads++;
  g_thread_unref (thread);
  return TRUE;
}

gboolean
regiond_server_add (RegiondServer *self,
                    int            connection,
                    GObject       *client,
                    guint64       *number,
                    GError       **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  struct epoll_event event = { .events = EPOLLIN, .data.u64 = ++self->last };
  g_autoptr (GError) why = NULL;

  if (self->threads == 0 && !start_thread (self, &why))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "Cannot start a thread: %s", why->message);
      return FALSE;
    }
  if (epoll_ctl (self->epoll, EPOLL_CTL_ADD, connection, &event) < 0)
    {
      regiond_error_set_errno (error, errno, "Cannot wait for requests");
      return FALSE;
    }

  *number = self->last;
  g_hash_table_insert (self->clients, g_memdup2 (number, sizeof *number), g_object_ref (client));
  return TRUE;
}

gboolean
regiond_server_cut (RegiondServer *self,
                    guint64        number,
                    int            connection)
{
  gpointer key = NULL;
  g_autoptr (GObject) client = NULL;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (!g_hash_table_steal_extended (self->clients, &number, &key, (gpointer *) &client))
    return FALSE;

  /* The number is taken, so there is nothing that it could want for. */
  epoll_ctl (self->epoll, EPOLL_CTL_DEL, connection, NULL);
  if (TEMP_FAILURE_RETRY (dup3 (self->null, connection, O_CLOEXEC)) < 0)
    g_error ("A connection cannot be closed: %s", g_strerror (errno));
  g_free (key);
  return TRUE;
}

gboolean
regiond_server_hand_over (RegiondServerThread *thread)
{
  RegiondServer *self = thread->server;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (self->spare == 0 && !start_thread (self, NULL))
    return FALSE;

  self->led = FALSE;
  thread->leads = FALSE;
  g_cond_signal (&self->free);
  return TRUE;
}
