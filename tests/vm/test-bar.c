/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../system/world.h"
#include "bench.h"
#include "devices.h"
#include "guest.h"

/* ivshmem's BAR 2: memory that keeps what is written to it. */
#define SIZE "4194304"
#define MARK "0x6e697073"
#define SOON 10000

static Opened *
open_bar (Bench *bench,
          Person *person,
          const char *access)
{
  return person_open (person, bench->id, "bar2", access, "{}");
}

static char *
map_bar (Person *person,
         Opened *opened)
{
  return person_do (person, "map-bar", opened->fd, "rw", SIZE, NULL);
}

static void
store (Person *person,
       const char *map,
       const char *offset,
       const char *value)
{
  g_free (person_do (person, "store", map, offset, value, NULL));
}

static void
expect_taken (Person *person,
              const char *map)
{
  g_free (person_fail (person, "SIGBUS", "load", map, "0", "4", NULL));
}

static void
test_an_ordinary_user_maps_it (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) mapped = open_bar (bench, bench->alice, "rwm");
  g_autoptr (Opened) read_only = open_bar (bench, bench->bob, "rm");
  g_autofree char *map = map_bar (bench->alice, mapped);
  g_autofree char *other = person_do (bench->bob, "map-bar", read_only->fd, "r", SIZE, NULL);

  world_expect_string (bench->world, mapped->path, LEASE_INTERFACE, "Mechanism", "bar");
  world_expect_string (bench->world, mapped->path, LEASE_INTERFACE, "Revocation", "immediate");
  world_expect_string (bench->world, bench->path, DEVICE_INTERFACE, "Isolation", "iommu");
  world_expect_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "leased");
  store (bench->alice, map, "0", "0x12345678");
  store (bench->alice, map, "4194300", "0x9abcdef0");
  person_expect_load (bench->bob, other, "0", "0x12345678");
  person_expect_load (bench->bob, other, "4194300", "0x9abcdef0");
}

static void
test_read_only_is_read_only (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) opened = open_bar (bench, bench->alice, "rm");
  g_autofree char *map = person_map (bench->alice, opened->fd, "r");

  g_free (person_fail (bench->alice, "EACCES", "map", opened->fd, "rw", NULL));
  g_free (person_fail (bench->alice, "EACCES", "protect", map, NULL));
  g_free (person_fail (bench->alice, "EACCES", "reopen", opened->fd, "rw", NULL));
}

static void
test_a_proxied_lease_sees_the_same (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) mapped = open_bar (bench, bench->alice, "rwm");
  g_autoptr (Opened) proxied = open_bar (bench, bench->bob, "rw");
  g_autofree char *map = map_bar (bench->alice, mapped);
  g_autofree char *bytes = NULL;

  world_expect_string (bench->world, proxied->path, LEASE_INTERFACE, "Mechanism", "proxy");
  store (bench->alice, map, "0", "0x00626364");
  bytes = person_do (bench->bob, "pread", proxied->fd, "0", NULL);
  g_assert_cmpstr (bytes, ==, "dcb");
}

static void
test_a_killed_client_loses_it (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) hers = open_bar (bench, bench->alice, "rwm");
  g_autoptr (Opened) his = open_bar (bench, bench->bob, "rwm");
  g_autofree char *her_map = map_bar (bench->alice, hers);
  g_autofree char *his_map = map_bar (bench->bob, his);
  gint64 start;

  store (bench->bob, his_map, "0", MARK);
  person_expect_load (bench->alice, her_map, "0", MARK);
  start = g_get_monotonic_time ();
  person_kill (bench->alice);
  world_wait_gone (bench->world, hers->path, SOON);
  g_test_message ("gone after %" G_GINT64_FORMAT " ms", (g_get_monotonic_time () - start) / 1000);
  person_expect_load (bench->bob, his_map, "0", MARK);
  world_expect_string (bench->world, his->path, LEASE_INTERFACE, "State", "active");
  person_expect_no_signal (bench->bob);
}

static void
test_a_revoked_client_loses_it (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) hers = open_bar (bench, bench->alice, "rwm");
  g_autoptr (Opened) his = open_bar (bench, bench->bob, "rwm");
  g_autofree char *her_map = map_bar (bench->alice, hers);
  g_autofree char *his_map = map_bar (bench->bob, his);

  bench_revoke (bench, hers);
  person_wait_signal (bench->alice, hers->path, "Ended ('revoked',)");
  person_wait_signal (bench->bob, his->path, "Ended ('superseded',)");
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 2, SOON);
  expect_taken (bench->alice, her_map);
  expect_taken (bench->bob, his_map);
  for (guint i = 0; i < 20; i++)
    g_free (person_fail (bench->alice, "EINVAL", "map", hers->fd, "rw", NULL));
}

/* What is left of revoked leases keeps the BAR from being mapped, and nothing else. */
static void
expect_lingering (Bench *bench,
                  Person *person)
{
  g_autofree char *why = NULL;
  g_autofree char *bytes = NULL;
  g_autoptr (Opened) proxied = NULL;

  why = person_open_fails (person, ERROR ("Lingering"), bench->id, "bar2", "rwm", "{}");
  g_assert_nonnull (strstr (why, "Verify"));
  g_assert_false (device_is_mappable (bench->world, bench->address));
  proxied = open_bar (bench, person, "rw");
  g_free (person_do (person, "pwrite", proxied->fd, "0", "lent on", NULL));
  bytes = person_do (person, "pread", proxied->fd, "0", NULL);
  /* What other tests have left there follows. */
  g_assert_true (g_str_has_prefix (bytes, "lent on"));
  g_free (person_call (person, proxied->path, LEASE_INTERFACE, "Release", "()"));
}

/* It comes back by itself. */
static void
expect_lent_again (Bench *bench,
                   Person *person)
{
  g_autoptr (Opened) again = NULL;
  g_autofree char *map = NULL;

  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  again = open_bar (bench, person, "rwm");
  map = map_bar (person, again);
  store (person, map, "8", MARK);
  person_expect_load (person, map, "8", MARK);
}

static void
test_it_is_lent_again_when_nothing_is_left (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) hers = open_bar (bench, bench->alice, "rwm");
  g_autofree char *map = map_bar (bench->alice, hers);

  bench_revoke (bench, hers);
  person_wait_signal (bench->alice, hers->path, "Ended ('revoked',)");
  expect_lingering (bench, bench->bob);
  expect_taken (bench->alice, map);
  person_kill (bench->alice);
  expect_lent_again (bench, bench->bob);
}

static void
test_a_copy_that_sleeps_elsewhere (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) hers = open_bar (bench, bench->alice, "rwm");
  g_autofree char *copy = person_pass (bench->alice, hers->fd, carol);

  person_kill (bench->alice);
  world_wait_string (bench->world, hers->path, LEASE_INTERFACE, "State", "lingering", SOON);
  expect_lingering (bench, bench->bob);
  g_free (person_fail (carol, "EINVAL", "map", copy, "rw", NULL));
  person_kill (carol);
  expect_lent_again (bench, bench->bob);
}

static void
test_a_copy_unread_in_a_socket (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) hers = open_bar (bench, bench->alice, "rwm");
  int end = person_post (bench->alice, hers->fd);

  person_kill (bench->alice);
  world_wait_string (bench->world, hers->path, LEASE_INTERFACE, "State", "lingering", SOON);
  expect_lingering (bench, bench->bob);
  close (end);
  expect_lent_again (bench, bench->bob);
}

static gboolean
spins (gpointer data)
{
  g_autofree char *count = person_do (data, "spun", NULL);

  return !g_str_equal (count, "0");
}

/* However many processors try: what it has done before it is told is its own. */
static void
test_who_spins_on_mmap_loses (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);

  for (guint round = 0; round < 5; round++)
    {
      g_autoptr (Person) mallory = person_new ("mallory", UID_ALICE);
      g_autoptr (Opened) opened = open_bar (bench, mallory, "rwm");
      g_autofree char *map = map_bar (mallory, opened);
      g_autofree char *after = NULL;

      store (mallory, map, "0", MARK);
      g_free (person_do (mallory, "spin", opened->fd, "4", NULL));
      wait_until (spins, mallory, SOON, "it spins");
      bench_revoke (bench, opened);
      person_wait_signal (mallory, opened->path, "Ended ('revoked',)");
      world_wait_string (bench->world, opened->path, LEASE_INTERFACE, "State", "lingering", SOON);
      g_free (person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, "bar2", "rwm", "{}"));
      g_free (person_do (mallory, "spun", NULL));
      g_usleep (300 * 1000);
      after = person_do (mallory, "spun", NULL);
      g_assert_cmpstr (after, ==, "0");
      person_kill (mallory);
      world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
    }
}

/* Of a holder that never stands still it cannot be known whether a mapping has escaped:
 * the device goes dark, and whoever maps another BAR of it is told. */
static void
test_who_cannot_be_looked_at_costs_all (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_E1000E);
  g_autoptr (Opened) hers = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  g_autoptr (Opened) his = person_open (bench->bob, bench->id, "bar1", "rwm", "{}");
  g_autofree char *her_map = person_do (bench->alice, "map-bar", hers->fd, "rw", "131072", NULL);
  g_autofree char *his_map = person_do (bench->bob, "map-bar", his->fd, "rw", "131072", NULL);
  g_autofree char *why = NULL;

  g_free (person_do (bench->alice, "spin", hers->fd, "2", NULL));
  bench_revoke (bench, hers);
  person_wait_signal (bench->bob, his->path, "Ended ('superseded',)");
  expect_taken (bench->bob, his_map);
  g_free (person_fail (bench->bob, "EINVAL", "map", his->fd, "rw", NULL));
  world_expect_string (bench->world, his->path, LEASE_INTERFACE, "State", "lingering");
  why = person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, "bar3", "r", "{}");
  g_assert_nonnull (strstr (why, "switched off"));

  /* It is dark for as long as anything of either is left. */
  person_kill (bench->alice);
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 1, SOON);
  g_free (person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, "bar3", "r", "{}"));
  person_kill (bench->bob);
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
}

static void
test_two_open_at_the_same_instant (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);

  for (guint i = 0; i < 5; i++)
    {
      guint hers = person_send_open (bench->alice, bench->id, "bar2", "rwm", "{}", "");
      guint his = person_send_open (bench->bob, bench->id, "bar2", "rwm", "{}", "");
      g_autoptr (Opened) first = person_finish_open (bench->alice, hers);
      g_autoptr (Opened) second = person_finish_open (bench->bob, his);
      g_autofree char *map = map_bar (bench->alice, first);
      g_autofree char *other = map_bar (bench->bob, second);

      store (bench->alice, map, "64", "0x1");
      person_expect_load (bench->bob, other, "64", "0x1");
      g_free (person_do (bench->alice, "unmap-bar", map, "0", SIZE, NULL));
      g_free (person_do (bench->bob, "unmap-bar", other, "0", SIZE, NULL));
      person_let_go (bench->alice, NULL, first->fd);
      person_let_go (bench->bob, NULL, second->fd);
      world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
    }
}

static gboolean
is_off_the_bus (gpointer data)
{
  Bench *bench = data;

  return !world_has_object (bench->world, bench->path);
}

static gboolean
is_on_the_bus (gpointer data)
{
  return !is_off_the_bus (data);
}

/* While a claim is held VFIO's fd is open, and an unbind waits for that. What is
 * left of the lease counts against the device when it is back. */
static void
test_the_kernel_gets_it_back (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) opened = open_bar (bench, bench->alice, "rwm");
  g_autofree char *map = map_bar (bench->alice, opened);
  gint64 start;

  bench_revoke (bench, opened);
  world_wait_string (bench->world, opened->path, LEASE_INTERFACE, "State", "lingering", SOON);
  expect_taken (bench->alice, map);
  start = g_get_monotonic_time ();
  guest_give_back (bench->address);
  g_assert_cmpuint (milliseconds_since (start), <, SOON);
  wait_until (is_off_the_bus, bench, SOON, "it is off the bus");
  guest_bind (bench->address);
  wait_until (is_on_the_bus, bench, SOON, "it is back");
  expect_taken (bench->alice, map);
  g_free (person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, "bar2", "rwm", "{}"));
  person_kill (bench->alice);
  expect_lent_again (bench, bench->bob);
}

/* Without regiond nobody holds a claim. */
static void
test_the_service_ends (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) opened = open_bar (bench, bench->alice, "rwm");
  g_autofree char *map = map_bar (bench->alice, opened);
  g_autofree char *again = NULL;
  g_autofree char *seen = NULL;

  store (bench->alice, map, "0", MARK);
  process_signal (bench->world->regiond, SIGTERM);
  process_wait (bench->world->regiond);
  expect_taken (bench->alice, map);
  again = map_bar (bench->alice, opened);
  seen = person_do (bench->alice, "load", again, "0", "4", NULL);
  g_assert_cmpstr (seen, !=, MARK);

  process_free (bench->world->regiond);
  bench->world->regiond = service_start (bench->world->root);
  wait_until (is_on_the_bus, bench, SOON, "it is back");
  expect_taken (bench->alice, again);
  person_kill (bench->alice);
  expect_lent_again (bench, bench->bob);
}

static void
test_write_combining (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar2", "rwm", "{'write-combining': <true>}");
  g_autofree char *map = map_bar (bench->alice, opened);

  store (bench->alice, map, "0", MARK);
  person_expect_load (bench->alice, map, "0", MARK);
  bench_revoke (bench, opened);
  world_wait_string (bench->world, opened->path, LEASE_INTERFACE, "State", "lingering", SOON);
  expect_taken (bench->alice, map);
  g_free (person_fail (bench->alice, "EINVAL", "map", opened->fd, "rw", NULL));
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/bar/an-ordinary-user-maps-it", test_an_ordinary_user_maps_it);
  g_test_add_func ("/bar/read-only-is-read-only", test_read_only_is_read_only);
  g_test_add_func ("/bar/proxied-lease-sees-the-same", test_a_proxied_lease_sees_the_same);
  g_test_add_func ("/bar/killed-client-loses-it-and-neighbour-notices-nothing", test_a_killed_client_loses_it);
  g_test_add_func ("/bar/revoked-client-loses-it-for-as-long-as-it-holds-on", test_a_revoked_client_loses_it);
  g_test_add_func ("/bar/lent-again-when-nothing-is-left", test_it_is_lent_again_when_nothing_is_left);
  g_test_add_func ("/bar/copy-that-sleeps-elsewhere", test_a_copy_that_sleeps_elsewhere);
  g_test_add_func ("/bar/copy-unread-in-a-socket", test_a_copy_unread_in_a_socket);
  g_test_add_func ("/bar/who-spins-on-mmap-loses", test_who_spins_on_mmap_loses);
  g_test_add_func ("/bar/who-cannot-be-looked-at-costs-all-who-map-the-device", test_who_cannot_be_looked_at_costs_all);
  g_test_add_func ("/bar/two-open-at-the-same-instant", test_two_open_at_the_same_instant);
  g_test_add_func ("/bar/write-combining", test_write_combining);
  g_test_add_func ("/bar/kernel-gets-back-what-is-claimed", test_the_kernel_gets_it_back);
  g_test_add_func ("/bar/end-of-the-service-leaves-nothing-that-reaches-it", test_the_service_ends);
  return g_test_run ();
}
