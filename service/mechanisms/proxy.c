/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/proxy.h"

#include "error.h"
#include "mechanisms/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Nothing but the server changes attributes. */
#define ATTRIBUTES_S 3600.0

#ifndef FOPEN_PARALLEL_DIRECT_WRITES
#define FOPEN_PARALLEL_DIRECT_WRITES (1 << 6)
#endif

/* libfuse takes a thread-specific key for each session, of which the C library
 * has so many for a process. Others need some too, and GLib aborts without. */
#define SESSIONS_MOST (PTHREAD_KEYS_MAX - 128)

static int sessions;

/* How many mounts are closed beside each other, and how many may wait. */
#define CLOSING_AT_ONCE 4
#define CLOSING_LATER 64

struct _RegiondProxy {
  RegiondHold          parent_instance;
  RegiondServer       *server;
  RegiondWatch        *watch;
  guint64              number;  /* the server's */
  guint64              offset;
  guint64              length;
  RegiondAccess        access;
  guint32              uid;
  dev_t                device; /* the file system's */
  RegiondTransfers    *transfers;
  RegiondTransfer      taken; /* out of the request that is being read; without a request: none */

  GMutex               lock;    /* guards what follows */
  struct fuse_session *session; /* has the connection's fd; NULL once it has ended */
  guint                users;   /* of the session, just now */
  gboolean             ended;
  gboolean             handed; /* opened for its holder */
  guint                opens;

  RegiondHoldFunc func; /* main thread only */
  gpointer        data;
  int             watch_id;
};

G_DEFINE_TYPE (RegiondProxy, regiond_proxy, REGIOND_TYPE_HOLD)

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
stir (gpointer data)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, on_main_thread, g_object_ref (data), g_object_unref);
}

static void
destroy_session (struct fuse_session *session)
{
  if (session == NULL)
    return;

  fuse_session_destroy (session);
  g_atomic_int_add (&sessions, -1);
}

/* NULL once it has ended and been destroyed; otherwise it stays until it is let
 * go. */
static struct fuse_session *
use_session (RegiondProxy *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (self->session != NULL)
    self->users++;
  return self->session;
}

/* There are few sessions in all: one that has ended is destroyed at once, not
 * when the last copy of a dead file is closed. */
static void
let_go_session (RegiondProxy *self)
{
  struct fuse_session *spent = NULL;

  g_mutex_lock (&self->lock);
  if (--self->users == 0 && self->ended)
    spent = g_steal_pointer (&self->session);
  g_mutex_unlock (&self->lock);

  destroy_session (spent);
}

static void
mark_ended (RegiondProxy *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->ended = TRUE;
}

static void
end (RegiondProxy *self)
{
  struct fuse_session *session = use_session (self);

  if (session != NULL)
    {
      mark_ended (self);
      fuse_session_exit (session);
      regiond_server_cut (self->server, self->number, fuse_session_fd (session));
      let_go_session (self);
    }
  regiond_transfers_end (self->transfers);
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

/* Until the fd is made it is regiond's own file: opening it, and watching it,
 * for which inotify wants to be allowed to read, need no capability then. */
static void
describe (RegiondProxy *self,
          struct stat  *attributes,
          double       *valid)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  mode_t mode = (self->access & REGIOND_ACCESS_READ ? 0400 : 0) | (self->access & REGIOND_ACCESS_WRITE ? 0200 : 0);

  *attributes = (struct stat){
    .st_ino = FUSE_ROOT_ID,
    .st_mode = S_IFREG | (self->handed ? mode : 0600),
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

/* The library's own answer has no word for parallel writes. Without that the
 * kernel makes them wait for one another where nobody can be killed; one that does
 * not know it, before Linux 6.2 as a rule, is none the wiser. */
static int
reply_open (fuse_req_t request)
{
  const struct fuse_open_out answer = {
    .open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES,
  };

  return fuse_reply_buf (request, (const char *) &answer, sizeof answer);
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

  if (reply_open (request) == -ENOENT)
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
  self->taken = (RegiondTransfer){
    .request = request,
    .is_write = bytes != NULL,
    .offset = self->offset + offset,
    .width = MIN (width, self->length - offset),
    .bytes = (const guint8 *) bytes,
  };
}

/* What fills the page cache has no owner: a private mapping, splice(2),
 * sendfile(2). It would be read in pages, not in the width that was asked for,
 * and the pages would be there after the cut. */
static void
on_read (fuse_req_t             request,
         fuse_ino_t             inode,
         size_t                 width,
         off_t                  offset,
         struct fuse_file_info *file)
{
  RegiondProxy *self = fuse_req_userdata (request);

  if (file->lock_owner == 0)
    fuse_reply_err (request, EINVAL);
  else if ((guint64) offset >= self->length)
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

static void
serve_request (RegiondProxy        *self,
               struct fuse_session *session,
               RegiondServerThread *thread)
{
  int length = fuse_session_receive_buf (session, &thread->request);
  const struct fuse_in_header *header = thread->request.mem;
  RegiondTransfer transfer;

  if (length == 0)
    end (self);
  if (length <= 0)
    return;

  /* The library keeps interrupts of requests that it does not know any more,
   * and never frees the last ones: it gets none. */
  if (header->opcode == FUSE_INTERRUPT)
    {
      regiond_transfers_interrupt (self->transfers, ((const struct fuse_interrupt_in *) (header + 1))->unique);
      return;
    }

  fuse_session_process_buf (session, &thread->request);
  if (self->taken.request == NULL)
    return;

  transfer = self->taken;
  self->taken.request = NULL;
  transfer.unique = header->unique;
  regiond_transfers_start (self->transfers, &transfer, thread);
}

static void
serve (gpointer             client,
       RegiondServerThread *thread)
{
  RegiondProxy *self = client;
  struct fuse_session *session = use_session (self);

  if (session == NULL)
    return;

  serve_request (self, session, thread);
  let_go_session (self);
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
  return regiond_transfers_ref_source (REGIOND_PROXY (hold)->transfers);
}

static gboolean
is_gone (RegiondHold *hold)
{
  return regiond_transfers_are_over (REGIOND_PROXY (hold)->transfers);
}

/* Its holder reaches nothing from the moment of the end; the device, though, is still
 * reached by the access under way that the end came too late for. */
static gboolean
is_cut (RegiondHold *hold)
{
  return regiond_transfers_are_over (REGIOND_PROXY (hold)->transfers);
}

static gboolean
is_cutting (RegiondHold *hold)
{
  return regiond_transfers_have_ended (REGIOND_PROXY (hold)->transfers) && !is_cut (hold);
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
  if (func != NULL && is_gone (hold))
    stir (self);
  return TRUE;
}

/* Whether the kernel has not dropped the file system yet. From the end on the fd is no connection's. */
static gboolean
is_connected (RegiondProxy *self)
{
  struct fuse_session *session = use_session (self);
  struct pollfd state = { 0 };
  gboolean ended;

  if (session == NULL)
    return FALSE;

  state.fd = fuse_session_fd (session);
  poll (&state, 1, 0);
  g_mutex_lock (&self->lock);
  ended = self->ended;
  g_mutex_unlock (&self->lock);
  let_go_session (self);
  return !ended && (state.revents & POLLERR) == 0;
}

/* It is the only file of a file system that has a number of its own for as long as it is
 * there: so if it still is, the number was not another one's before. */
static gboolean
is_shown (RegiondHold        *hold,
          const RegiondProof *proof)
{
  RegiondProxy *self = REGIOND_PROXY (hold);

  return self->device != 0 && proof->device == self->device && is_connected (self);
}

static void
regiond_proxy_finalize (GObject *object)
{
  RegiondProxy *self = REGIOND_PROXY (object);

  destroy_session (self->session);
  regiond_transfers_unref (self->transfers);
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
  hold_class->is_cutting = is_cutting;
  hold_class->cut = cut;
  hold_class->listen = listen_to;
  hold_class->is_shown = is_shown;
}

static void
regiond_proxy_init (RegiondProxy *self)
{
  g_mutex_init (&self->lock);
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
  int mounted;

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
  mounted = fuse_session_mount (self->session, place);
  g_assert (mounted == 0);
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
  self->transfers = regiond_transfers_new (terms->source, stir, self);
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

/* 0: it is not known, and is no file system's. Asks the server nothing. */
static dev_t
find_device (int fd)
{
  struct statx known;

  if (statx (fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &known) < 0)
    return 0;
  return makedev (known.stx_dev_major, known.stx_dev_minor);
}

static int
serve_file (RegiondProxy *self,
            int           mount,
            GError      **error)
{
  int fd;

  if (!regiond_server_add (self->server, fuse_session_fd (self->session), G_OBJECT (self), &self->number, error))
    return -1;

  fd = open_file (self, mount, error);
  self->device = fd >= 0 ? find_device (fd) : 0;
  if (fd >= 0 && watch_file (self, fd, error))
    return fd;

  end (self);
  if (fd >= 0)
    close (fd);
  return -1;
}

static void
close_pooled (gpointer data,
              gpointer user_data)
{
  close (GPOINTER_TO_INT (data));
}

/* The mount is not needed any more once the file is open. To dissolve it the
 * kernel waits for an RCU grace period: some tens of microseconds where nothing
 * goes on, some tens of milliseconds where much does. Nobody has to wait for
 * that, unless so many wait that fds might become scarce. */
static void
close_mount (int mount)
{
  static GThreadPool *pool = NULL;
  static gsize once = 0;

  if (g_once_init_enter (&once))
    {
      pool = g_thread_pool_new (close_pooled, NULL, CLOSING_AT_ONCE, FALSE, NULL);
      g_once_init_leave (&once, 1);
    }

  if (g_thread_pool_unprocessed (pool) < CLOSING_LATER)
    g_thread_pool_push (pool, GINT_TO_POINTER (mount), NULL);
  else
    close (mount);
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
  close_mount (mount);
  if (*fd < 0)
    return NULL;

  hand_out (self);
  return REGIOND_HOLD (g_steal_pointer (&self));
}
