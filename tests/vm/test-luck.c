/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"
#include "hang.h"

#define CONTAINER "/dev/vfio/vfio"
#define DRIVERS "/sys/bus/pci/drivers"

/* Where nothing is a device, whatever its node says. */
#define NO_DEVICES "/run/no-devices"

#define SOON 20000

/* After so long nobody is kept waiting for a device (device.h), with a slow machine's time. */
#define HANGS_MOST 20000

static char *
find_group_node (Bench *bench)
{
  return g_strdup_printf ("/dev/vfio/%d", guest_group (bench->address));
}

/* Nothing of VFIO's is open in regiond. */
static gboolean
is_let_go (gpointer data)
{
  World *world = data;
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", world->regiond->pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (target && strstr (target, "vfio"))
        return FALSE;
    }
  return TRUE;
}

/* With the error NAME and all of the words; it is as if it had not been tried. */
static void
expect_refused (Bench *bench,
                const char *name,
                const char *word,
                const char *advice)
{
  g_autofree char *why = person_open_fails (bench->alice, name, bench->id, "bar2", "rwm", "{}");

  g_test_message ("%s", why);
  g_assert_nonnull (strstr (why, word));
  g_assert_nonnull (strstr (why, advice));
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
  g_assert_cmpuint (world_count_leases (bench->world), ==, 0);
  wait_until (is_let_go, bench->world, SOON, "nothing of VFIO's is held");
}

static void
expect_lent (Bench *bench)
{
  g_autoptr (Opened) opened = person_open (bench->bob, bench->id, "bar2", "rwm", "{}");
  g_autofree char *map = person_map (bench->bob, opened->fd, "rw");

  person_let_go (bench->bob, map, opened->fd);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
}

static void
move (const char *from,
      const char *to)
{
  if (rename (from, to) != 0)
    g_error ("cannot move %s to %s: %s", from, to, g_strerror (errno));
}

static void
test_vfio_is_not_there (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);

  move (CONTAINER, "/dev/away");
  expect_refused (bench, ERROR ("NotSupported"), CONTAINER, "modprobe vfio-pci");
  move ("/dev/away", CONTAINER);
  expect_lent (bench);
}

static void
test_the_group_is_not_there (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autofree char *node = find_group_node (bench);

  move (node, "/dev/away");
  expect_refused (bench, ERROR ("NotIsolated"), "/dev/vfio", "bind");
  move ("/dev/away", node);
  expect_lent (bench);
}

/* Even root is refused a device of a file system that is mounted without any. */
static void
forbid (const char *node)
{
  g_autofree char *copy = g_strconcat (NO_DEVICES, "/node", NULL);
  struct stat info;

  g_assert_no_errno (stat (node, &info));
  g_assert_cmpint (g_mkdir_with_parents (NO_DEVICES, 0755), ==, 0);
  g_assert_no_errno (mount ("tmpfs", NO_DEVICES, "tmpfs", MS_NODEV, NULL));
  g_assert_no_errno (mknod (copy, S_IFCHR | 0600, info.st_rdev));
  g_assert_no_errno (mount (copy, node, NULL, MS_BIND, NULL));
}

static void
permit (const char *node)
{
  g_assert_no_errno (umount2 (node, MNT_DETACH));
  g_assert_no_errno (umount2 (NO_DEVICES, MNT_DETACH));
}

static void
test_vfio_is_not_permitted (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autofree char *group = find_group_node (bench);
  const char *const nodes[] = { CONTAINER, group };

  for (guint i = 0; i < G_N_ELEMENTS (nodes); i++)
    {
      forbid (nodes[i]);
      expect_refused (bench, ERROR ("NotSupported"), "not permitted", "DeviceAllow=char-vfio");
      permit (nodes[i]);
      expect_lent (bench);
    }
}

static void
test_somebody_else_has_the_group (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autofree char *node = find_group_node (bench);
  int group = open (node, O_RDWR | O_CLOEXEC);

  g_assert_cmpint (group, >=, 0);
  expect_refused (bench, ERROR ("Busy"), "somebody else", "try again");
  device_unbind_fails (bench->world, ERROR ("Busy"), bench->address, "{'force': <true>}", "somebody else", NULL);
  close (group);
  expect_lent (bench);
}

/* As it looks to regiond. */
static void
test_the_module_is_not_loaded (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autofree char *driver = NULL;

  g_assert_no_errno (mount ("tmpfs", DRIVERS, "tmpfs", 0, NULL));
  device_bind_fails (world, ERROR ("NotSupported"), address, "{}", "vfio-pci", "modprobe vfio-pci", NULL);
  g_assert_no_errno (umount2 (DRIVERS, MNT_DETACH));
  driver = guest_driver (address);
  g_assert_null (driver);
  device_bind (world, address, "{}");
  device_unbind (world, address, "{}");
}

/* ivshmem has the BARs 0 and 2. */
static void
test_a_region_that_it_lacks (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  const char *const lacks[] = { "bar1", "bar3", "rom", "vga", "bar6", "bar-1", "2", "" };
  g_autoptr (GVariant) regions = world_get (bench->world, bench->path, DEVICE_INTERFACE, "Regions");
  g_autoptr (GVariant) none = g_variant_lookup_value (regions, "bar1", NULL);
  GVariantIter iter;
  GVariant *region;

  g_assert_null (none);
  g_variant_iter_init (&iter, regions);
  while (g_variant_iter_next (&iter, "{&s@a{sv}}", NULL, &region))
    {
      guint64 size = 0;

      g_assert_true (g_variant_lookup (region, "size", "t", &size));
      g_assert_cmpuint (size, >, 0);
      g_variant_unref (region);
    }
  for (guint i = 0; i < G_N_ELEMENTS (lacks); i++)
    {
      g_autofree char *why = person_open_fails (bench->alice, ERROR ("NotFound"), bench->id, lacks[i], "r", "{}");

      g_assert_nonnull (strstr (why, "bar2"));
    }
}

static void
test_a_reset_that_hangs (void)
{
  g_autofree char *other = guest_find (GUEST_IVSHMEM);
  g_autofree char *other_id = device_id (other);
  g_autoptr (Bench) bench = bench_new (GUEST_NVME);
  g_autofree char *why = NULL;
  g_autofree char *again = NULL;
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) opened = NULL;
  g_autoptr (GError) error = NULL;
  Hang hang;
  gint64 start;
  guint serial;

  device_bind (bench->world, other, "{}");
  /* With the question of how it is to be done. */
  hang_start (&hang, bench->address, "reset_method");
  start = g_get_monotonic_time ();
  serial = person_send_open (bench->alice, bench->id, "bar0", "rwm", "{}", "");
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "resetting", SOON);
  mapped = person_open (bench->bob, other_id, "bar2", "rwm", "{}");
  g_assert_false (person_has_answer (bench->alice, serial));

  why = person_finish_failure (bench->alice, serial, ERROR ("ResetFailed"));
  g_test_message ("after %u ms: %s", milliseconds_since (start), why);
  g_assert_cmpuint (milliseconds_since (start), <, HANGS_MOST);
  g_assert_nonnull (strstr (why, bench->address));
  world_expect_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "failed");
  again = person_open_fails (bench->alice, ERROR ("ResetFailed"), bench->id, "bar0", "rwm", "{}");
  g_assert_false (device_reset (bench->world, bench->address, &error));
  g_assert_nonnull (strstr (error->message, "cannot be reset"));
  person_let_go (bench->bob, NULL, mapped->fd);

  hang_end (&hang, "flr bus\n");
  device_mend (bench->world, bench->address);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
  opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  device_unbind (bench->world, other, "{'force': <true>}");
}

/* One of them gets it whole, and the other is told why not. */
static void
test_two_want_it_alone_at_the_same_instant (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);

  for (guint i = 0; i < 5; i++)
    {
      guint hers = person_send_open (bench->alice, bench->id, "bar2", "rwm", "{'exclusive': <true>}", "");
      guint his = person_send_open (bench->bob, bench->id, "bar2", "rwm", "{'exclusive': <true>}", "");
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) hers_is = person_finish (bench->alice, hers, &error);
      Person *winner = hers_is ? bench->alice : bench->bob;
      g_autoptr (Opened) opened = NULL;
      g_autofree char *map = NULL;

      if (hers_is)
        {
          g_free (person_finish_failure (bench->bob, his, ERROR ("Busy")));
          map = person_map (winner, hers_is[1], "rw");
          person_let_go (winner, map, hers_is[1]);
        }
      else
        {
          g_assert_nonnull (strstr (error->message, ERROR ("Busy")));
          opened = person_finish_open (bench->bob, his);
          map = person_map (winner, opened->fd, "rw");
          person_let_go (winner, map, opened->fd);
        }
      world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
    }
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/luck/vfio-is-not-there", test_vfio_is_not_there);
  g_test_add_func ("/luck/group-is-not-there", test_the_group_is_not_there);
  g_test_add_func ("/luck/vfio-is-not-permitted", test_vfio_is_not_permitted);
  g_test_add_func ("/luck/somebody-else-has-the-group", test_somebody_else_has_the_group);
  g_test_add_func ("/luck/module-is-not-loaded", test_the_module_is_not_loaded);
  g_test_add_func ("/luck/region-that-it-lacks", test_a_region_that_it_lacks);
  g_test_add_func ("/luck/reset-that-hangs", test_a_reset_that_hangs);
  g_test_add_func ("/luck/two-want-it-alone-at-the-same-instant", test_two_want_it_alone_at_the_same_instant);
  return g_test_run ();
}
