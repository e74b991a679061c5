/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "scene.h"

static guint64
number_of (const char *path)
{
  g_assert_true (g_str_has_prefix (path, "/org/regiond1/leases/"));
  return g_ascii_strtoull (strrchr (path, '/') + 1, NULL, 10);
}

static void
release (Person *person,
         const char *path)
{
  g_free (person_call (person, path, LEASE_INTERFACE, "Release", "()"));
}

static void
expect_fresh (World *world,
              Person *person)
{
  g_autoptr (Opened) opened = person_open (person, "shm0", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (person, opened->fd, "rw");

  person_expect_zeros (person, map);
  person_let_go (person, map, opened->fd);
}

static void
test_a_killed_client_loses_everything (World *world,
                                       Person *alice,
                                       Person *bob)
{
  gint64 start;

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
      g_autofree char *map = person_map (alice, opened->fd, "rw");

      g_free (person_do (alice, "fill", map, NULL));
    }
  g_assert_cmpuint (world_count_leases (world), ==, 3);

  start = g_get_monotonic_time ();
  person_kill (alice);
  world_wait_no_leases (world, 2000);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  g_test_message ("parked after %u ms", milliseconds_since (start));
  g_assert_cmpuint (world_get_uint (world, SHM0, DEVICE_INTERFACE, "Lingering"), ==, 0);
  expect_fresh (world, bob);
  /* "disconnected", or "released" where the kernel's news comes before the bus's. */
  service_wait_log ("end shm0:bar2", alice->name, NULL);
}

static void
test_a_client_that_exits_loses_everything (World *world,
                                           Person *alice,
                                           Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}");

  person_send (alice, "exit", NULL);
  process_wait (alice->process);
  world_wait_no_leases (world, 2000);
  expect_fresh (world, bob);
}

static void
test_a_client_that_leaves_the_bus_loses_everything (World *world,
                                                    Person *alice,
                                                    Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *name = g_strdup (alice->name);

  g_free (person_do (alice, "drop", NULL));
  service_wait_log ("end shm0:bar2", name, "disconnected", NULL);
  g_clear_pointer (&name, g_free);
  /* It is alive and holds the fd: that is a reference, no lease. */
  world_wait_uint (world, SHM0, DEVICE_INTERFACE, "Lingering", 1, 2000);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "lingering");
  expect_fresh (world, bob);
  person_let_go (alice, NULL, opened->fd);
  world_wait_uint (world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 2000);
  name = person_do (alice, "connect", NULL);
  expect_fresh (world, alice);
}

static void
test_release (World *world,
              Person *alice,
              Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) other = person_open (alice, "shm0", "bar2", "rwm", "{}");

  /* Somebody else may not, whatever polkit says. */
  g_free (person_call_fails (bob, DENIED, opened->path, LEASE_INTERFACE, "Release", "()"));
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "active");

  release (alice, opened->path);
  person_wait_signal (alice, opened->path, "Ended ('released',)");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "leased");
  g_free (person_call_fails (alice, ERROR ("Gone"), opened->path, LEASE_INTERFACE, "Release", "()"));
  person_expect_no_signal (bob);
}

static void
test_closing_the_fd_is_enough (World *world,
                               Person *alice,
                               Person *bob)
{
  g_autoptr (Opened) alone = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) hers = NULL, his = NULL;
  g_autofree char *his_map = NULL;

  person_let_go (alice, NULL, alone->fd);
  person_wait_signal (alice, alone->path, "Ended ('released',)");
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);

  /* Also where somebody else still has the region. */
  hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  his = person_open (bob, "shm0", "bar2", "rwm", "{}");
  his_map = person_map (bob, his->fd, "rw");
  person_write (bob, his_map, "his");
  person_let_go (alice, NULL, hers->fd);
  person_wait_signal (alice, hers->path, "Ended ('released',)");
  world_expect_string (world, his->path, LEASE_INTERFACE, "State", "active");
  person_expect_text (bob, his_map, "his");
  person_expect_no_signal (bob);
}

static void
test_a_mapping_keeps_the_lease (World *world,
                                Person *alice,
                                Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (alice, opened->fd, "rw");
  g_autofree char *copy = person_do (alice, "duplicate", opened->fd, NULL);

  person_let_go (alice, NULL, opened->fd);
  person_let_go (alice, NULL, copy);
  /* Longer than any proof takes. */
  g_usleep (400 * 1000);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "active");
  person_expect_no_signal (alice);
  person_let_go (alice, map, NULL);
  person_wait_signal (alice, opened->path, "Ended ('released',)");
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
}

#define GRACE(ms) opened->path, LEASE_INTERFACE, "Revoke", "('maintenance', {'grace': <uint32 " ms ">})"

static void
test_revoke_with_grace (World *world,
                        Person *alice,
                        Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  gint64 start;

  start = g_get_monotonic_time ();
  g_free (person_call (bob, GRACE ("500")));
  g_assert_cmpuint (milliseconds_since (start), <, 400);
  person_wait_signal (alice, opened->path, "RevokeRequested ('maintenance', 500)");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "revoking");
  person_wait_signal (alice, opened->path, "Ended ('revoked',)");
  g_assert_cmpuint (milliseconds_since (start), >=, 490);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "lingering");
  /* Only the owner hears of it: bob listens to everything. */
  person_expect_no_signal (bob);
  person_expect_no_signal (world->witness);
  service_wait_log ("shm0", "bar2", alice->name, "revoked", NULL);
}

static void
test_a_grace_is_shortened_never_lengthened (World *world,
                                            Person *alice,
                                            Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  gint64 start;

  start = g_get_monotonic_time ();
  g_free (person_call (bob, GRACE ("20000")));
  g_free (person_call (bob, GRACE ("300")));
  g_free (person_call (bob, GRACE ("20000")));
  person_wait_signal (alice, opened->path, "Ended ('revoked',)");
  g_assert_cmpuint (milliseconds_since (start), >=, 290);
}

static void
test_revoke_at_once (World *world,
                     Person *alice,
                     Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (alice, opened->fd, "rw");
  g_autofree char *signals = NULL;

  g_free (person_call (bob, opened->path, LEASE_INTERFACE, "Revoke", "('now', @a{sv} {})"));
  person_wait_signal (alice, opened->path, "Ended ('revoked',)");
  signals = person_signals (alice);
  g_assert_null (strstr (signals, "RevokeRequested"));
  /* She still holds it: nothing that comes later shows in what she holds. */
  expect_fresh (world, bob);
  g_free (person_do (alice, "fill", map, NULL));
  expect_fresh (world, bob);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "lingering");
  person_let_go (alice, map, opened->fd);
  world_wait_no_leases (world, 2000);
}

static void
test_a_good_client_ends_within_the_grace (World *world,
                                          Person *alice,
                                          Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");

  g_free (person_call (bob, GRACE ("20000")));
  person_wait_signal (alice, opened->path, "RevokeRequested ('maintenance', 20000)");
  person_let_go (alice, NULL, opened->fd);
  world_wait_no_leases (world, 2000);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
}

static void
test_revoking_is_not_for_everybody (World *world,
                                    Person *alice,
                                    Person *bob)
{
  g_autoptr (Opened) opened = NULL;
  g_autofree char *message = NULL;

  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (action.id == 'org.regiond1.write-region') return polkit.Result.YES;"
                          "  if (action.id == 'org.regiond1.revoke-lease' && subject.user == 'carol' &&"
                          "      action.lookup('device') == 'shm0' && action.lookup('region') == 'bar2' &&"
                          "      action.lookup('access') == 'rwm') return polkit.Result.YES; });");
  opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  message = person_call_fails (bob, NEEDS_PROMPT, opened->path, LEASE_INTERFACE, "Revoke", "('x', @a{sv} {})");
  g_assert_nonnull (strstr (message, ACTION_REVOKE));
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "active");
  {
    g_autoptr (Person) carol = person_new ("carol", UID_CAROL);

    g_free (person_call (carol, opened->path, LEASE_INTERFACE, "Revoke", "('x', @a{sv} {})"));
    g_free (person_call_fails (carol, ERROR ("Gone"), opened->path, LEASE_INTERFACE, "Revoke", "('x', @a{sv} {})"));
  }
  person_wait_signal (alice, opened->path, "Ended ('revoked',)");
}

static void
test_a_number_is_never_used_again (World *world,
                                   Person *alice,
                                   Person *bob)
{
  g_autofree char *generation = world_get_string (world, MANAGER_PATH, MANAGER_INTERFACE, "Generation");
  guint64 last = 0;
  g_autofree char *next_generation = NULL;

  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");

      g_assert_cmpuint (number_of (opened->path), >, last);
      last = number_of (opened->path);
      person_let_go (alice, NULL, opened->fd);
      if (i != 1)
        continue;
      process_free (g_steal_pointer (&world->regiond));
      world->regiond = service_start (world->root);
    }
  next_generation = world_get_string (world, MANAGER_PATH, MANAGER_INTERFACE, "Generation");
  g_assert_cmpstr (generation, !=, next_generation);
}

static void
test_every_grant_and_refusal_is_logged (World *world,
                                        Person *alice,
                                        Person *bob)
{
  g_autofree char *pid = g_strdup_printf ("%d", alice->process->pid);
  g_autoptr (Opened) opened = NULL;

  g_free (person_open_fails (alice, NEEDS_PROMPT, "shm0", "control", "rm", "{}"));
  service_wait_log ("shm0", "control", "rm", "2001", pid, alice->name, NULL);
  world_set_rules (world, RULES_ALLOW_ALL);
  opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  service_wait_log ("shm0", "bar2", "rwm", "2001", pid, alice->name, NULL);
  g_free (person_call (alice, SHM0, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"));
  service_wait_log ("eset", "shm0", alice->name, NULL);
  release (alice, opened->path);
  service_wait_log ("shm0", "bar2", alice->name, "released", NULL);
}

/* She may, as anybody may; but what she keeps of the old costs her the new, and then she waits until she lets go. */
static void
test_who_answers_a_revocation_by_opening_again_keeps_nothing (World *world,
                                                              Person *alice,
                                                              Person *bob)
{
  g_autoptr (Opened) old = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (alice, old->fd, "rw");
  g_autoptr (Opened) again = NULL, later = NULL;
  g_autofree char *later_map = NULL;

  person_write (alice, map, "hers");
  g_variant_unref (world_call (world, old->path, LEASE_INTERFACE, "Revoke",
                               g_variant_new_parsed ("('enough', {'grace': <@u 300>})")));
  person_wait_signal (alice, old->path, "RevokeRequested ('enough', 300)");
  again = person_open (alice, "shm0", "bar2", "rwm", "{}");
  person_wait_signal (alice, old->path, "Ended ('revoked',)");
  person_wait_signal (alice, again->path, "Ended ('superseded',)");
  g_free (person_open_fails (alice, ERROR ("Lingering"), "shm0", "bar2", "rwm", "{}"));

  person_let_go (alice, map, old->fd);
  person_let_go (alice, NULL, again->fd);
  world_wait_no_leases (world, 5000);
  later = person_open (alice, "shm0", "bar2", "rwm", "{}");
  later_map = person_map (alice, later->fd, "rw");
  person_expect_zeros (alice, later_map);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/lease/a-killed-client", RULES_ALLOW_ALL, test_a_killed_client_loses_everything);
  scene_add ("/lease/a-client-that-exits", RULES_ALLOW_ALL, test_a_client_that_exits_loses_everything);
  scene_add ("/lease/a-client-that-leaves-the-bus", RULES_ALLOW_ALL,
             test_a_client_that_leaves_the_bus_loses_everything);
  scene_add ("/lease/release", RULES_ALLOW_ALL, test_release);
  scene_add ("/lease/closing-the-fd-is-enough", RULES_ALLOW_ALL, test_closing_the_fd_is_enough);
  scene_add ("/lease/a-mapping-keeps-the-lease", RULES_ALLOW_ALL, test_a_mapping_keeps_the_lease);
  scene_add ("/lease/revoke-with-grace", RULES_ALLOW_ALL, test_revoke_with_grace);
  scene_add ("/lease/a-grace-is-shortened", RULES_ALLOW_ALL, test_a_grace_is_shortened_never_lengthened);
  scene_add ("/lease/revoke-at-once", RULES_ALLOW_ALL, test_revoke_at_once);
  scene_add ("/lease/a-good-client", RULES_ALLOW_ALL, test_a_good_client_ends_within_the_grace);
  scene_add ("/lease/revoking-is-not-for-everybody", "", test_revoking_is_not_for_everybody);
  scene_add ("/lease/a-number-is-never-used-again", RULES_ALLOW_ALL, test_a_number_is_never_used_again);
  scene_add ("/lease/every-grant-and-refusal-is-logged", "", test_every_grant_and_refusal_is_logged);
  scene_add ("/lease/who-answers-a-revocation-by-opening-again-keeps-nothing", RULES_ALLOW_ALL,
             test_who_answers_a_revocation_by_opening_again_keeps_nothing);
  return g_test_run ();
}
