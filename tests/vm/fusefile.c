/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fusefile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef FOPEN_PARALLEL_DIRECT_WRITES
#define FOPEN_PARALLEL_DIRECT_WRITES (1 << 6)
#endif

/* A detached mount whose root is a regular file. */
static int
mount_file (int connection)
{
  g_autofree char *number = g_strdup_printf ("%d", connection);
  int context = fsopen ("fuse", FSOPEN_CLOEXEC), mount_fd;

  g_assert_no_errno (context);
  g_assert_no_errno (fsconfig (context, FSCONFIG_SET_STRING, "source", "test", 0));
  g_assert_no_errno (fsconfig (context, FSCONFIG_SET_STRING, "fd", number, 0));
  g_assert_no_errno (fsconfig (context, FSCONFIG_SET_STRING, "rootmode", "100600", 0));
  g_assert_no_errno (fsconfig (context, FSCONFIG_SET_STRING, "user_id", "0", 0));
  g_assert_no_errno (fsconfig (context, FSCONFIG_SET_STRING, "group_id", "0", 0));
  g_assert_no_errno (fsconfig (context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  mount_fd = fsmount (context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
  g_assert_no_errno (mount_fd);
  close (context);
  return mount_fd;
}

static void
answer (int connection,
        guint64 unique,
        int error,
        const void *data,
        gsize size)
{
  struct fuse_out_header header = { .len = sizeof header + size, .error = -error, .unique = unique };
  struct iovec parts[] = { { &header, sizeof header }, { (void *) data, size } };

  /* What was interrupted meanwhile is gone. */
  if (writev (connection, parts, 2) < 0 && errno != ENOENT)
    _exit (2);
}

static void
serve_access (int connection,
              FuseSeen *seen,
              const struct fuse_in_header *header)
{
  static const guint8 bytes[FUSE_FILE_SIZE];
  const struct fuse_read_in *access = (const void *) (header + 1); /* fuse_write_in begins the same way */
  struct fuse_write_out written = { .size = access->size };

  seen->offset = access->offset;
  seen->width = access->size;
  seen->reads += header->opcode == FUSE_READ;
  if (seen->hold)
    __atomic_add_fetch (&seen->held, 1, __ATOMIC_RELEASE);
  else if (header->opcode == FUSE_READ)
    answer (connection, header->unique, 0, bytes, MIN (access->size, sizeof bytes));
  else
    answer (connection, header->unique, 0, &written, sizeof written);
}

/* Requests come by the number of a thread. */
static int
get_process (int thread)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", thread);
  g_autofree char *text = NULL;
  const char *line = NULL;

  if (g_file_get_contents (path, &text, NULL, NULL))
    line = strstr (text, "\nTgid:");
  return line != NULL ? atoi (line + strlen ("\nTgid:")) : 0;
}

static gboolean
is_victims (FuseSeen *seen,
            const struct fuse_in_header *header)
{
  if (seen->victim == 0 || get_process (header->pid) != seen->victim)
    return FALSE;

  __atomic_add_fetch (&seen->stalled, 1, __ATOMIC_RELEASE);
  return TRUE;
}

static void
serve_attributes (int connection,
                  FuseSeen *seen,
                  const struct fuse_in_header *header)
{
  struct fuse_attr_out attributes = {
    .attr_valid = seen->asking ? 0 : 3600,
    .attr = { .ino = 1, .size = FUSE_FILE_SIZE, .mode = S_IFREG | 0600, .nlink = 1, .blksize = 4096 },
  };

  if (!is_victims (seen, header))
    answer (connection, header->unique, 0, &attributes, sizeof attributes);
}

static void
serve_init (int connection,
            const struct fuse_in_header *header)
{
  const struct fuse_init_in *in = (const void *) (header + 1);
  struct fuse_init_out out = {
    .major = FUSE_KERNEL_VERSION,
    .minor = MIN (in->minor, FUSE_KERNEL_MINOR_VERSION),
    .max_readahead = in->max_readahead,
    .max_write = 4096,
    .max_background = 16,
    .congestion_threshold = 12,
  };

  answer (connection, header->unique, 0, &out, sizeof out);
}

static void
serve_one (int connection,
           FuseSeen *seen,
           const struct fuse_in_header *header)
{
  struct fuse_open_out opened = {
    .open_flags = FOPEN_DIRECT_IO | (seen->asking ? 0 : FOPEN_NOFLUSH) | (seen->serial ? 0 : FOPEN_PARALLEL_DIRECT_WRITES),
  };

  switch (header->opcode)
    {
    case FUSE_INIT:
      serve_init (connection, header);
      break;
    case FUSE_GETATTR:
      serve_attributes (connection, seen, header);
      break;
    case FUSE_OPEN:
      answer (connection, header->unique, 0, &opened, sizeof opened);
      break;
    case FUSE_READ:
    case FUSE_WRITE:
      serve_access (connection, seen, header);
      break;
    case FUSE_FLUSH:
      seen->flushes++;
      if (!is_victims (seen, header))
        answer (connection, header->unique, 0, NULL, 0);
      break;
    case FUSE_RELEASE:
      __atomic_add_fetch (&seen->releases, 1, __ATOMIC_RELEASE);
      answer (connection, header->unique, 0, NULL, 0);
      break;
    case FUSE_FORGET:
    case FUSE_INTERRUPT:
      break;
    default:
      answer (connection, header->unique, ENOSYS, NULL, 0);
    }
}

static void
serve (int connection,
       FuseSeen *seen)
{
  static guint8 request[128 * 1024] __attribute__ ((aligned (8)));

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  for (;;)
    {
      gssize size = read (connection, request, sizeof request);

      if (size > 0)
        serve_one (connection, seen, (const struct fuse_in_header *) request);
      else if (errno != EINTR && errno != ENOENT)
        break;
    }
  __atomic_store_n (&seen->ended, errno, __ATOMIC_RELEASE);
  _exit (0);
}

static int
open_again (int number)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", number);
  int fd = open (path, O_RDWR | O_CLOEXEC);

  g_assert_no_errno (fd);
  return fd;
}

static void
make (FuseFile *self,
      gboolean asking)
{
  int connection = open ("/dev/fuse", O_RDWR | O_CLOEXEC), mount_fd;
  struct stat status;

  g_assert_no_errno (connection);
  self->seen = mmap (NULL, sizeof *self->seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true (self->seen != MAP_FAILED);
  self->seen->asking = asking;
  mount_fd = mount_file (connection);
  self->server = fork ();
  g_assert_no_errno (self->server);
  if (self->server == 0)
    {
      close (mount_fd);
      serve (connection, self->seen);
    }
  close (connection);
  self->fd = open_again (mount_fd);
  close (mount_fd);
  /* Until the kernel has asked for the size it takes every access for one beyond the end. */
  g_assert_no_errno (fstat (self->fd, &status));
  g_assert_cmpint (status.st_size, ==, FUSE_FILE_SIZE);
}

void
fuse_file_init (FuseFile *self)
{
  make (self, FALSE);
}

void
fuse_file_init_asking (FuseFile *self)
{
  make (self, TRUE);
}

int
fuse_file_open (FuseFile *self)
{
  return open_again (self->fd);
}

void
fuse_file_cut (FuseFile *self)
{
  kill (self->server, SIGKILL);
  g_assert_cmpint (waitpid (self->server, NULL, 0), ==, self->server);
  self->server = 0;
}

void
fuse_file_clear (FuseFile *self)
{
  if (self->server > 0)
    fuse_file_cut (self);
  if (self->fd >= 0)
    close (self->fd);
  munmap (self->seen, sizeof *self->seen);
}
