/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/proxy.h"

#include "error.h"
#include "mechanisms/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nothing but the server changes attributes. */
#define ATTRIBUTES_S 3600.0

/* libfuse takes a thread-specific key for each session, of which the C library
 * has so many for a process. Others need some too, and GLib aborts without. */
#define SESSIONS_MOST (PTHREAD_KEYS_MAX - 128)

static int sessions;

/* One read or write on its way. */
typedef struct {
  fuse_req_t    request;
  guint64       unique; /* the kernel's number of the request */
  gboolean      is_write;
  guint64       offset; /* in the source */
  gsize         width;
  const guint8 *bytes; /* to write: in the thread's buffer, or the copy */
  guint8       *copy;
  gboolean      answered;
} Access;

struct _RegiondProxy {
  RegiondHold          parent_instance;
  RegiondServer       *server;
  RegiondWatch        *watch;
  struct fuse_session *session; /* has the connection's fd */
  guint64              number;  /* the server's */
  guint64              offset;
  guint64              length;
  RegiondAccess        access;
  guint32              uid;
  Access               taken; /* out of the request that is being read; without a request: none */

  GMutex         lock; /* guards what follows */
  RegiondSource *source; /* NULL when the file has ended and no access is under way */
  gboolean       handed; /* opened for its holder */
  guint          opens;
  gboolean       ended;
  guint          busy;     /* accesses under way or waiting */
  GQueue         accesses; /* those that may block, the first one under way */

  RegiondHoldFunc func; /* main thread only */
  gpointer        data;
  int             watch_id;
};

G_DEFINE_TYPE (RegiondProxy, regiond_proxy, REGIOND_TYPE_HOLD)

static void
access_free (Access *access)
{
  g_free (access->copy);
  g_free (access);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Access, access_free)

/* The end, and the news of it. */

static gboolean
on_main_thread (gpointer data)
{
  RegiondProxy *self = data;

  if (self->func != NULL)
    self->func (self->data);
  return G_SOURCE_REMOVE;
}

static void
stir (RegiondProxy *self)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, on_main_thread, g_object_ref (self), g_object_unref);
}

/* With the lock. The source may be the last that keeps much memory. */
static RegiondSource *
steal_idle_source (RegiondProxy *self)
{
  return self->ended && self->busy == 0 ? g_steal_pointer (&self->source) : NULL;
}

static void
end (RegiondProxy *self)
{
  g_autoptr (RegiondSource) source = NULL;

  g_mutex_lock (&self->lock);
  self->ended = TRUE;
  source = steal_idle_source (self);
  g_mutex_unlock (&self->lock);

  fuse_session_exit (self->session);
  if (regiond_server_cut (self->server, self->number, fuse_session_fd (self->session)))
    stir (self);
}

/* Requests. */

static void
on_init (void                  *data,
         struct fuse_conn_info *connection)
{
  /* No caching, no splicing, no mapping: each access arrives as it was made. */
  connection->want = 0;
  connection->max_readahead = 0;
}

/* Until the fd is made it is regiond's own file: opening it needs no
 * capability then. */
static void
describe (RegiondProxy *self,
          struct stat  *attributes,
          double       *valid)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  mode_t mode = (self->access & REGIOND_ACCESS_READ ? 0400 : 0) | (self->access & REGIOND_ACCESS_WRITE ? 0200 : 0);

  *attributes = (struct stat){
    .st_ino = FUSE_ROOT_ID,
    .st_mode = S_IFREG | mode,
    .st_nlink = 1,
    .st_uid = self->handed ? self->uid : geteuid (),
    .st_size = self->length,
    .st_blksize = sysconf (_SC_PAGESIZE),
    .st_blocks = (self->length + 511) / 512,
  };
  *valid = self->handed ? ATTRIBUTES_S : 0;
}

static void
on_getattr (fuse_req_t             request,
            fuse_ino_t             inode,
            struct fuse_file_info *file)
{
  struct stat attributes;
  double valid;

  describe (fuse_req_userdata (request), &attributes, &valid);
  fuse_reply_attr (request, &attributes, valid);
}

/* Size, mode, owner and times are the region's. */
static void
on_setattr (fuse_req_t             request,
            fuse_ino_t             inode,
            struct stat           *attributes,
            int                    what,
            struct fuse_file_info *file)
{
  fuse_reply_err (request, EPERM);
}

static gboolean
allows (RegiondProxy *self,
        int           flags)
{
  int mode = flags & O_ACCMODE;

  return (mode == O_WRONLY || self->access & REGIOND_ACCESS_READ) &&
         (mode == O_RDONLY || self->access & REGIOND_ACCESS_WRITE);
}

static void
release (RegiondProxy *self)
{
  gboolean last;

  g_mutex_lock (&self->lock);
  last = --self->opens == 0;
  g_mutex_unlock (&self->lock);

  if (last)
    end (self);
}

/* The kernel has looked at the mode; but root passes it by. */
static void
on_open (fuse_req_t             request,
         fuse_ino_t             inode,
         struct fuse_file_info *file)
{
  RegiondProxy *self = fuse_req_userdata (request);

  if (!allows (self, file->flags))
    {
      fuse_reply_err (request, EACCES);
      return;
    }

  g_mutex_lock (&self->lock);
  self->opens++;
  g_mutex_unlock (&self->lock);

  file->direct_io = 1;
  file->noflush = 1;
  if (fuse_reply_open (request, file) == -ENOENT)
    release (self);
}

static void
on_release (fuse_req_t             request,
            fuse_ino_t             inode,
            struct fuse_file_info *file)
{
  RegiondProxy *self = fuse_req_userdata (request);

  fuse_reply_err (request, 0);
  release (self);
}

/* To be performed when the library is done with the request. */
static void
take (RegiondProxy *self,
      fuse_req_t    request,
      off_t         offset,
      gsize         width,
      const char   *bytes)
{
  self->taken = (Access){
    .request = request,
    .is_write = bytes != NULL,
    .offset = self->offset + offset,
    .width = MIN (width, self->length - offset),
    .bytes = (const guint8 *) bytes,
  };
}

static void
on_read (fuse_req_t             request,
         fuse_ino_t             inode,
         size_t                 width,
         off_t                  offset,
         struct fuse_file_info *file)
{
  RegiondProxy *self = fuse_req_userdata (request);

  if ((guint64) offset >= self->length)
    fuse_reply_buf (request, NULL, 0);
  else
    take (self, request, offset, MIN (width, REGIOND_SERVER_SCRATCH), NULL);
}

static void
on_write (fuse_req_t             request,
          fuse_ino_t             inode,
          const char            *bytes,
          size_t                 width,
          off_t                  offset,
          struct fuse_file_info *file)
{
  RegiondProxy *self = fuse_req_userdata (request);

  if ((guint64) offset >= self->length)
    fuse_reply_err (request, ENOSPC);
  else
    take (self, request, offset, width, bytes);
}

/* Everything else gets ENOSYS from the library, of which the kernel makes what
 * each call's manual says: EOPNOTSUPP, ENOTTY, or nothing to be done. */
static const struct fuse_lowlevel_ops operations = {
  .init = on_init,
  .getattr = on_getattr,
  .setattr = on_setattr,
  .open = on_open,
  .release = on_release,
  .read = on_read,
  .write = on_write,
};

/* Accesses. */

/* Until it is finished, the source stays. NULL when the file has ended. */
static RegiondSource *
begin (RegiondProxy *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (self->ended)
    return NULL;

  self->busy++;
  return self->source;
}

static void
finish (RegiondProxy *self)
{
  g_autoptr (RegiondSource) source = NULL;
  gboolean late;

  g_mutex_lock (&self->lock);
  self->busy--;
  source = steal_idle_source (self);
  late = source != NULL;
  g_mutex_unlock (&self->lock);

  /* What has ended waited for this. */
  if (late)
    stir (self);
}

/* FALSE if somebody has answered, or does now. */
static gboolean
claim_answer (RegiondProxy *self,
              Access       *access)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gboolean mine = !access->answered;

  access->answered = TRUE;
  return mine;
}

/* Returns 0 or an errno; sets @bytes to what has been read. */
static int
perform (RegiondSource       *source,
         const Access        *access,
         RegiondServerThread *thread,
         const guint8       **bytes)
{
  if (access->is_write)
    return regiond_source_write (source, access->offset, access->width, access->bytes);

  *bytes = thread->scratch;
  return regiond_source_read (source, access->offset, access->width, thread->scratch, bytes);
}

/* Memory that cannot be read is EIO: the kernel makes it so. */
static void
answer (const Access *access,
        int           errsv,
        const guint8 *bytes)
{
  if (errsv != 0)
    fuse_reply_err (access->request, errsv);
  else if (access->is_write)
    fuse_reply_write (access->request, access->width);
  else
    fuse_reply_buf (access->request, (const char *) bytes, access->width);
}

static Access *
next_access (RegiondProxy *self,
             Access       *done)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (done != NULL)
    g_assert (g_queue_pop_head (&self->accesses) == done);
  return g_queue_peek_head (&self->accesses);
}

/* One after the other, so that a lease never has more than one thread. */
static void
perform_all (RegiondProxy        *self,
             RegiondSource       *source,
             RegiondServerThread *thread)
{
  Access *access = next_access (self, NULL);

  while (access != NULL)
    {
      Access *done = access;
      const guint8 *bytes;
      int errsv = perform (source, done, thread, &bytes);

      if (claim_answer (self, done))
        answer (done, errsv, bytes);
      access = next_access (self, done);
      access_free (done);
      finish (self);
    }
}

/* TRUE if it has to be performed now; else whoever is at it comes to it. */
static gboolean
enqueue (RegiondProxy *self,
         Access       *access)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gboolean first = g_queue_is_empty (&self->accesses);

  if (!first && access->is_write)
    {
      access->copy = g_memdup2 (access->bytes, access->width);
      access->bytes = access->copy;
    }
  g_queue_push_tail (&self->accesses, access);
  return first;
}

static void
start_slow (RegiondProxy        *self,
            RegiondSource       *source,
            const Access        *taken,
            RegiondServerThread *thread)
{
  Access *access = g_memdup2 (taken, sizeof *taken);

  if (!enqueue (self, access))
    return;

  if (regiond_server_hand_over (thread))
    {
      perform_all (self, source, thread);
      return;
    }

  next_access (self, access);
  answer (access, ENOMEM, NULL);
  access_free (access);
  finish (self);
}

static void
start (RegiondProxy        *self,
       const Access        *access,
       RegiondServerThread *thread)
{
  RegiondSource *source = begin (self);
  const guint8 *bytes;
  int errsv;

  if (source == NULL)
    answer (access, ENOTCONN, NULL);
  else if (regiond_source_is_quick (source))
    {
      errsv = perform (source, access, thread, &bytes);
      answer (access, errsv, bytes);
      finish (self);
    }
  else
    start_slow (self, source, access, thread);
}

/* Interrupted accesses. */

typedef struct {
  RegiondProxy *proxy;
  guint64       unique;
} Interruption;

static void
interruption_free (Interruption *self)
{
  g_object_unref (self->proxy);
  g_free (self);
}

static int
compare_unique (gconstpointer access,
                gconstpointer unique)
{
  return ((const Access *) access)->unique == *(const guint64 *) unique ? 0 : 1;
}

/* On the main thread, since it must come even when every other one waits. */
static gboolean
on_grace_over (gpointer data)
{
  Interruption *interruption = data;
  RegiondProxy *self = interruption->proxy;
  GList *found;

  g_mutex_lock (&self->lock);
  found = g_queue_find_custom (&self->accesses, &interruption->unique, compare_unique);
  if (found != NULL && !((Access *) found->data)->answered)
    {
      ((Access *) found->data)->answered = TRUE;
      fuse_reply_err (((Access *) found->data)->request, EINTR);
    }
  g_mutex_unlock (&self->lock);
  return G_SOURCE_REMOVE;
}

/* Takes an access that has not begun out of the queue. One that has, gets its
 * grace: often it is about to end, and a write that was told EINTR would be
 * made twice. */
static Access *
withdraw (RegiondProxy *self,
          guint64       unique)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  GList *found = g_queue_find_custom (&self->accesses, &unique, compare_unique);
  Interruption *interruption;
  Access *access;

  if (found == NULL)
    return NULL;
  if (found != self->accesses.head)
    {
      access = found->data;
      g_queue_delete_link (&self->accesses, found);
      return access;
    }

  interruption = g_new (Interruption, 1);
  *interruption = (Interruption){ g_object_ref (self), unique };
  g_timeout_add_full (G_PRIORITY_DEFAULT, REGIOND_PROXY_GRACE_MS, on_grace_over, interruption,
                      (GDestroyNotify) interruption_free);
  return NULL;
}

/* The library keeps interrupts of requests that it does not know any more, and
 * never frees the last ones: it gets none. */
static void
interrupt (RegiondProxy *self,
           guint64       unique)
{
  g_autoptr (Access) access = withdraw (self, unique);

  if (access != NULL)
    {
      fuse_reply_err (access->request, EINTR);
      finish (self);
    }
}

static void
serve (gpointer             client,
       RegiondServerThread *thread)
{
  RegiondProxy *self = client;
  int length = fuse_session_receive_buf (self->session, &thread->request);
  const struct fuse_in_header *header = thread->request.mem;

  if (length == 0)
    end (self);
  if (length <= 0)
    return;

  if (header->opcode == FUSE_INTERRUPT)
    {
      interrupt (self, ((const struct fuse_interrupt_in *) (header + 1))->unique);
      return;
    }

  fuse_session_process_buf (self->session, &thread->request);
  if (self->taken.request != NULL)
    {
      Access access = self->taken;

      self->taken.request = NULL;
      access.unique = header->unique;
      start (self, &access, thread);
    }
}

RegiondServer *
regiond_proxy_server_new (void)
{
  return regiond_server_new (serve);
}

/* The hold. */

static RegiondSource *
ref_source (RegiondHold *hold)
{
  RegiondProxy *self = REGIOND_PROXY (hold);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->source != NULL ? g_object_ref (self->source) : NULL;
}

static gboolean
is_gone (RegiondHold *hold)
{
  RegiondProxy *self = REGIOND_PROXY (hold);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->ended && self->busy == 0;
}

static gboolean
is_cut (RegiondHold *hold)
{
  RegiondProxy *self = REGIOND_PROXY (hold);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->ended;
}

static void
cut (RegiondHold *hold)
{
  end (REGIOND_PROXY (hold));
}

static gboolean
listen_to (RegiondHold    *hold,
           RegiondHoldFunc func,
           gpointer        data,
           GError        **error)
{
  RegiondProxy *self = REGIOND_PROXY (hold);

  self->func = func;
  self->data = data;

  /* It may have ended before. */
  if (func != NULL && is_cut (hold))
    stir (self);
  return TRUE;
}

static void
destroy_session (RegiondProxy *self)
{
  if (self->session == NULL)
    return;

  fuse_session_destroy (self->session);
  g_atomic_int_add (&sessions, -1);
}

static void
regiond_proxy_finalize (GObject *object)
{
  RegiondProxy *self = REGIOND_PROXY (object);

  g_assert (g_queue_is_empty (&self->accesses));
  destroy_session (self);
  g_clear_object (&self->source);
  regiond_server_unref (self->server);
  regiond_watch_unref (self->watch);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (regiond_proxy_parent_class)->finalize (object);
}

static void
regiond_proxy_class_init (RegiondProxyClass *klass)
{
  RegiondHoldClass *hold_class = REGIOND_HOLD_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = regiond_proxy_finalize;
  hold_class->ref_source = ref_source;
  hold_class->is_gone = is_gone;
  hold_class->is_cut = is_cut;
  hold_class->cut = cut;
  hold_class->listen = listen_to;
}

static void
regiond_proxy_init (RegiondProxy *self)
{
  g_mutex_init (&self->lock);
  g_queue_init (&self->accesses);
}

/* Making one. */

/* The session takes the connection. */
static gboolean
make_session (RegiondProxy *self,
              int           connection,
              GError      **error)
{
  char *arguments[] = { (char *) "regiond" };
  struct fuse_args args = FUSE_ARGS_INIT (G_N_ELEMENTS (arguments), arguments);
  g_autofree char *place = g_strdup_printf ("/dev/fd/%d", connection);

  if (g_atomic_int_add (&sessions, 1) < SESSIONS_MOST)
    self->session = fuse_session_new (&args, &operations, sizeof operations, self);
  fuse_opt_free_args (&args);
  if (self->session == NULL)
    {
      g_atomic_int_add (&sessions, -1);
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                   "There are as many proxied leases as one process can serve (%d); wait until some end, "
                   "or ask for 'rm' or 'rwm' where the region has it", SESSIONS_MOST);
      return FALSE;
    }

  /* A connection that is there already, in place of a mount point; it can only
   * fail for one that is not open. */
  g_assert (fuse_session_mount (self->session, place) == 0);
  return TRUE;
}

static int
open_file (RegiondProxy *self,
           int           mount,
           GError      **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", mount);
  gboolean reads = self->access & REGIOND_ACCESS_READ, writes = self->access & REGIOND_ACCESS_WRITE;
  int fd = open (path, (reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY) | O_CLOEXEC);

  if (fd < 0)
    regiond_error_set_errno (error, errno, "Cannot open the proxied file");
  return fd;
}

/* The file exists no more, in any process: all that had been open is closed. */
static void
on_unmounted (gpointer data)
{
  RegiondProxy *self = data;

  end (self);
  regiond_watch_remove (self->watch, self->watch_id);
  g_object_unref (self);
}

/* The proxy is kept for as long as anybody has the file open, cut or not. */
static gboolean
watch_file (RegiondProxy *self,
            int           fd,
            GError      **error)
{
  self->watch_id = regiond_watch_add_unmount (self->watch, fd, on_unmounted, self, error);
  if (self->watch_id < 0)
    return FALSE;

  g_object_ref (self);
  return TRUE;
}

static void
hand_out (RegiondProxy *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->handed = TRUE;
}

static RegiondProxy *
proxy_new (RegiondServer           *server,
           RegiondWatch            *watch,
           const RegiondProxyTerms *terms)
{
  RegiondProxy *self = g_object_new (REGIOND_TYPE_PROXY, NULL);

  self->server = regiond_server_ref (server);
  self->watch = regiond_watch_ref (watch);
  self->source = g_object_ref (terms->source);
  self->offset = terms->offset;
  self->length = terms->length;
  self->access = terms->access;
  self->uid = terms->uid;
  return self;
}

/* Its mount, which goes with the last fd of the file. */
static int
make_mount (RegiondProxy *self,
            GError      **error)
{
  int connection = regiond_mount_connect (error);
  int mount;

  if (connection < 0)
    return -1;

  mount = regiond_mount_file (connection, error);
  if (mount >= 0 && make_session (self, connection, error))
    return mount;

  close (connection);
  if (mount >= 0)
    close (mount);
  return -1;
}

static int
serve_file (RegiondProxy *self,
            int           mount,
            GError      **error)
{
  int fd;

  self->number = regiond_server_add (self->server, fuse_session_fd (self->session), G_OBJECT (self), error);
  if (self->number == 0)
    return -1;

  fd = open_file (self, mount, error);
  if (fd >= 0 && watch_file (self, fd, error))
    return fd;

  end (self);
  if (fd >= 0)
    close (fd);
  return -1;
}

RegiondHold *
regiond_proxy_open (RegiondServer           *server,
                    RegiondWatch            *watch,
                    const RegiondProxyTerms *terms,
                    int                     *fd,
                    GError                 **error)
{
  g_autoptr (RegiondProxy) self = proxy_new (server, watch, terms);
  int mount = make_mount (self, error);

  if (mount < 0)
    return NULL;

  *fd = serve_file (self, mount, error);
  close (mount);
  if (*fd < 0)
    return NULL;

  hand_out (self);
  return REGIOND_HOLD (g_steal_pointer (&self));
}
