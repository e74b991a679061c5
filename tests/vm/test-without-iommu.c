/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine that keeps no device from any memory: run with --append intel_iommu=off.
 * Debian's kernels have no mode of VFIO for that (CONFIG_VFIO_NOIOMMU); where one has,
 * the rest is tried as well.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

#define MODE "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define UNSAFE "UnsafeNoIommu=yes"
#define SIZE "1048576"
#define SOON 20000

static void
expect_no_driver (const char *address)
{
  g_autofree char *driver = guest_driver (address);

  g_assert_cmpstr (driver, ==, NULL);
}

static void
test_nothing_is_bound (void)
{
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autoptr (World) world = world_new ("");

  g_assert_cmpint (guest_group (address), ==, -1);
  device_bind_fails (world, ERROR ("NotIsolated"), address, "{}", address, "IOMMU", NULL);
  expect_no_driver (address);
}

/* It takes the kernel's consent as well. */
static void
test_nothing_is_bound_against_the_kernel (void)
{
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autoptr (World) world = world_new (UNSAFE);

  device_bind_fails (world, ERROR ("NotSupported"), address, "{}", address, "enable_unsafe_noiommu_mode", NULL);
  expect_no_driver (address);
}

static gboolean
can_do_without (void)
{
  if (access (MODE, F_OK) == 0)
    return TRUE;
  g_test_skip ("this kernel has no mode without an IOMMU (CONFIG_VFIO_NOIOMMU)");
  return FALSE;
}

static void
set_mode (const char *value)
{
  int fd = open (MODE, O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (write (fd, value, 1), ==, 1);
  close (fd);
}

static void
expect_none (Bench *bench,
             const char *region,
             const char *access)
{
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, region, access, "{}");

  world_expect_string (bench->world, opened->path, LEASE_INTERFACE, "Isolation", "none");
  person_let_go (bench->alice, NULL, opened->fd);
}

static void
expect_no_bus_master (Bench *bench)
{
  g_autofree char *path = g_strdup_printf ("/sys/bus/pci/devices/%s/config", bench->address);
  g_autofree char *config = NULL;

  g_assert_true (g_file_get_contents (path, &config, NULL, NULL));
  g_assert_cmphex (config[4] & 4, ==, 0);
}

static void
test_whoever_wants_it_so_is_told (void)
{
  g_autoptr (Bench) bench = NULL;
  g_autoptr (Opened) opened = NULL;
  g_autofree char *map = NULL;
  g_autofree char *seen = NULL;

  if (!can_do_without ())
    return;

  set_mode ("1");
  bench = bench_new_configured (GUEST_EDU, UNSAFE, NULL);
  world_expect_string (bench->world, bench->path, DEVICE_INTERFACE, "Isolation", "none");
  opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  map = person_do (bench->alice, "map-bar", opened->fd, "rw", SIZE, NULL);
  seen = person_do (bench->alice, "load", map, "0", "4", NULL);
  g_assert_cmpstr (seen, ==, "0x10000ed");
  world_expect_string (bench->world, opened->path, LEASE_INTERFACE, "Isolation", "none");
  expect_none (bench, "bar0", "rw");
  expect_none (bench, "config", "r");
  expect_no_bus_master (bench);

  bench_revoke (bench, opened);
  g_free (person_fail (bench->alice, "SIGBUS", "load", map, "0", "4", NULL));
}

static void
test_bound_by_hand_it_is_not_lent (void)
{
  g_autoptr (Bench) bench = NULL;
  g_autofree char *why = NULL;

  if (!can_do_without ())
    return;

  set_mode ("1");
  bench = bench_new (GUEST_EDU);
  world_expect_string (bench->world, bench->path, DEVICE_INTERFACE, "Isolation", "none");
  world_expect_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked");
  why = person_open_fails (bench->alice, ERROR ("NotIsolated"), bench->id, "bar0", "rwm", "{}");
  g_assert_nonnull (strstr (why, "UnsafeNoIommu=yes"));
}

static void
test_bound_and_given_back (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *path = device_path (address);
  g_autoptr (World) world = NULL;

  if (!can_do_without ())
    return;

  set_mode ("1");
  world = world_new (UNSAFE);
  device_bind (world, address, "{}");
  world_expect_string (world, path, DEVICE_INTERFACE, "Isolation", "none");
  device_unbind (world, address, "{}");
  expect_no_driver (address);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  guest_needs_told ("intel_iommu=off");
  g_test_add_func ("/without-iommu/nothing-is-bound", test_nothing_is_bound);
  g_test_add_func ("/without-iommu/nothing-is-bound-against-the-kernel", test_nothing_is_bound_against_the_kernel);
  g_test_add_func ("/without-iommu/whoever-wants-it-so-is-told", test_whoever_wants_it_so_is_told);
  g_test_add_func ("/without-iommu/bound-by-hand-it-is-not-lent", test_bound_by_hand_it_is_not_lent);
  g_test_add_func ("/without-iommu/bound-and-given-back", test_bound_and_given_back);
  return g_test_run ();
}
