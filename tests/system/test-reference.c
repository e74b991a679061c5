/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

#include "world.h"

/* A quarter of a second is given to a dying process; the rest is this machine's. */
#define CUT_DEADLINE 1000

/* Alice and bob share shm0's bar2, and "shared" is in it. */
typedef struct
{
  World *world;
  Person *alice;
  Person *bob;
  Opened *hers;
  Opened *his;
  char *her_map;
  char *his_map;
} Pair;

static void
pair_set_up (Pair *pair,
             gconstpointer device)
{
  pair->world = world_new ("");
  world_set_rules (pair->world, RULES_ALLOW_ALL);
  pair->alice = person_new ("alice", UID_ALICE);
  pair->bob = person_new ("bob", UID_BOB);
  pair->hers = person_open (pair->alice, device, "bar2", "rwm", "{}");
  pair->his = person_open (pair->bob, device, "bar2", "rwm", "{}");
  pair->her_map = person_map (pair->alice, pair->hers->fd, "rw");
  pair->his_map = person_map (pair->bob, pair->his->fd, "rw");
  person_write (pair->alice, pair->her_map, "shared");
}

static void
pair_tear_down (Pair *pair,
                gconstpointer device)
{
  opened_free (pair->hers);
  opened_free (pair->his);
  g_free (pair->her_map);
  g_free (pair->his_map);
  person_free (pair->alice);
  person_free (pair->bob);
  world_free (pair->world);
}

static void
test_a_neighbour_notices_nothing (Pair *pair,
                                  gconstpointer device)
{
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) opened = NULL;
  g_autofree char *map = NULL;

  person_kill (pair->alice);
  world_wait_gone (pair->world, pair->hers->path, 2000);
  /* Past the time in which the object would have been retired. */
  g_usleep (400 * 1000);
  person_expect_no_signal (pair->bob);
  world_expect_string (pair->world, pair->his->path, LEASE_INTERFACE, "State", "active");
  g_assert_cmpuint (world_get_uint (pair->world, SHM0, DEVICE_INTERFACE, "Lingering"), ==, 0);
  opened = person_open (carol, "shm0", "bar2", "rwm", "{}");
  map = person_map (carol, opened->fd, "r");
  g_assert_true (person_shares (pair->bob, pair->his->fd, carol, opened->fd));
  person_expect_text (carol, map, "shared");
}

/* Alice is gone and something of hers is not: who shared it gets a fresh one. */
static void
expect_retired (Pair *pair)
{
  gint64 start = g_get_monotonic_time ();
  g_autoptr (Opened) fresh = NULL;
  g_autoptr (Person) also_alice = NULL;
  g_autofree char *map = NULL;

  person_kill (pair->alice);
  person_wait_signal (pair->bob, pair->his->path, "Ended ('superseded',)");
  g_assert_cmpuint (milliseconds_since (start), <, CUT_DEADLINE);
  world_wait_string (pair->world, SHM0, DEVICE_INTERFACE, "State", "parked", CUT_DEADLINE);
  world_expect_string (pair->world, pair->hers->path, LEASE_INTERFACE, "State", "lingering");

  /* Bob, who did no wrong, has a fresh one at once; then he lets go of the old one. */
  fresh = person_open (pair->bob, "shm0", "bar2", "rwm", "{}");
  map = person_map (pair->bob, fresh->fd, "rw");
  person_expect_zeros (pair->bob, map);
  person_let_go (pair->bob, pair->his_map, pair->his->fd);
  world_wait_uint (pair->world, SHM0, DEVICE_INTERFACE, "Lingering", 1, 2000);

  /* Her user waits until the leak is gone. */
  also_alice = person_new ("alice", UID_ALICE);
  g_free (person_open_fails (also_alice, ERROR ("Lingering"), "shm0", "bar2", "rwm", "{}"));
  person_let_go (pair->bob, map, fresh->fd);
}

static void
expect_recovered (Pair *pair)
{
  g_autoptr (Person) also_alice = person_new ("alice", UID_ALICE);
  g_autoptr (Opened) opened = NULL;
  g_autofree char *map = NULL;

  world_wait_uint (pair->world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 2000);
  world_wait_no_leases (pair->world, 2000);
  opened = person_open (also_alice, "shm0", "bar2", "rwm", "{}");
  map = person_map (also_alice, opened->fd, "r");
  person_expect_zeros (also_alice, map);
}

static void
test_a_forked_child_keeps_the_mapping (Pair *pair,
                                       gconstpointer device)
{
  GPid child = person_fork (pair->alice, "map", pair->her_map);

  expect_retired (pair);
  person_end_child (child);
  expect_recovered (pair);
}

static void
test_a_forked_child_keeps_the_fd (Pair *pair,
                                  gconstpointer device)
{
  GPid child = person_fork (pair->alice, "fd", pair->hers->fd);

  expect_retired (pair);
  person_end_child (child);
  expect_recovered (pair);
}

static void
test_an_fd_was_passed_on (Pair *pair,
                          gconstpointer device)
{
  Person *carol = person_new ("carol", UID_CAROL);
  g_autofree char *fd = person_pass (pair->alice, pair->hers->fd, carol);

  expect_retired (pair);
  person_kill (carol);
  expect_recovered (pair);
  person_free (carol);
}

static void
test_a_passed_on_mapping_whose_fd_is_closed (Pair *pair,
                                             gconstpointer device)
{
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autofree char *fd = person_pass (pair->alice, pair->hers->fd, carol);
  g_autofree char *map = person_map (carol, fd, "rw");

  person_let_go (carol, NULL, fd);
  expect_retired (pair);
  person_let_go (carol, map, NULL);
  expect_recovered (pair);
}

static void
test_an_fd_lies_unread_in_a_socket (Pair *pair,
                                    gconstpointer device)
{
  int socket_fd = person_post (pair->alice, pair->hers->fd);

  expect_retired (pair);
  close (socket_fd);
  expect_recovered (pair);
}

/* Nobody shared it: nobody is told, and the device is free at once. */
static void
test_a_leak_that_hurts_nobody (Pair *pair,
                               gconstpointer device)
{
  g_autoptr (Person) also_alice = NULL;
  g_autoptr (Opened) opened = NULL;
  g_autofree char *map = NULL;
  GPid child;

  person_let_go (pair->bob, pair->his_map, pair->his->fd);
  person_wait_signal (pair->bob, pair->his->path, "Ended ('released',)");
  child = person_fork (pair->alice, "map", pair->her_map);
  person_kill (pair->alice);
  world_wait_uint (pair->world, SHM0, DEVICE_INTERFACE, "Lingering", 1, CUT_DEADLINE);
  world_wait_string (pair->world, SHM0, DEVICE_INTERFACE, "State", "parked", CUT_DEADLINE);
  also_alice = person_new ("alice", UID_ALICE);
  opened = person_open (also_alice, "shm0", "bar2", "rwm", "{}");
  map = person_map (also_alice, opened->fd, "r");
  person_expect_zeros (also_alice, map);
  person_end_child (child);
  world_wait_uint (pair->world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 2000);
}

static void
test_releasing_what_one_still_holds (Pair *pair,
                                     gconstpointer device)
{
  g_free (person_call (pair->alice, pair->hers->path, LEASE_INTERFACE, "Release", "()"));
  person_wait_signal (pair->alice, pair->hers->path, "Ended ('released',)");
  person_wait_signal (pair->bob, pair->his->path, "Ended ('superseded',)");
  g_free (person_open_fails (pair->alice, ERROR ("Lingering"), "shm0", "bar2", "rwm", "{}"));
  person_let_go (pair->alice, pair->her_map, pair->hers->fd);
  person_let_go (pair->bob, pair->his_map, pair->his->fd);
  world_wait_uint (pair->world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 2000);
  opened_free (person_open (pair->alice, "shm0", "bar2", "rwm", "{}"));
}

static void
test_the_other_region_is_left_alone (Pair *pair,
                                     gconstpointer device)
{
  g_autoptr (Opened) control = person_open (pair->bob, "shm0", "control", "rwm", "{}");
  g_autofree char *signals = NULL;

  person_fork (pair->alice, "map", pair->her_map);
  person_kill (pair->alice);
  person_wait_signal (pair->bob, pair->his->path, "Ended ('superseded',)");
  signals = person_signals (pair->bob);
  g_assert_null (strstr (signals, control->path));
  world_expect_string (pair->world, control->path, LEASE_INTERFACE, "State", "active");
}

static void
expect_evidence (const char *reply,
                 gboolean expected,
                 guint references,
                 const char *lease)
{
  g_autoptr (GVariant) answer = g_variant_parse (NULL, reply, NULL, NULL, NULL);
  g_autoptr (GVariant) evidence = NULL;
  g_autofree const char **proofs = NULL;
  g_autofree const char **leases = NULL;
  gboolean released;
  guint left;

  g_variant_get (answer, "(b@a{sv})", &released, &evidence);
  g_assert_cmpint (released, ==, expected);
  g_assert_true (g_variant_lookup (evidence, "references", "u", &left));
  g_assert_true (g_variant_lookup (evidence, "proofs", "^a&s", &proofs));
  g_assert_true (g_variant_lookup (evidence, "leases", "^a&o", &leases));
  g_assert_cmpuint (left, ==, references);
  g_assert_true (g_strv_contains (proofs, "setlease"));
  if (lease)
    g_assert_true (g_strv_contains (leases, lease));
  else
    g_assert_cmpuint (g_strv_length ((char **) leases), ==, 0);
}

static void
test_verify (Pair *pair,
             gconstpointer device)
{
  g_autofree char *now = NULL, *later = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = NULL;
  gint64 start;
  guint serial;
  GPid child;

  person_let_go (pair->bob, pair->his_map, pair->his->fd);
  person_wait_signal (pair->bob, pair->his->path, "Ended ('released',)");
  child = person_fork (pair->alice, "map", pair->her_map);
  person_kill (pair->alice);
  world_wait_uint (pair->world, SHM0, DEVICE_INTERFACE, "Lingering", 1, 2000);

  now = person_call (pair->bob, SHM0, DEVICE_INTERFACE, "Verify", "(@a{sv} {},)");
  expect_evidence (now, FALSE, 1, pair->hers->path);

  start = g_get_monotonic_time ();
  later = person_call (pair->bob, SHM0, DEVICE_INTERFACE, "Verify", "({'timeout': <uint32 300>},)");
  expect_evidence (later, FALSE, 1, pair->hers->path);
  g_assert_cmpuint (milliseconds_since (start), >=, 290);

  /* It returns as soon as the last one is gone. */
  serial = person_send (pair->bob, "call", SHM0, DEVICE_INTERFACE, "Verify", "({'timeout': <uint32 20000>},)", "",
                        NULL);
  g_free (person_do (pair->bob, "name", NULL));
  g_assert_false (person_has_answer (pair->bob, serial));
  start = g_get_monotonic_time ();
  person_end_child (child);
  strings = person_finish (pair->bob, serial, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (milliseconds_since (start), <, 2000);
  expect_evidence (strings[0], TRUE, 0, NULL);
}

static void
test_tolerate_leaves_the_others_alone (Pair *pair,
                                       gconstpointer device)
{
  g_autoptr (Person) also_alice = NULL;
  GPid child;

  world_expect_string (pair->world, pair->his->path, LEASE_INTERFACE, "Revocation", "on-close");
  child = person_fork (pair->alice, "map", pair->her_map);
  person_kill (pair->alice);
  world_wait_uint (pair->world, DEVICE_PREFIX "loose", DEVICE_INTERFACE, "Lingering", 1, 2000);
  person_expect_no_signal (pair->bob);
  world_expect_string (pair->world, pair->his->path, LEASE_INTERFACE, "State", "active");
  person_expect_text (pair->bob, pair->his_map, "shared");
  also_alice = person_new ("alice", UID_ALICE);
  opened_free (person_open (also_alice, "loose", "bar2", "rwm", "{}"));
  g_free (person_open_fails (also_alice, ERROR ("NotSupported"), "loose", "bar2", "rwm",
                             "{'revocation': <'detached'>}"));
  person_end_child (child);
  world_wait_uint (pair->world, DEVICE_PREFIX "loose", DEVICE_INTERFACE, "Lingering", 0, 2000);
}

static GPid
leak_whole (World *world)
{
  g_autoptr (Person) person = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) opened = person_open (person, "big", "whole", "rwm", "{}");
  GPid child = person_fork (person, "fd", opened->fd);

  person_kill (person);
  world_wait_string (world, opened->path, LEASE_INTERFACE, "State", "lingering", 2000);
  /* Its lifeline: the person is freed, the child is to stay. */
  g_assert_cmpint (person->anchor, >=, 0);
  person->anchor = -1;
  return child;
}

static void
test_what_is_leaked_counts (void)
{
  g_autoptr (World) world = world_new ("MaxMemory=20M\nMaxMemoryPerUser=20M");
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) opened = NULL;
  GPid children[2];

  world_set_rules (world, RULES_ALLOW_ALL);
  children[0] = leak_whole (world);
  children[1] = leak_whole (world);
  world_wait_uint (world, DEVICE_PREFIX "big", DEVICE_INTERFACE, "Lingering", 2, 2000);
  g_free (person_open_fails (bob, ERROR ("LimitExceeded"), "big", "whole", "rwm", "{}"));
  world_wait_string (world, DEVICE_PREFIX "big", DEVICE_INTERFACE, "State", "parked", CUT_DEADLINE);
  person_end_child (children[0]);
  world_wait_uint (world, DEVICE_PREFIX "big", DEVICE_INTERFACE, "Lingering", 1, 2000);
  opened = person_open (bob, "big", "whole", "rwm", "{}");
  person_end_child (children[1]);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
#define ADD(name, device, func) g_test_add ("/reference/" name, Pair, device, pair_set_up, func, pair_tear_down)
  ADD ("a-neighbour-notices-nothing", "shm0", test_a_neighbour_notices_nothing);
  ADD ("a-forked-child-keeps-the-mapping", "shm0", test_a_forked_child_keeps_the_mapping);
  ADD ("a-forked-child-keeps-the-fd", "shm0", test_a_forked_child_keeps_the_fd);
  ADD ("an-fd-was-passed-on", "shm0", test_an_fd_was_passed_on);
  ADD ("a-passed-on-mapping", "shm0", test_a_passed_on_mapping_whose_fd_is_closed);
  ADD ("an-fd-lies-unread", "shm0", test_an_fd_lies_unread_in_a_socket);
  ADD ("a-leak-that-hurts-nobody", "shm0", test_a_leak_that_hurts_nobody);
  ADD ("releasing-what-one-still-holds", "shm0", test_releasing_what_one_still_holds);
  ADD ("the-other-region", "shm0", test_the_other_region_is_left_alone);
  ADD ("verify", "shm0", test_verify);
  ADD ("tolerate", "loose", test_tolerate_leaves_the_others_alone);
  g_test_add_func ("/reference/what-is-leaked-counts", test_what_is_leaked_counts);
  return g_test_run ();
}
