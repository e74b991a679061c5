/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "scene.h"

#define ADD MANAGER_PATH, MANAGER_INTERFACE, "AddMemoryDevice"
#define REMOVE MANAGER_PATH, MANAGER_INTERFACE, "RemoveDevice"
#define NEW DEVICE_PREFIX "new"

static void
test_get_device (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *reply = person_call (world->witness, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)");
  g_autofree char *version = world_get_string (world, MANAGER_PATH, MANAGER_INTERFACE, "Version");

  g_assert_cmpstr (reply, ==, "(objectpath '" SHM0 "',)");
  g_assert_cmpstr (version, !=, "");
  g_free (person_call_fails (world->witness, ERROR ("NotFound"), MANAGER_PATH, MANAGER_INTERFACE, "GetDevice",
                             "('nothing',)"));
}

static void
test_add_open_remove (World *world,
                      Person *alice,
                      Person *bob)
{
  g_autoptr (Opened) opened = NULL;
  g_autofree char *map = NULL;

  g_free (person_call (alice, ADD, "('new', [('a', uint64 4096), ('b.2', 65536)],"
                                   " {'description': <'A new one'>, 'persist': <true>})"));
  g_assert_true (world_has_object (world, NEW));
  world_expect_string (world, NEW, DEVICE_INTERFACE, "Description", "A new one");
  world_expect_string (world, NEW, DEVICE_INTERFACE, "State", "parked");
  opened = person_open (alice, "new", "b.2", "rwm", "{}");
  map = person_map (alice, opened->fd, "rw");
  person_expect_zeros (alice, map);
  person_write (alice, map, "kept");

  g_free (person_call_fails (alice, ERROR ("Busy"), REMOVE, "(objectpath '" NEW "', @a{sv} {})"));
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "active");

  person_let_go (alice, map, opened->fd);
  world_wait_no_leases (world, 2000);
  g_free (person_call (alice, REMOVE, "(objectpath '" NEW "', @a{sv} {})"));
  g_assert_false (world_has_object (world, NEW));
  g_free (person_call_fails (alice, ERROR ("NotFound"), REMOVE, "(objectpath '" NEW "', @a{sv} {})"));
}

static void
test_what_was_kept_goes_with_the_device (World *world,
                                         Person *alice,
                                         Person *bob)
{
  guint before = 0;

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (Opened) opened = NULL;
      g_autofree char *map = NULL;

      g_free (person_call (alice, ADD, "('new', [('a', uint64 65536)], {'persist': <true>})"));
      opened = person_open (alice, "new", "a", "rwm", "{}");
      map = person_map (alice, opened->fd, "rw");
      person_expect_zeros (alice, map);
      person_write (alice, map, "kept");
      person_let_go (alice, map, opened->fd);
      world_wait_no_leases (world, 2000);
      g_free (person_call (alice, REMOVE, "(objectpath '" NEW "', @a{sv} {})"));
      if (i == 0)
        before = process_count_fds (world->regiond);
    }
  world_wait_fds (world, before);
}

static void
test_removal_by_force (World *world,
                       Person *alice,
                       Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (alice, opened->fd, "rw");

  g_free (person_call (bob, REMOVE, "(objectpath '" SHM0 "', {'force': <true>})"));
  person_wait_signal (alice, opened->path, "Ended ('removed',)");
  person_expect_no_signal (bob);
  g_assert_false (world_has_object (world, SHM0));
  g_free (person_call_fails (bob, ERROR ("NotFound"), MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  /* Its name is free, and the next of that name is another device. */
  g_free (person_call (bob, ADD, "('shm0', [('bar2', uint64 1048576)], @a{sv} {})"));
  {
    g_autoptr (Opened) fresh = person_open (bob, "shm0", "bar2", "rwm", "{}");
    g_autofree char *fresh_map = person_map (bob, fresh->fd, "r");

    g_free (person_do (alice, "fill", map, NULL));
    person_expect_zeros (bob, fresh_map);
  }
}

static void
test_managing_is_not_for_everybody (World *world,
                                    Person *alice,
                                    Person *bob)
{
  g_autofree char *add = person_call_fails (alice, NEEDS_PROMPT, ADD, "('new', [('a', uint64 4096)], @a{sv} {})");
  g_autofree char *remove = person_call_fails (alice, NEEDS_PROMPT, REMOVE, "(objectpath '" SHM0 "', @a{sv} {})");

  g_assert_nonnull (strstr (add, ACTION_MANAGE));
  g_assert_nonnull (strstr (remove, ACTION_MANAGE));
  g_assert_false (world_has_object (world, NEW));
  g_assert_true (world_has_object (world, SHM0));
}

static void
test_an_agent_lets_one_manage (World *world,
                               Person *alice,
                               Person *bob)
{
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_YES);
  g_autofree char *message = NULL;

  g_free (person_call (alice, ADD, "('new', [('a', uint64 4096)], {'interactive': <true>})"));
  message = agent_get_message (agent);
  g_assert_nonnull (strstr (message, "new"));
  g_assert_true (world_has_object (world, NEW));
}

static void
test_not_more_than_max_memory (void)
{
  g_autoptr (World) world = world_new ("MaxMemory=16M");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);

  world_set_rules (world, RULES_ALLOW_ALL);
  /* Some 9.3 MiB are configured; what is kept counts twice. */
  g_free (person_call_fails (alice, ERROR ("LimitExceeded"), ADD, "('new', [('a', uint64 8388608)], @a{sv} {})"));
  g_free (person_call_fails (alice, ERROR ("LimitExceeded"), ADD,
                             "('new', [('a', uint64 4194304)], {'persist': <true>})"));
  g_assert_false (world_has_object (world, NEW));
  g_free (person_call (alice, ADD, "('new', [('a', uint64 4194304)], @a{sv} {})"));
  g_free (person_call (alice, REMOVE, "(objectpath '" NEW "', @a{sv} {})"));
  g_free (person_call (alice, ADD, "('new', [('a', uint64 4194304)], @a{sv} {})"));
}

/* Two of the same name, both waiting for polkit: one of them is too late. */
static void
test_two_add_the_same (World *world,
                       Person *alice,
                       Person *bob)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) one = NULL;
  g_auto (GStrv) two = NULL;
  guint hers, his;

  process_stop (world->polkitd);
  hers = person_send (alice, "call", ADD, "('new', [('a', uint64 4096)], @a{sv} {})", "", NULL);
  his = person_send (bob, "call", ADD, "('new', [('a', uint64 8192)], @a{sv} {})", "", NULL);
  g_free (person_call (alice, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  g_free (person_call (bob, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  process_signal (world->polkitd, SIGCONT);
  one = person_finish (alice, hers, &error);
  two = person_finish (bob, his, error ? NULL : &error);
  g_assert_true ((one == NULL) != (two == NULL));
  g_assert_true (g_str_has_prefix (error->message, ERROR ("Busy")));
}

/* The device goes while polkit is asked about its region. */
static void
test_removed_while_somebody_opens (World *world,
                                   Person *alice,
                                   Person *bob)
{
  g_autofree char *message = NULL;
  guint serial;

  process_stop (world->polkitd);
  serial = person_send_open (alice, "shm0", "bar2", "rwm", "{}", "");
  g_free (person_call (alice, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  /* Root is let in without polkitd's rules, but polkitd is asked all the same. */
  process_signal (world->polkitd, SIGCONT);
  {
    g_autoptr (GVariant) reply = world_call (world, REMOVE, g_variant_new_parsed ("(%o, {'force': <true>})", SHM0));
    g_auto (GStrv) strings = person_finish (alice, serial, NULL);

    /* Either it came first and has lost the lease, or it came too late. */
    if (strings)
      {
        g_autoptr (GVariant) opened = g_variant_parse (NULL, strings[0], NULL, NULL, NULL);
        g_autofree char *path = NULL;

        g_variant_get (opened, "(ho)", NULL, &path);
        person_wait_signal (alice, path, "Ended ('removed',)");
      }
  }
  g_assert_false (world_has_object (world, SHM0));
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/manager/get-device", test_get_device);
  scene_add ("/manager/add-open-remove", RULES_ALLOW_ALL, test_add_open_remove);
  scene_add ("/manager/what-was-kept-goes-with-the-device", RULES_ALLOW_ALL, test_what_was_kept_goes_with_the_device);
  scene_add ("/manager/removal-by-force", RULES_ALLOW_ALL, test_removal_by_force);
  scene_add ("/manager/managing-is-not-for-everybody", "", test_managing_is_not_for_everybody);
  scene_add ("/manager/an-agent-lets-one-manage", "", test_an_agent_lets_one_manage);
  g_test_add_func ("/manager/not-more-than-max-memory", test_not_more_than_max_memory);
  scene_add ("/manager/two-add-the-same", RULES_ALLOW_ALL, test_two_add_the_same);
  scene_add ("/manager/removed-while-somebody-opens", RULES_ALLOW_ALL, test_removed_while_somebody_opens);
  return g_test_run ();
}
