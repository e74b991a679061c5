/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "fixture.h"
#include "mechanisms/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void
test_nowhere (void)
{
  g_autofree char *before = NULL, *after = NULL;
  g_autoptr (GError) error = NULL;
  int connection = regiond_mount_connect (&error);
  int mount;

  g_assert_no_error (error);
  g_assert_true (g_file_get_contents ("/proc/self/mountinfo", &before, NULL, NULL));
  mount = regiond_mount_file (connection, &error);
  g_assert_no_error (error);
  g_assert_cmpint (mount, >=, 0);
  g_assert_true (g_file_get_contents ("/proc/self/mountinfo", &after, NULL, NULL));
  g_assert_cmpstr (before, ==, after);
  close (mount);
  close (connection);
}

/* A crash of the one who serves leaves nobody waiting. */
static void
test_unserved (void)
{
  g_autofree char *path = NULL;
  int connection = regiond_mount_connect (NULL);
  int mount = regiond_mount_file (connection, NULL);

  path = g_strdup_printf ("/proc/self/fd/%d", mount);
  close (connection);
  g_assert_cmpint (open (path, O_RDONLY | O_CLOEXEC), ==, -1);
  g_assert_cmpint (errno, ==, ENOTCONN);
  close (mount);
}

static void
test_refused (void)
{
  g_autoptr (GError) error = NULL;
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  g_assert_cmpint (regiond_mount_file (null, &error), ==, -1);
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED);
  close (null);
}

static void
test_no_fds (void)
{
  g_autoptr (GError) error = NULL;
  struct rlimit before, none;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  none = before;
  none.rlim_cur = 0;
  setrlimit (RLIMIT_NOFILE, &none);
  g_assert_false (regiond_mount_probe (&error));
  setrlimit (RLIMIT_NOFILE, &before);
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
}

static void
test_probe (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_mount_probe (&error));
  g_assert_no_error (error);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mount/it-is-visible-nowhere", test_nowhere);
  g_test_add_func ("/mount/unserved-it-opens-for-nobody", test_unserved);
  g_test_add_func ("/mount/what-is-no-connection-is-refused", test_refused);
  g_test_add_func ("/mount/without-fds-it-is-a-limit", test_no_fds);
  g_test_add_func ("/mount/it-can-be-tried-out", test_probe);
  return g_test_run ();
}
