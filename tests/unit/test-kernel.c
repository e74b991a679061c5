/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/kernel.h"
#include "fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Devices as sysfs shows them: one BAR each, of memory unless told otherwise. */
static char *folder;

static char *
add_device (const char *address,
            const char *driver,
            const char *flags)
{
  char *device = g_build_filename (folder, address, NULL);
  g_autofree char *link = g_build_filename (device, "driver", NULL);
  g_autofree char *resource = g_build_filename (device, "resource", NULL);
  g_autofree char *line = g_strdup_printf ("0x00000000fe000000 0x00000000fe000fff 0x%s\n", flags);

  g_assert_cmpint (g_mkdir (device, 0700), ==, 0);
  g_assert_true (g_file_set_contents (resource, line, -1, NULL));
  if (driver != NULL)
    g_assert_cmpint (symlink (folder, link), ==, 0);
  return device;
}

/* What mapping the BAR's file says: a folder cannot be mapped at all (ENODEV), a
 * memory file can. */
static void
add_mappable (const char *device)
{
  g_autofree char *path = g_build_filename (device, "resource0", NULL);

  g_assert_true (g_file_set_contents (path, "register", -1, NULL));
}

static void
clean_up (void)
{
  g_autofree char *command = g_strdup_printf ("rm -r %s", folder);

  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_clear_pointer (&folder, g_free);
}

/* That a BAR can be mapped says nothing as long as nobody is known to claim it. */
static void
test_nothing_seen (void)
{
  g_autofree char *one = NULL, *other = NULL;

  folder = g_dir_make_tmp ("kernel-XXXXXX", NULL);
  g_assert_cmpint (regiond_kernel_probe (folder), ==, REGIOND_KERNEL_UNKNOWN);
  one = add_device ("0000:00:01.0", "driver", "200");
  add_mappable (one);
  other = add_device ("0000:00:02.0", NULL, "200");
  g_assert_cmpint (regiond_kernel_probe (folder), ==, REGIOND_KERNEL_UNKNOWN);
  clean_up ();
}

static void
test_no_devices (void)
{
  g_assert_cmpint (regiond_kernel_probe ("/nowhere/at/all"), ==, REGIOND_KERNEL_UNKNOWN);
}

/* One that is claimed for certain, and can be mapped all the same. */
static void
test_lax (void)
{
  char path[] = "/tmp/kernel-XXXXXX";
  int fd = g_mkstemp (path);

  g_assert_cmpint (ftruncate (fd, sysconf (_SC_PAGESIZE)), ==, 0);
  g_assert_cmpint (regiond_kernel_try (fd, TRUE), ==, REGIOND_KERNEL_LAX);
  g_assert_cmpint (regiond_kernel_try (fd, FALSE), ==, REGIOND_KERNEL_UNKNOWN);
  g_unlink (path);
  close (fd);
}

/* A file that nobody may read is EACCES, and says nothing. */
static void
test_other_refusals (void)
{
  int fd = open ("/dev/null", O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (regiond_kernel_try (fd, TRUE), ==, REGIOND_KERNEL_UNKNOWN);
  close (fd);
}

static void
test_learns (void)
{
  regiond_kernel_learn (REGIOND_KERNEL_STRICT);
  g_assert_cmpint (regiond_kernel_get (), !=, REGIOND_KERNEL_LAX);
  regiond_kernel_learn (REGIOND_KERNEL_LAX);
  regiond_kernel_learn (REGIOND_KERNEL_UNKNOWN);
  g_assert_cmpint (regiond_kernel_get (), ==, REGIOND_KERNEL_LAX);
}

static void
on_known (gpointer data)
{
  (*(guint *) data)++;
}

/* Once for each time that it is otherwise than it was known to be. */
static void
test_tells (void)
{
  guint told = 0;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  regiond_kernel_learn (REGIOND_KERNEL_STRICT);
  regiond_kernel_listen (on_known, &told);
  wait_until (told == 1);
  regiond_kernel_learn (REGIOND_KERNEL_STRICT);
  regiond_kernel_learn (REGIOND_KERNEL_UNKNOWN);
  regiond_kernel_learn (REGIOND_KERNEL_LAX);
  wait_until (told == 2);
  regiond_kernel_learn (REGIOND_KERNEL_STRICT);
  regiond_kernel_listen (NULL, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (told, ==, 2);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernel/nothing-seen-is-nothing-known", test_nothing_seen);
  g_test_add_func ("/kernel/no-devices-is-nothing-known", test_no_devices);
  g_test_add_func ("/kernel/claimed-and-mapped-is-lax", test_lax);
  g_test_add_func ("/kernel/other-refusals-say-nothing", test_other_refusals);
  g_test_add_func ("/kernel/what-was-seen-is-kept", test_learns);
  g_test_add_func ("/kernel/what-has-changed-is-told", test_tells);
  return g_test_run ();
}
