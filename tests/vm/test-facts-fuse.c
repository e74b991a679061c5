/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eventually.h"
#include "fusefile.h"
#include "guest.h"

#define load(number) __atomic_load_n (&(number), __ATOMIC_ACQUIRE)

static void
test_detached (void)
{
  g_auto (FuseFile) file = { 0 };
  g_autofree char *mounts = NULL;
  guint8 bytes[8];

  fuse_file_init (&file);
  g_assert_true (g_file_get_contents ("/proc/self/mountinfo", &mounts, NULL, NULL));
  g_assert_null (strstr (mounts, " - fuse "));
  for (guint width = 1; width <= 8; width *= 2)
    {
      g_assert_cmpint (pread (file.fd, bytes, width, width * 3), ==, width);
      g_assert_cmpuint (file.seen->width, ==, width);
      g_assert_cmpuint (file.seen->offset, ==, width * 3);
    }
  g_assert_cmpint (pwrite (file.fd, bytes, 3, 11), ==, 3);
  g_assert_cmpuint (file.seen->width, ==, 3);
  g_assert_cmpuint (file.seen->offset, ==, 11);
}

static void
test_mapping (void)
{
  g_auto (FuseFile) file = { 0 };
  volatile guint8 *memory;

  fuse_file_init (&file);
  g_assert_true (mmap (NULL, 4096, PROT_READ, MAP_SHARED, file.fd, 0) == MAP_FAILED);
  g_assert_cmpint (errno, ==, ENODEV);
  memory = mmap (NULL, 4096, PROT_READ, MAP_PRIVATE, file.fd, 0);
  g_assert_true ((void *) memory != MAP_FAILED);
  g_assert_cmpuint (memory[100], ==, 0);
  g_assert_cmpuint (file.seen->width, >=, 4096);
  munmap ((void *) memory, 4096);
}

/* With the last one of all the file system goes, and may take its RELEASE along: then the connection tells. */
static void
test_release (void)
{
  g_auto (FuseFile) file = { 0 };
  int copy, other;

  fuse_file_init (&file);
  copy = dup (file.fd);
  other = fuse_file_open (&file);
  close (other);
  eventually (load (file.seen->releases) == 1);
  close (file.fd);
  file.fd = -1;
  g_usleep (100 * 1000);
  g_assert_cmpuint (load (file.seen->releases), ==, 1);
  g_assert_cmpint (load (file.seen->ended), ==, 0);
  close (copy);
  eventually (load (file.seen->ended) != 0);
  g_assert_cmpint (load (file.seen->ended), ==, ENODEV);
  g_test_message ("the last RELEASE has %s", file.seen->releases == 2 ? "come" : "been lost");
  g_assert_cmpuint (file.seen->flushes, ==, 0);
}

/* A process that makes one access; its status is the errno. */
static pid_t
start_access (FuseFile *file,
              gboolean writes,
              guint offset)
{
  pid_t child = fork ();
  guint32 word = 0;

  g_assert_no_errno (child);
  if (child != 0)
    return child;
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if ((writes ? pwrite (file->fd, &word, sizeof word, offset) : pread (file->fd, &word, sizeof word, offset)) == sizeof word)
    _exit (0);
  _exit (errno);
}

static int
finish_access (pid_t child)
{
  int status;

  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

/* Who waits is woken with an error, and everybody after that has one at once: in every process. */
static void
test_cut (void)
{
  g_auto (FuseFile) file = { 0 };
  pid_t waiting;
  guint8 byte;
  int other, error;

  fuse_file_init (&file);
  other = fuse_file_open (&file);
  file.seen->hold = TRUE;
  waiting = start_access (&file, FALSE, 0);
  eventually (load (file.seen->held) == 1);
  fuse_file_cut (&file);
  error = finish_access (waiting);
  g_test_message ("who waits is told: %s", g_strerror (error));
  g_assert_true (error == ECONNABORTED || error == ENOTCONN);
  g_assert_cmpint (pread (file.fd, &byte, 1, 0), ==, -1);
  g_assert_cmpint (errno, ==, ENOTCONN);
  g_assert_cmpint (pwrite (other, &byte, 1, 0), ==, -1);
  g_assert_cmpint (errno, ==, ENOTCONN);
  g_assert_cmpint (finish_access (start_access (&file, FALSE, 0)), ==, ENOTCONN);
  close (other);
}

/* How many of two writes by two processes get to the server, which answers none. */
static guint
count_writes (FuseFile *file,
              guint at_least)
{
  pid_t first, second;
  guint count;

  file->seen->hold = TRUE;
  first = start_access (file, TRUE, 0);
  eventually (load (file->seen->held) == 1);
  second = start_access (file, TRUE, 8);
  if (at_least == 2)
    eventually (load (file->seen->held) == 2);
  else
    g_usleep (500 * 1000);
  count = load (file->seen->held);
  fuse_file_cut (file);
  finish_access (first);
  finish_access (second);
  return count;
}

static void
test_parallel_writes (void)
{
  g_auto (FuseFile) file = { 0 };

  fuse_file_init (&file);
  g_assert_cmpuint (count_writes (&file, 2), ==, 2);
}

/* Unless asked otherwise a write waits, in the kernel, for one of the same file that is under way. */
static void
test_serial_writes (void)
{
  g_auto (FuseFile) file = { 0 };
  int serial;

  fuse_file_init (&file);
  file.seen->serial = TRUE;
  serial = fuse_file_open (&file);
  close (file.fd);
  file.fd = serial;
  g_assert_cmpuint (count_writes (&file, 1), ==, 1);
}

/* A read does not. */
static void
test_parallel_reads (void)
{
  g_auto (FuseFile) file = { 0 };
  pid_t first, second;

  fuse_file_init (&file);
  file.seen->hold = TRUE;
  first = start_access (&file, FALSE, 0);
  second = start_access (&file, FALSE, 8);
  eventually (load (file.seen->held) == 2);
  fuse_file_cut (&file);
  finish_access (first);
  finish_access (second);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/facts-fuse/a-file-of-a-detached-mount-is-accessed-as-it-was-asked", test_detached);
  g_test_add_func ("/facts-fuse/it-has-no-shared-mapping", test_mapping);
  g_test_add_func ("/facts-fuse/release-or-the-end-comes-after-the-last-copy-and-no-flush", test_release);
  g_test_add_func ("/facts-fuse/a-cut-ends-every-access-in-every-process", test_cut);
  g_test_add_func ("/facts-fuse/writes-are-parallel-when-asked-for", test_parallel_writes);
  g_test_add_func ("/facts-fuse/and-else-wait-for-each-other", test_serial_writes);
  g_test_add_func ("/facts-fuse/reads-are-parallel", test_parallel_reads);
  return g_test_run ();
}
