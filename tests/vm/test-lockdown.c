/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel that is locked down, as by Secure Boot: run with --append lockdown=integrity. */
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "guest.h"

/* In config space: the cache line's size, which any lease with 'w' may change. */
#define CACHE_LINE 0x0c

static void
test_mapping_is_refused_with_the_reason (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autofree char *why = person_open_fails (bench->alice, ERROR ("NotSupported"), bench->id, "bar2", "rwm", "{}");
  g_autoptr (GVariant) regions = world_get (bench->world, bench->path, DEVICE_INTERFACE, "Regions");
  g_autoptr (GVariant) bar = g_variant_lookup_value (regions, "bar2", NULL);
  g_autofree char *text = g_variant_print (bar, FALSE);

  g_assert_nonnull (strstr (why, "lockdown"));
  g_assert_nonnull (strstr (text, "'access': <'rw'>"));
  g_assert_nonnull (strstr (text, "'mechanisms': <['proxy']>"));
  g_assert_nonnull (strstr (text, "'revocation': <'immediate'>"));
}

/* Everything else goes by way of VFIO's fd. */
static void
test_proxied_leases_work (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) hers = person_open (bench->alice, bench->id, "bar2", "rw", "{}");
  g_autoptr (Opened) his = person_open (bench->bob, bench->id, "bar2", "r", "{}");
  g_autofree char *bytes = NULL;

  g_free (person_do (bench->alice, "pwrite", hers->fd, "4000", "locked", NULL));
  bytes = person_do (bench->bob, "pread", his->fd, "4000", NULL);
  g_assert_cmpstr (bytes, ==, "locked");
  bench_revoke (bench, hers);
  g_free (person_fail (bench->alice, "ENOTCONN", "pwrite", hers->fd, "4000", "late", NULL));
}

static void
test_config_space_is_written (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "config", "rw", "{}");
  int fd = person_give (bench->alice, opened->fd);
  guint8 size = 0x10, seen = 0;

  g_assert_cmpint (pwrite (fd, &size, 1, CACHE_LINE), ==, 1);
  g_assert_cmpint (pread (fd, &seen, 1, CACHE_LINE), ==, 1);
  g_assert_cmphex (seen, ==, size);
  close (fd);
}

/* pci-testdev tells the names of its tests, of which a byte selects one. */
static void
test_ports_are_reached (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_TESTDEV);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar1", "rw", "{}");
  int fd = person_give (bench->alice, opened->fd);
  char letter = '\0';

  g_assert_cmpint (pwrite (fd, "", 1, 0), ==, 1);
  g_assert_cmpint (pread (fd, &letter, 1, 16), ==, 1);
  g_assert_cmpint (letter, ==, 'p');
  close (fd);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  guest_needs_told ("lockdown=integrity");
  g_test_add_func ("/lockdown/mapping-is-refused-with-the-reason", test_mapping_is_refused_with_the_reason);
  g_test_add_func ("/lockdown/proxied-leases-work", test_proxied_leases_work);
  g_test_add_func ("/lockdown/config-space-is-written", test_config_space_is_written);
  g_test_add_func ("/lockdown/ports-are-reached", test_ports_are_reached);
  return g_test_run ();
}
