/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "objects.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (16 * PAGE)

static void
test_size (void)
{
  g_auto (Objects) o = objects_set_up (SIZE);
  struct stat facts;
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (RegiondHold) hold = NULL;
  int fd;

  g_assert_cmpuint (regiond_budget_get_held (o.budget), ==, SIZE);
  hold = objects_open (memfd, RWM, &fd);
  g_assert_cmpint (fstat (fd, &facts), ==, 0);
  g_assert_cmpint (facts.st_size, ==, SIZE);
  g_assert_cmpint (facts.st_blocks * 512, >=, SIZE);
  g_assert_cmpint (facts.st_mode & 07777, ==, 0600);
  close (fd);
  g_clear_object (&hold);
  g_clear_object (&memfd);
}

static void
test_seals (void)
{
  int fd;
  g_auto (Objects) o = objects_set_up (SIZE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (RegiondHold) hold = objects_open (memfd, RWM, &fd);

  assert_errno (ftruncate (fd, SIZE / 2), EPERM);
  assert_errno (ftruncate (fd, 0), EPERM);
  assert_errno (ftruncate (fd, SIZE * 2), EPERM);
  assert_errno (fallocate (fd, 0, SIZE, PAGE), EPERM);
  assert_errno (pwrite (fd, "x", 1, SIZE), EPERM);
  assert_errno (fcntl (fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
  assert_errno (fcntl (fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), EPERM);
  close (fd);
}

static void
test_read_only (void)
{
  int fd;
  g_auto (Objects) o = objects_set_up (SIZE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (RegiondHold) hold = objects_open (memfd, RM, &fd);
  void *memory;

  assert_errno (mmap (NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
  assert_errno (write (fd, "x", 1), EBADF);
  assert_errno (fcntl (fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
  assert_errno (ftruncate (fd, 0), EINVAL);

  memory = mmap (NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
  g_assert_true (memory != MAP_FAILED);
  assert_errno (mprotect (memory, PAGE, PROT_READ | PROT_WRITE), EACCES);
  munmap (memory, PAGE);
  close (fd);
}

static void
test_execute (void)
{
  int fd;
  g_auto (Objects) o = objects_set_up (SIZE);
  const char *argv[] = { "x", NULL };
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (RegiondHold) hold = objects_open (memfd, RWM, &fd);

  g_assert_cmpint (pwrite (fd, "#!/bin/true\n", 12, 0), ==, 12);
  assert_errno (syscall (SYS_execveat, fd, "", argv, argv + 1, AT_EMPTY_PATH), EACCES);
  close (fd);
}

/* What another user's holder may try: 0 if nothing of it worked. */
static int
try_to_reopen (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

  /* Dumpable: so that it is the file that refuses, not /proc. */
  if (setgid (65534) != 0 || setuid (65534) != 0 || prctl (PR_SET_DUMPABLE, 1) != 0)
    return 1;
  if (open (path, O_RDWR) >= 0 || errno != EACCES)
    return 2;
  if (open (path, O_RDONLY) >= 0 || errno != EACCES)
    return 3;
  if (fchmod (fd, 0777) == 0 || errno != EPERM)
    return 4;
  return 0;
}

static void
test_reopen (void)
{
  g_auto (Objects) o = objects_set_up (SIZE);
  g_autoptr (RegiondMemfd) memfd = NULL;
  g_autoptr (RegiondHold) hold = NULL;
  int fd, status;
  pid_t child;

  if (geteuid () != 0)
    {
      g_test_skip ("another user's part needs root");
      return;
    }

  memfd = objects_make (&o, SIZE);
  hold = objects_open (memfd, RWM, &fd);
  if ((child = fork ()) == 0)
    _exit (try_to_reopen (fd));
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  close (fd);
}

static void
test_free (void)
{
  g_auto (Objects) o = objects_set_up (SIZE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (RegiondHold) one = NULL, other = NULL;
  int first, second;
  void *memory;

  g_assert_true (regiond_memfd_is_free (memfd));
  one = objects_open (memfd, RWM, &first);
  other = objects_open (memfd, RM, &second);
  g_assert_false (regiond_memfd_is_free (memfd));
  close (first);
  g_assert_false (regiond_memfd_is_free (memfd));

  memory = mmap (NULL, PAGE, PROT_READ, MAP_SHARED, second, 0);
  close (second);
  g_assert_false (regiond_memfd_is_free (memfd));
  munmap (memory, PAGE);
  g_assert_true (regiond_memfd_is_free (memfd));

  /* And asking has changed nothing. */
  g_assert_true (regiond_memfd_is_free (memfd));
}

static void
test_copy (void)
{
  int before, after;
  g_auto (Objects) o = objects_set_up (2 * SIZE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (RegiondHold) old_hold = objects_open (memfd, RWM, &before);
  g_autoptr (RegiondMemfd) copy = NULL;
  g_autoptr (RegiondHold) new_hold = NULL;
  g_autofree char *text = NULL;
  char last;

  fd_write_text (before, "kept");
  g_assert_cmpint (pwrite (before, "z", 1, SIZE - 1), ==, 1);
  copy = regiond_memfd_copy (memfd, NULL);
  g_assert_cmpuint (regiond_budget_get_held (o.budget), ==, 2 * SIZE);

  fd_write_text (before, "later");
  new_hold = objects_open (copy, RWM, &after);
  text = fd_read_text (after);
  g_assert_cmpstr (text, ==, "kept");
  g_assert_cmpint (pread (after, &last, 1, SIZE - 1), ==, 1);
  g_assert_cmpint (last, ==, 'z');
  assert_errno (ftruncate (after, 0), EPERM);
  close (before);
  close (after);
}

static void
test_copy_limit (void)
{
  g_auto (Objects) o = objects_set_up (SIZE + PAGE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (GError) error = NULL;

  g_assert_null (regiond_memfd_copy (memfd, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpuint (regiond_budget_get_held (o.budget), ==, SIZE);
}

static void
test_empty (void)
{
  int fd;
  g_auto (Objects) o = objects_set_up (SIZE);
  struct stat facts;
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (RegiondHold) hold = objects_open (memfd, RWM, &fd);
  char *memory = mmap (NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  memset (memory, 'x', SIZE);
  g_assert_true (regiond_memfd_empty (memfd, NULL));
  for (gsize i = 0; i < SIZE; i++)
    g_assert_cmpint (memory[i], ==, 0);
  g_assert_cmpint (fstat (fd, &facts), ==, 0);
  g_assert_cmpint (facts.st_size, ==, SIZE);
  g_assert_cmpint (facts.st_blocks * 512, >=, SIZE);
  munmap (memory, SIZE);
  close (fd);
}

static void
test_budget (void)
{
  g_auto (Objects) o = objects_set_up (SIZE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, SIZE);
  g_autoptr (RegiondHold) hold = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  g_assert_null (regiond_memfd_new (o.watch, o.budget, "test", PAGE, NULL, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);

  /* A lease that lingers still counts. */
  hold = objects_open (memfd, RWM, &fd);
  g_clear_object (&memfd);
  g_assert_cmpuint (regiond_budget_get_held (o.budget), ==, SIZE);
  close (fd);
  g_clear_object (&hold);
  wait_until (regiond_budget_get_held (o.budget) == 0);
}

static void
test_cancelled (void)
{
  g_auto (Objects) o = objects_set_up (SIZE);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (regiond_memfd_new (o.watch, o.budget, "test", SIZE, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  wait_until (regiond_budget_get_held (o.budget) == 0);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGIO, SIG_IGN);
  g_test_add_func ("/memfd/it-has-its-exact-size-and-is-allocated", test_size);
  g_test_add_func ("/memfd/a-client-can-neither-grow-shrink-nor-seal-it", test_seals);
  g_test_add_func ("/memfd/rm-cannot-be-made-writable", test_read_only);
  g_test_add_func ("/memfd/it-cannot-be-run", test_execute);
  g_test_add_func ("/memfd/another-user-cannot-reopen-it", test_reopen);
  g_test_add_func ("/memfd/it-is-free-when-the-last-mapping-is-gone", test_free);
  g_test_add_func ("/memfd/a-copy-sees-nothing-of-what-comes-later", test_copy);
  g_test_add_func ("/memfd/a-copy-counts-too", test_copy_limit);
  g_test_add_func ("/memfd/emptied-under-a-mapping-it-stays-allocated", test_empty);
  g_test_add_func ("/memfd/the-budget-gets-its-bytes-back-at-the-last-reference", test_budget);
  g_test_add_func ("/memfd/a-cancelled-allocation-leaves-nothing", test_cancelled);
  return g_test_run ();
}
