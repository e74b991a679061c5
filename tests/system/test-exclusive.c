/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>

#include "scene.h"

static void
test_busy_while_others_hold_it (World *world,
                                Person *alice,
                                Person *bob)
{
  g_autoptr (Opened) his = person_open (bob, "shm0", "control", "rm", "{}");
  g_autoptr (Opened) hers = NULL;

  /* The device is meant, not the region. */
  g_free (person_open_fails (alice, ERROR ("Busy"), "shm0", "bar2", "rwm", "{'exclusive': <true>}"));
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "Exclusive", "");
  world_expect_string (world, his->path, LEASE_INTERFACE, "State", "active");
  person_let_go (bob, NULL, his->fd);
  world_wait_no_leases (world, 2000);
  hers = person_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "Exclusive", alice->name);
}

static void
test_nobody_else_gets_in (World *world,
                          Person *alice,
                          Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  g_autoptr (Opened) more = NULL, his = NULL;

  g_free (person_open_fails (bob, ERROR ("Busy"), "shm0", "bar2", "rm", "{}"));
  g_free (person_open_fails (bob, ERROR ("Busy"), "shm0", "control", "rm", "{}"));
  g_free (person_open_fails (bob, ERROR ("Busy"), "shm0", "control", "rm", "{'exclusive': <true>}"));
  /* Herself, yes. */
  more = person_open (alice, "shm0", "control", "rwm", "{}");
  /* The other device is not meant. */
  his = person_open (bob, "kept", "bar2", "rm", "{}");
}

static void
test_it_ends_with_the_lease (World *world,
                             Person *alice,
                             Person *bob)
{
  g_autoptr (Opened) first = person_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  g_autoptr (Opened) second = person_open (alice, "shm0", "control", "rwm", "{}");
  g_autoptr (Opened) his = NULL;

  person_let_go (alice, NULL, first->fd);
  person_wait_signal (alice, first->path, "Ended ('released',)");
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "Exclusive", "", 2000);
  his = person_open (bob, "shm0", "bar2", "rwm", "{}");
  world_expect_string (world, second->path, LEASE_INTERFACE, "State", "active");
}

static void
test_it_ends_with_the_client (World *world,
                              Person *alice,
                              Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  g_autoptr (Opened) his = NULL;

  person_kill (alice);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "Exclusive", "", 2000);
  world_wait_no_leases (world, 2000);
  his = person_open (bob, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "Exclusive", bob->name);
}

static void
test_lingering_references_of_others (World *world,
                                     Person *alice,
                                     Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) plain = NULL, exclusive = NULL;
  GPid child;

  child = person_fork (alice, "fd", hers->fd);
  person_kill (alice);
  world_wait_uint (world, SHM0, DEVICE_INTERFACE, "Lingering", 1, 2000);
  g_free (person_open_fails (bob, ERROR ("Lingering"), "shm0", "bar2", "rwm", "{'exclusive': <true>}"));
  plain = person_open (bob, "shm0", "bar2", "rwm", "{}");
  person_let_go (bob, NULL, plain->fd);
  person_end_child (child);
  world_wait_uint (world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 2000);
  exclusive = person_open (bob, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
}

/* Both were asked for when nothing was open: one of them is too late. */
static void
test_two_at_the_same_time (World *world,
                           Person *alice,
                           Person *bob)
{
  guint hers, his;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) one = NULL;
  g_auto (GStrv) two = NULL;

  process_stop (world->polkitd);
  hers = person_send_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}", "");
  his = person_send_open (bob, "shm0", "bar2", "rwm", "{'exclusive': <true>}", "");
  g_free (person_call (alice, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  g_free (person_call (bob, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  process_signal (world->polkitd, SIGCONT);
  one = person_finish (alice, hers, &error);
  two = person_finish (bob, his, error ? NULL : &error);
  g_assert_true ((one == NULL) != (two == NULL));
  g_assert_true (g_str_has_prefix (error->message, ERROR ("Busy")));
  g_assert_cmpuint (world_count_leases (world), ==, 1);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/exclusive/busy-while-others-hold-it", RULES_ALLOW_ALL, test_busy_while_others_hold_it);
  scene_add ("/exclusive/nobody-else-gets-in", RULES_ALLOW_ALL, test_nobody_else_gets_in);
  scene_add ("/exclusive/it-ends-with-the-lease", RULES_ALLOW_ALL, test_it_ends_with_the_lease);
  scene_add ("/exclusive/it-ends-with-the-client", RULES_ALLOW_ALL, test_it_ends_with_the_client);
  scene_add ("/exclusive/lingering-references-of-others", RULES_ALLOW_ALL, test_lingering_references_of_others);
  scene_add ("/exclusive/two-at-the-same-time", RULES_ALLOW_ALL, test_two_at_the_same_time);
  return g_test_run ();
}
