/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

/* Where the modules are that the guest was booted with. */
#define FOLDER "/run/modules"

#define SIZE "4194304"
#define SOON 20000

/* The grace is one second. */
#define UNLOADED_SOON 8000

/* All of them, in order; what is there already stays. */
#define LOAD \
  "mkdir -p " FOLDER "; cd " FOLDER "; busybox cpio -id 'modules/*vfio*' <\"$REGIOND_TEST_INITRD\" 2>/dev/null;" \
  "for module in modules/*.ko; do busybox insmod $module 2>/dev/null; done; udevadm settle --timeout=30"

static void
load (void)
{
  const char *const argv[] = { "sh", "-c", LOAD, NULL };
  g_autoptr (GError) error = NULL;
  int status;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

/* 0, or what the kernel says: EWOULDBLOCK where it is in use. */
static int
unload (const char *name)
{
  return syscall (SYS_delete_module, name, O_NONBLOCK) == 0 ? 0 : errno;
}

static gboolean
is_unloaded (gpointer name)
{
  int error = unload (name);

  g_assert_true (error == 0 || error == EWOULDBLOCK || error == ENOENT);
  return error == 0 || error == ENOENT;
}

/* What uses it may take a moment to let go. */
static void
must_unload (const char *name)
{
  wait_until (is_unloaded, (gpointer) name, SOON, name);
}

static void
expect_lent (Bench *bench,
             Person *person)
{
  g_autoptr (Opened) opened = NULL;

  device_wait (bench->world, bench->address);
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  device_wait_mappable (bench->world, bench->address);
  opened = person_open (person, bench->id, "bar2", "rwm", "{}");
  person_let_go (person, NULL, opened->fd);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
}

static void
test_the_driver_is_unloaded (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autofree char *other = guest_find (GUEST_EDU);

  must_unload ("vfio_pci");
  device_wait_gone (bench->world, bench->address);
  device_bind_fails (bench->world, ERROR ("NotSupported"), other, "{}", "vfio-pci", "modprobe vfio-pci", NULL);
  load ();
  expect_lent (bench, bench->bob);
}

/* They hear of it first, and hold it up for the grace at the most; what stays mapped
 * reaches nothing, also when the driver is back. */
static void
test_the_driver_is_unloaded_under_leases (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) mapped = person_open (bench->alice, bench->id, "bar2", "rwm", "{}");
  g_autoptr (Opened) proxied = person_open (bench->bob, bench->id, "bar2", "rw", "{}");
  g_autofree char *map = person_do (bench->alice, "map-bar", mapped->fd, "rw", SIZE, NULL);
  g_autofree char *seen = NULL;
  gint64 start = g_get_monotonic_time ();

  g_free (person_do (bench->alice, "store", map, "0", "0x6e697073", NULL));
  must_unload ("vfio_pci");
  g_assert_cmpuint (milliseconds_since (start), <, UNLOADED_SOON);
  person_wait_signal (bench->alice, mapped->path, "Ended ('unplugged',)");
  person_wait_signal (bench->bob, proxied->path, "Ended ('unplugged',)");
  device_wait_gone (bench->world, bench->address);
  g_free (person_fail (bench->bob, "ENOTCONN", "pread", proxied->fd, "0", NULL));

  load ();
  device_wait (bench->world, bench->address);
  g_free (person_fail (bench->alice, "SIGBUS", "load", map, "0", "4", NULL));
  g_free (person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, "bar2", "rwm", "{}"));
  person_kill (bench->alice);
  expect_lent (bench, bench->bob);
}

/* While what was revoked is held on to VFIO's fd is open, which the module waits for. */
static void
test_what_is_claimed_keeps_it_loaded (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar2", "rwm", "{}");
  g_autofree char *map = person_do (bench->alice, "map-bar", opened->fd, "rw", SIZE, NULL);

  bench_revoke (bench, opened);
  world_wait_string (bench->world, opened->path, LEASE_INTERFACE, "State", "lingering", SOON);
  g_assert_cmpint (unload ("vfio_pci"), ==, EWOULDBLOCK);
  g_free (person_fail (bench->alice, "SIGBUS", "load", map, "0", "4", NULL));
  person_kill (bench->alice);
  expect_lent (bench, bench->bob);
}

static void
test_the_module_that_isolates_is_missing (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autofree char *why = NULL;

  must_unload ("vfio_iommu_type1");
  why = person_open_fails (bench->alice, ERROR ("NotIsolated"), bench->id, "bar2", "rwm", "{}");
  g_assert_nonnull (strstr (why, "vfio_iommu_type1"));
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
  load ();
  expect_lent (bench, bench->bob);
}

/* The service starts, and serves what needs none of them. */
static void
test_none_is_loaded (void)
{
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autoptr (World) world = NULL;
  g_autoptr (Person) alice = NULL;
  g_autoptr (Opened) opened = NULL;

  must_unload ("vfio_pci");
  must_unload ("vfio_pci_core");
  must_unload ("vfio_virqfd");
  must_unload ("vfio_iommu_type1");
  must_unload ("vfio");
  g_assert_cmpint (access ("/dev/vfio/vfio", F_OK), !=, 0);
  world = world_new ("");
  alice = person_new ("alice", UID_ALICE);
  world_set_rules (world, RULES_ALLOW_ALL);
  opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  device_bind_fails (world, ERROR ("NotSupported"), address, "{}", "vfio-pci", "modprobe vfio-pci", NULL);
  load ();
  device_bind (world, address, "{}");
  device_unbind (world, address, "{}");
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/modules/driver-is-unloaded", test_the_driver_is_unloaded);
  g_test_add_func ("/modules/driver-is-unloaded-under-leases", test_the_driver_is_unloaded_under_leases);
  g_test_add_func ("/modules/what-is-claimed-keeps-it-loaded", test_what_is_claimed_keeps_it_loaded);
  g_test_add_func ("/modules/module-that-isolates-is-missing", test_the_module_that_isolates_is_missing);
  g_test_add_func ("/modules/none-is-loaded", test_none_is_loaded);
  return g_test_run ();
}
