/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "objects.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static RegiondSource *
as_source (RegiondMemfd *memfd)
{
  return REGIOND_SOURCE (memfd);
}

static void
test_memory (void)
{
  g_auto (Objects) o = objects_set_up (PAGE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, PAGE);
  const guint8 *bytes = NULL;
  guint8 buffer[4];

  g_assert_true (regiond_source_is_quick (as_source (memfd)));
  g_assert_cmpint (regiond_source_write (as_source (memfd), 5, 4, (const guint8 *) "abcd"), ==, 0);
  g_assert_cmpint (regiond_source_read (as_source (memfd), 6, 2, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 2, "bc", 2);
  g_assert_cmpint (regiond_source_read (as_source (memfd), PAGE - 4, 4, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 4, "\0\0\0\0", 4);
  g_clear_object (&memfd);
}

static void
test_retired (void)
{
  g_auto (Objects) o = objects_set_up (PAGE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, PAGE);
  const guint8 *bytes = NULL;
  guint8 buffer[4];

  g_assert_false (regiond_source_is_retired (as_source (memfd)));
  regiond_memfd_retire (memfd);
  g_assert_true (regiond_source_is_retired (as_source (memfd)));

  /* What has begun may end: the bytes are there as long as somebody has them. */
  g_assert_cmpint (regiond_source_read (as_source (memfd), 0, 4, buffer, &bytes), ==, 0);
  g_clear_object (&memfd);
}

/* Somebody who has the memory open writes to it from a page that never comes:
 * while the kernel waits for it, it keeps the file locked. */
static void
stall (int fd)
{
  struct uffdio_api api = { .api = UFFD_API };
  struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
  int faults = syscall (SYS_userfaultfd, O_CLOEXEC);
  void *page = mmap (NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  range.range.start = (guintptr) page;
  range.range.len = PAGE;
  if (faults < 0 || ioctl (faults, UFFDIO_API, &api) != 0 || ioctl (faults, UFFDIO_REGISTER, &range) != 0)
    _exit (1);
  _exit (pwrite (fd, page, 1, 0) == 1 ? 0 : 2);
}

static gboolean
is_stalled (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/wchan", pid);
  g_autofree char *where = NULL;

  return g_file_get_contents (path, &where, NULL, NULL) && g_str_equal (where, "handle_userfault");
}

static gpointer
write_beside (gpointer source)
{
  return GINT_TO_POINTER (regiond_source_write (source, 8, 4, (const guint8 *) "mine"));
}

static void
test_stalled (void)
{
  int fd;
  g_auto (Objects) o = objects_set_up (PAGE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, PAGE);
  g_autoptr (RegiondHold) hold = objects_open (memfd, RWM, &fd);
  const guint8 *bytes = NULL;
  GThread *thread;
  pid_t pid;

  if ((pid = fork ()) == 0)
    stall (fd);
  wait_until (is_stalled (pid) || waitpid (pid, NULL, WNOHANG) == pid);
  if (kill (pid, 0) != 0)
    {
      g_test_skip ("no userfaultfd here");
      return;
    }

  thread = g_thread_new ("beside", write_beside, memfd);
  wait_until (regiond_source_read (as_source (memfd), 8, 4, NULL, &bytes) == 0 && memcmp (bytes, "mine", 4) == 0);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, 0);
  g_assert_true (is_stalled (pid));
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  close (fd);
  g_clear_object (&hold);
  g_clear_object (&memfd);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/source/memory-is-read-where-it-is", test_memory);
  g_test_add_func ("/source/one-who-stalls-his-own-write-stops-nobody", test_stalled);
  g_test_add_func ("/source/what-is-retired-says-so", test_retired);
  return g_test_run ();
}
