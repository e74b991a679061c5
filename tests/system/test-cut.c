/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"
#include "stay.h"

#define AT_ONCE "('enough', @a{sv} {})"

/* Alice is proxied; bob is proxied and carol maps the same memory. "shared" is in it. */
typedef struct
{
  World *world;
  Person *alice;
  Person *bob;
  Person *carol;
  Stay *hers;
  Stay *his;
  Stay *mapped;
} Three;

static void
three_set_up (Three *three,
              gconstpointer data)
{
  three->world = world_new ("");
  world_set_rules (three->world, RULES_ALLOW_ALL);
  three->alice = person_new ("alice", UID_ALICE);
  three->bob = person_new ("bob", UID_BOB);
  three->carol = person_new ("carol", UID_CAROL);
  three->hers = stay_begin (three->alice, "shm0", "bar2", "rw", "{}");
  three->his = stay_begin (three->bob, "shm0", "bar2", "rw", "{}");
  three->mapped = stay_begin (three->carol, "shm0", "bar2", "rwm", "{}");
  stay_write (three->hers, "shared");
}

static void
three_tear_down (Three *three,
                 gconstpointer data)
{
  stay_free (three->hers);
  stay_free (three->his);
  stay_free (three->mapped);
  person_free (three->alice);
  person_free (three->bob);
  person_free (three->carol);
  world_free (three->world);
}

static void
expect_nobody_else_noticed (Three *three)
{
  person_expect_no_signal (three->bob);
  person_expect_no_signal (three->carol);
  stay_write (three->his, "going on");
  stay_expect_text (three->mapped, "going on");
  stay_expect_text (three->his, "going on");
  world_expect_string (three->world, three->his->opened->path, LEASE_INTERFACE, "State", "active");
  world_expect_string (three->world, three->mapped->opened->path, LEASE_INTERFACE, "State", "active");
  /* An access that was under way is over soon. */
  world_wait_uint (three->world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 2000);
}

static void
take_back (Stay *stay,
           const char *arguments)
{
  g_free (person_call (stay->person, stay->opened->path, LEASE_INTERFACE, "Revoke", arguments));
}

static void
test_revoked_at_once (Three *three,
                      gconstpointer data)
{
  Stay *again;

  take_back (three->hers, AT_ONCE);
  stay_expect_cut_off (three->hers, NULL);
  person_wait_signal (three->alice, three->hers->opened->path, "Ended ('revoked',)");
  /* She still has the dead fd, and nothing of the lease is left. */
  world_wait_gone (three->world, three->hers->opened->path, 2000);
  expect_nobody_else_noticed (three);

  again = stay_begin (three->alice, "shm0", "bar2", "rw", "{}");
  stay_expect_text (again, "going on");
  stay_expect_cut_off (three->hers, NULL);
  stay_free (again);
}

static void
test_revoked_after_a_grace (Three *three,
                            gconstpointer data)
{
  gint64 start = g_get_monotonic_time ();

  take_back (three->hers, "('soon', {'grace': <uint32 300>})");
  person_wait_signal (three->alice, three->hers->opened->path, "RevokeRequested ('soon', 300)");
  stay_write (three->hers, "a word");
  stay_expect_text (three->mapped, "a word");
  person_wait_signal (three->alice, three->hers->opened->path, "Ended ('revoked',)");
  g_assert_cmpuint (milliseconds_since (start), >=, 290);
  stay_expect_cut_off (three->hers, NULL);
  expect_nobody_else_noticed (three);
}

/* A mapping cannot be taken from one alone. */
static void
test_a_mapping_is_taken_from_all (Three *three,
                                  gconstpointer data)
{
  Stay *fresh;

  take_back (three->mapped, AT_ONCE);
  person_wait_signal (three->carol, three->mapped->opened->path, "Ended ('revoked',)");
  person_wait_signal (three->alice, three->hers->opened->path, "Ended ('superseded',)");
  person_wait_signal (three->bob, three->his->opened->path, "Ended ('superseded',)");
  stay_expect_cut_off (three->hers, NULL);
  stay_expect_cut_off (three->his, NULL);

  /* Whoever opens again has fresh memory, whatever she does to hers. */
  fresh = stay_begin (three->bob, "shm0", "bar2", "rw", "{}");
  stay_expect_zeros (fresh);
  stay_write (three->mapped, "left alone");
  stay_expect_zeros (fresh);
  world_wait_uint (three->world, SHM0, DEVICE_INTERFACE, "Lingering", 1, 2000);
  stay_free (fresh);
}

static void
test_passed_on_to_others (Three *three,
                          gconstpointer data)
{
  g_autofree char *passed = person_pass (three->alice, three->hers->opened->fd, three->bob);
  g_autofree char *own = person_do (three->alice, "duplicate", three->hers->opened->fd, NULL);
  g_autofree char *again = person_do (three->alice, "open-again", three->hers->opened->fd, "rw", NULL);
  int in_flight = person_post (three->alice, three->hers->opened->fd);
  g_autofree char *found = person_do (three->bob, "pread", passed, "0", NULL);

  g_assert_cmpstr (found, ==, "shared");

  take_back (three->hers, AT_ONCE);
  g_free (person_fail (three->bob, "ENOTCONN", "pread", passed, "0", NULL));
  g_free (person_fail (three->bob, "ENOTCONN", "pwrite", passed, "0", "late", NULL));
  g_free (person_fail (three->alice, "ENOTCONN", "pread", own, "0", NULL));
  g_free (person_fail (three->alice, "ENOTCONN", "pwrite", again, "0", "late", NULL));
  g_free (person_fail (three->alice, "ENOTCONN", "open-again", own, "r", NULL));
  world_wait_gone (three->world, three->hers->opened->path, 2000);
  close (in_flight);
  stay_expect_text (three->mapped, "shared");
}

static void
expect_cut_off_while_hammering (Person *person)
{
  g_autofree char *name = person_do (person, "hammered", NULL);

  if (!g_str_equal (name, "ENOTCONN") && !g_str_equal (name, "ECONNABORTED") && !g_str_equal (name, "EIO"))
    g_error ("an access that was cut ended with %s", name);
}

static void
test_while_it_is_used (Three *three,
                       gconstpointer data)
{
  g_free (person_do (three->alice, "hammer", three->hers->opened->fd, NULL));
  take_back (three->hers, AT_ONCE);
  expect_cut_off_while_hammering (three->alice);
  stay_expect_cut_off (three->hers, NULL);
  expect_nobody_else_noticed (three);
}

static void
test_released_by_its_owner (Three *three,
                            gconstpointer data)
{
  g_free (person_call_fails (three->bob, DENIED, three->hers->opened->path, LEASE_INTERFACE, "Release", "()"));
  g_free (person_call (three->alice, three->hers->opened->path, LEASE_INTERFACE, "Release", "()"));
  stay_expect_cut_off (three->hers, NULL);
  person_wait_signal (three->alice, three->hers->opened->path, "Ended ('released',)");
  world_wait_gone (three->world, three->hers->opened->path, 2000);
  expect_nobody_else_noticed (three);
}

static void
test_the_last_close_ends_it (Three *three,
                             gconstpointer data)
{
  g_autofree char *passed = person_pass (three->alice, three->hers->opened->fd, three->bob);
  g_autofree char *words = NULL;

  stay_let_go (three->hers);
  g_free (person_do (three->bob, "pread", passed, "0", NULL));
  world_expect_string (three->world, three->hers->opened->path, LEASE_INTERFACE, "State", "active");
  g_free (person_do (three->bob, "close", passed, NULL));
  person_wait_signal (three->alice, three->hers->opened->path, "Ended ('released',)");
  world_wait_gone (three->world, three->hers->opened->path, 2000);
  words = g_strdup_printf ("end shm0:bar2 rw lease %s ", three->hers->opened->path);
  service_wait_log (words, ": released", NULL);
  expect_nobody_else_noticed (three);
}

static void
test_its_owner_is_killed (Three *three,
                          gconstpointer data)
{
  g_autofree char *passed = person_pass (three->alice, three->hers->opened->fd, three->bob);

  person_kill (three->alice);
  /* Nothing lingers, though somebody has a copy; it is dead. */
  world_wait_gone (three->world, three->hers->opened->path, 2000);
  g_free (person_fail (three->bob, "ENOTCONN", "pread", passed, "0", NULL));
  expect_nobody_else_noticed (three);
}

static void
test_the_only_one_is_killed (World *world,
                             Person *alice,
                             Person *bob)
{
  g_autoptr (Stay) hers = stay_begin (alice, "shm0", "bar2", "rw", "{}");
  g_autoptr (Stay) his = NULL;
  GPid child;

  stay_write (hers, "secret");
  child = person_fork (alice, "fd", hers->opened->fd);
  person_kill (alice);
  world_wait_gone (world, hers->opened->path, 2000);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  g_assert_cmpuint (world_get_uint (world, SHM0, DEVICE_INTERFACE, "Lingering"), ==, 0);
  his = stay_begin (bob, "shm0", "bar2", "rw", "{}");
  stay_expect_zeros (his);
  person_end_child (child);
}

static void
test_its_device_is_removed (Three *three,
                            gconstpointer data)
{
  g_free (person_call (three->bob, MANAGER_PATH, MANAGER_INTERFACE, "RemoveDevice",
                       "(objectpath '" SHM0 "', {'force': <true>})"));
  person_wait_signal (three->alice, three->hers->opened->path, "Ended ('removed',)");
  stay_expect_cut_off (three->hers, NULL);
  stay_expect_cut_off (three->his, NULL);
}

static void
test_verify_says_how_it_is_known (Three *three,
                                  gconstpointer data)
{
  g_autofree char *reply = NULL;
  g_autoptr (GVariant) answer = NULL, evidence = NULL;
  g_autofree const char **proofs = NULL;
  gboolean released;

  take_back (three->hers, AT_ONCE);
  reply = person_call (three->alice, SHM0, DEVICE_INTERFACE, "Verify", "({'timeout': <uint32 2000>},)");
  answer = g_variant_parse (NULL, reply, NULL, NULL, NULL);
  g_variant_get (answer, "(b@a{sv})", &released, &evidence);
  g_assert_true (released);
  g_assert_true (g_variant_lookup (evidence, "proofs", "^a&s", &proofs));
  g_assert_true (g_strv_contains (proofs, "fuse-release"));
}

static void
test_regiond_stops (Three *three,
                    gconstpointer data)
{
  process_signal (three->world->regiond, SIGTERM);
  g_assert_cmpint (process_wait (three->world->regiond), ==, 0);
  stay_expect_cut_off (three->hers, NULL);
  stay_expect_cut_off (three->his, NULL);
}

static void
test_regiond_is_killed (Three *three,
                        gconstpointer data)
{
  Stay *fresh;

  g_free (person_do (three->alice, "hammer", three->hers->opened->fd, NULL));
  process_free (g_steal_pointer (&three->world->regiond));
  expect_cut_off_while_hammering (three->alice);
  stay_expect_cut_off (three->hers, NULL);
  stay_expect_cut_off (three->his, NULL);
  three->world->regiond = service_start (three->world->root);
  stay_expect_cut_off (three->hers, NULL);
  fresh = stay_begin (three->bob, "shm0", "bar2", "rw", "{}");
  stay_expect_zeros (fresh);
  stay_free (fresh);
}

/* What is under way then goes on. */
static void
test_an_access_outlasts_a_standstill (Three *three,
                                      gconstpointer data)
{
  g_auto (GStrv) strings = NULL;
  g_autoptr (GError) error = NULL;
  guint serial;

  process_stop (three->world->regiond);
  serial = person_send (three->alice, "pread", three->hers->opened->fd, "0", NULL);
  g_assert_false (person_has_answer (three->alice, serial));
  process_signal (three->world->regiond, SIGCONT);
  strings = person_finish (three->alice, serial, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (strings[0], ==, "shared");
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
#define ADD(name, func) g_test_add ("/cut/" name, Three, NULL, three_set_up, func, three_tear_down)
  ADD ("revoked-at-once-and-nobody-else-notices", test_revoked_at_once);
  ADD ("revoked-after-a-grace", test_revoked_after_a_grace);
  ADD ("a-mapping-is-taken-from-all", test_a_mapping_is_taken_from_all);
  ADD ("passed-on-to-others-it-dies-with-the-lease", test_passed_on_to_others);
  ADD ("while-it-is-used", test_while_it_is_used);
  ADD ("released-by-its-owner", test_released_by_its_owner);
  ADD ("the-last-close-ends-it", test_the_last_close_ends_it);
  ADD ("its-owner-is-killed", test_its_owner_is_killed);
  scene_add ("/cut/the-only-one-is-killed-and-nothing-lingers", RULES_ALLOW_ALL, test_the_only_one_is_killed);
  ADD ("its-device-is-removed", test_its_device_is_removed);
  ADD ("verify-says-how-it-is-known", test_verify_says_how_it_is_known);
  ADD ("regiond-stops", test_regiond_stops);
  ADD ("regiond-is-killed", test_regiond_is_killed);
  ADD ("an-access-outlasts-a-standstill", test_an_access_outlasts_a_standstill);
  return g_test_run ();
}
