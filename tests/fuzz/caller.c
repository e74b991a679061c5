/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caller.h"

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHANNEL 3
#define FILE_FD 4
#define PAGE 4096

/* The process. */

typedef struct {
  int     fds[CALLER_SLOTS];
  guint8 *buffer;
} Process;

static gint64
splice_out (Process    *self,
            const Call *call,
            gboolean    by_sendfile)
{
  int fd = self->fds[call->slot], ends[2];
  off_t offset = call->offset;
  gint64 n, got;
  int errsv;

  if (pipe2 (ends, O_NONBLOCK) < 0)
    return -1;

  if (by_sendfile)
    n = sendfile (ends[1], fd, &offset, call->width);
  else
    n = splice (fd, &offset, ends[1], NULL, call->width, 0);
  errsv = errno;
  got = n > 0 ? read (ends[0], self->buffer, n) : n;
  close (ends[0]);
  close (ends[1]);
  errno = errsv;
  return got;
}

static gint64
splice_in (Process    *self,
           const Call *call)
{
  int ends[2];
  off_t offset = call->offset;
  gint64 n;
  int errsv;

  if (pipe2 (ends, O_NONBLOCK) < 0)
    return -1;

  n = write (ends[1], self->buffer, call->width);
  n = splice (ends[0], NULL, self->fds[call->slot], &offset, n, 0);
  errsv = errno;
  close (ends[0]);
  close (ends[1]);
  errno = errsv;
  return n;
}

/* Through the kernel: what is not there is no signal then. */
static gint64
map (Process    *self,
     const Call *call,
     int         flags)
{
  gsize width = MIN (call->width, 3 * PAGE);
  guint8 *memory = mmap (NULL, MAX (width, 1), PROT_READ, flags, self->fds[call->slot], call->offset);
  struct iovec from = { memory, width }, to = { self->buffer, width };
  gint64 n;
  int errsv;

  if (memory == MAP_FAILED)
    return -1;

  n = process_vm_readv (getpid (), &to, 1, &from, 1, 0);
  errsv = errno;
  munmap (memory, MAX (width, 1));
  errno = errsv;
  return n;
}

/* With the same arithmetic as open(2) has, and no malloc. */
static int
reopen (Process    *self,
        const Call *call)
{
  char path[32];

  snprintf (path, sizeof path, "/proc/self/fd/%d", self->fds[call->slot]);
  return open (path, call->flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static gint64
put (Process    *self,
     const Call *call,
     int         fd)
{
  if (fd < 0)
    return -1;

  if (self->fds[call->other] >= 0)
    close (self->fds[call->other]);
  self->fds[call->other] = fd;
  return fcntl (fd, F_GETFL);
}

static gint64
close_slot (Process *self,
            guint    slot)
{
  int fd = self->fds[slot];

  self->fds[slot] = -1;
  return close (fd);
}

static gint64
do_fcntl (Process    *self,
          const Call *call)
{
  static const int commands[] = { F_GETFL, F_GETFD, F_GETOWN, F_GETSIG, F_GET_SEALS, F_GETPIPE_SZ, F_GETLEASE };
  struct flock lock = { .l_type = call->flags & 1 ? F_WRLCK : F_RDLCK, .l_start = call->offset, .l_len = call->width };
  int fd = self->fds[call->slot];

  switch (call->flags % 10)
    {
    case 7:
      return fcntl (fd, F_SETLK, &lock);
    case 8:
      return fcntl (fd, F_OFD_SETLK, &lock);
    case 9:
      return fcntl (fd, F_ADD_SEALS, call->flags >> 4);
    default:
      return fcntl (fd, commands[call->flags % 10]);
    }
}

static gint64
do_ioctl (Process    *self,
          const Call *call)
{
  static const unsigned long requests[] = {
    FIONREAD, FIGETBSZ, FIBMAP, FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR, FS_IOC_FIEMAP, FIOASYNC,
    FICLONE, FIDEDUPERANGE, FS_IOC_GETVERSION, BLKDISCARD, FITRIM, FIFREEZE, 0, 0x80085501,
  };

  return ioctl (self->fds[call->slot], requests[call->flags % G_N_ELEMENTS (requests)], self->buffer);
}

static gint64
change (Process    *self,
        const Call *call)
{
  int fd = self->fds[call->slot];

  switch (call->flags % 6)
    {
    case 0:
      return ftruncate (fd, call->offset);
    case 1:
      return fchmod (fd, call->width & 07777);
    case 2:
      return fchown (fd, CALLER_UID, -1);
    case 3:
      return futimens (fd, NULL);
    case 4:
      return fsetxattr (fd, "user.a", "b", 1, 0);
    default:
      return fremovexattr (fd, "user.a");
    }
}

static gint64
sync_file (Process    *self,
           const Call *call)
{
  int fd = self->fds[call->slot];

  switch (call->flags % 5)
    {
    case 0:
      return fsync (fd);
    case 1:
      return fdatasync (fd);
    case 2:
      return sync_file_range (fd, call->offset, call->width, SYNC_FILE_RANGE_WRITE);
    case 3:
      return readahead (fd, call->offset, call->width);
    default:
      return posix_fadvise (fd, call->offset, call->width, call->width % 6);
    }
}

static gint64
check_stat (Process    *self,
            const Call *call)
{
  struct stat facts;

  if (fstat (self->fds[call->slot], &facts) < 0)
    return -1;
  return S_ISREG (facts.st_mode) && facts.st_size == (off_t) call->width && facts.st_uid == CALLER_UID &&
                 (facts.st_mode & 07777) == call->flags
             ? 0
             : 1;
}

static gint64
transfer (Process    *self,
          const Call *call)
{
  int fd = self->fds[call->slot];
  gsize first = call->width / 3;
  struct iovec parts[] = { { self->buffer, first }, { self->buffer + first, call->width - first } };

  switch (call->kind)
    {
    case CALL_READ:
      return read (fd, self->buffer, call->width);
    case CALL_WRITE:
      return write (fd, self->buffer, call->width);
    case CALL_PREAD:
      return pread (fd, self->buffer, call->width, call->offset);
    case CALL_PWRITE:
      return pwrite (fd, self->buffer, call->width, call->offset);
    case CALL_PREADV:
      return preadv2 (fd, parts, 2, call->offset, call->flags);
    default:
      return pwritev2 (fd, parts, 2, call->offset, call->flags);
    }
}

static gint64
perform (Process    *self,
         const Call *call)
{
  loff_t from = call->offset, to = call->to;
  int fd = self->fds[call->slot];

  switch (call->kind)
    {
    case CALL_SEEK:
      return lseek (fd, call->offset, call->flags % 5);
    case CALL_MAP:
      return map (self, call, MAP_PRIVATE);
    case CALL_MAP_SHARED:
      return map (self, call, MAP_SHARED);
    case CALL_SPLICE:
      return splice_out (self, call, FALSE);
    case CALL_SENDFILE:
      return splice_out (self, call, TRUE);
    case CALL_UNSPLICE:
      return splice_in (self, call);
    case CALL_COPY:
      return copy_file_range (fd, &from, self->fds[call->other], &to, call->width, 0);
    case CALL_DUP:
      return put (self, call, fcntl (fd, F_DUPFD_CLOEXEC, FILE_FD));
    case CALL_REOPEN:
      return put (self, call, reopen (self, call));
    case CALL_CLOSE:
      return close_slot (self, call->slot);
    case CALL_FLAGS:
      return fcntl (fd, F_SETFL, call->flags);
    case CALL_FCNTL:
      return do_fcntl (self, call);
    case CALL_IOCTL:
      return do_ioctl (self, call);
    case CALL_ALLOCATE:
      return fallocate (fd, call->flags, call->offset, call->width);
    case CALL_CHANGE:
      return change (self, call);
    case CALL_SYNC:
      return sync_file (self, call);
    case CALL_STAT:
      return check_stat (self, call);
    case CALL_CLOSE_ALL:
      for (guint i = 0; i < CALLER_SLOTS; i++)
        close_slot (self, i);
      return 0;
    default:
      return transfer (self, call);
    }
}

static void
on_alarm (int signal)
{
}

static void
become_user (void)
{
  const struct sigaction action = { .sa_handler = on_alarm };

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  sigaction (SIGALRM, &action, NULL);
  signal (SIGIO, SIG_IGN);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);
  if (close_range (FILE_FD + 1, ~0U, 0) != 0 || setgroups (0, NULL) != 0 || setgid (CALLER_UID) != 0 ||
      setuid (CALLER_UID) != 0)
    _exit (99);
}

/* A signal may come when the call is over already. */
static gboolean
receive (Call *call)
{
  gssize n;

  do
    n = recv (CHANNEL, call, sizeof *call, 0);
  while (n < 0 && errno == EINTR);
  return n == sizeof *call;
}

static void G_GNUC_NORETURN
run (guint8 *buffer)
{
  Process self = { { FILE_FD, -1, -1, -1 }, buffer };
  Call call;
  Reply reply = { 0 };

  become_user ();
  send (CHANNEL, &reply, sizeof reply, 0);
  while (receive (&call))
    {
      reply = (Reply){ .had = fcntl (self.fds[call.slot], F_GETFL),
                       .position = lseek (self.fds[call.slot], 0, SEEK_CUR) };
      errno = 0;
      reply.result = perform (&self, &call);
      reply.error = errno;
      while (send (CHANNEL, &reply, sizeof reply, 0) < 0 && errno == EINTR)
        ;
    }
  _exit (0);
}

/* Its other side. */

void
caller_start (Caller *self,
              int     fd)
{
  int ends[2];
  Reply ready;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
  self->buffer = mmap (NULL, CALLER_BUFFER, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true (self->buffer != MAP_FAILED);
  self->channel = ends[0];
  self->pid = fork ();
  if (self->pid == 0)
    {
      /* Out of the way of the two first. */
      int channel = fcntl (ends[1], F_DUPFD, 64), file = fcntl (fd, F_DUPFD, 64);

      if (dup2 (channel, CHANNEL) != CHANNEL || dup2 (file, FILE_FD) != FILE_FD)
        _exit (99);
      run (self->buffer);
    }

  g_assert_cmpint (self->pid, >, 0);
  close (ends[1]);
  /* From then on a signal interrupts it; earlier, it would end it. */
  wait_until (caller_poll (self, &ready, 1));
}

void
caller_kill (Caller *self)
{
  kill (self->pid, SIGKILL);
  wait_until (waitpid (self->pid, NULL, WNOHANG) == self->pid);
  close (self->channel);
  munmap (self->buffer, CALLER_BUFFER);
}

void
caller_begin (Caller     *self,
              const Call *call)
{
  g_assert_cmpint (send (self->channel, call, sizeof *call, 0), ==, sizeof *call);
}

gboolean
caller_poll (Caller *self,
             Reply  *reply,
             int     milliseconds)
{
  struct pollfd item = { self->channel, POLLIN, 0 };

  if (poll (&item, 1, milliseconds) <= 0)
    return FALSE;

  g_assert_cmpint (recv (self->channel, reply, sizeof *reply, 0), ==, sizeof *reply);
  return TRUE;
}
