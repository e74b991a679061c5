/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "scene.h"

#define KEPT DEVICE_PREFIX "kept"
#define RESET SHM0, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"

/* Everything but resetting. */
#define RULES_NO_RESET \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id == 'org.regiond1.write-region') return polkit.Result.YES; });\n"

/* Leaves TEXT in the device's bar2 and goes; returns the object's inode. */
static char *
leave (World *world,
       const char *device,
       const char *text)
{
  g_autoptr (Person) person = person_new ("alice", UID_ALICE);
  g_autoptr (Opened) opened = person_open (person, device, "bar2", "rwm", "{}");
  g_autofree char *map = person_map (person, opened->fd, "rw");
  char *inode = person_do (person, "stat", opened->fd, "inode", NULL);

  person_write (person, map, text);
  person_let_go (person, map, opened->fd);
  world_wait_no_leases (world, 2000);
  return inode;
}

/* What a newcomer finds in the device's bar2: not the object INODE. */
static char *
find (const char *device,
      const char *inode)
{
  g_autoptr (Person) person = person_new ("bob", UID_BOB);
  g_autoptr (Opened) opened = person_open (person, device, "bar2", "rwm", "{}");
  g_autofree char *map = person_map (person, opened->fd, "r");
  g_autofree char *new_inode = person_do (person, "stat", opened->fd, "inode", NULL);

  g_assert_cmpstr (new_inode, !=, inode);
  return person_do (person, "read", map, "0", NULL);
}

static void
test_every_first_open_is_fresh (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *inode = NULL;
  g_autofree char *text = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  inode = leave (world, "shm0", "secret");
  text = find ("shm0", inode);
  g_assert_cmpstr (text, ==, "");
}

static void
test_persistent_contents_stay (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *inode = NULL;
  g_autofree char *text = NULL;
  g_autofree char *after_reset = NULL;
  g_autofree char *second = NULL;
  g_autofree char *after_restart = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  inode = leave (world, "kept", "kept for you");
  world_expect_string (world, KEPT, DEVICE_INTERFACE, "State", "parked");
  /* The contents, not the object. */
  text = find ("kept", inode);
  g_assert_cmpstr (text, ==, "kept for you");
  world_wait_no_leases (world, 2000);

  g_free (person_call (world->witness, KEPT, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"));
  after_reset = find ("kept", NULL);
  g_assert_cmpstr (after_reset, ==, "");
  world_wait_no_leases (world, 2000);

  second = leave (world, "kept", "kept for you");
  process_free (g_steal_pointer (&world->regiond));
  world->regiond = service_start (world->root);
  after_restart = find ("kept", NULL);
  g_assert_cmpstr (after_restart, ==, "");
}

static void
test_a_leak_does_not_write_what_is_kept (World *world,
                                         Person *alice,
                                         Person *bob)
{
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) opened = person_open (alice, "kept", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (alice, opened->fd, "rw");
  g_autofree char *fd = NULL, *leaked = NULL, *text = NULL;

  person_write (alice, map, "before");
  fd = person_pass (alice, opened->fd, carol);
  leaked = person_map (carol, fd, "rw");
  person_kill (alice);
  world_wait_uint (world, KEPT, DEVICE_INTERFACE, "Lingering", 1, 2000);
  world_wait_string (world, KEPT, DEVICE_INTERFACE, "State", "parked", 2000);
  g_free (person_do (carol, "fill", leaked, NULL));
  text = find ("kept", NULL);
  g_assert_cmpstr (text, ==, "before");
}

static void
test_the_exclusive_owner_resets (World *world,
                                 Person *alice,
                                 Person *bob)
{
  g_autoptr (Opened) opened = NULL, again = NULL;
  g_autofree char *map = NULL, *allocated = NULL;

  world_set_rules (world, RULES_NO_RESET);
  opened = person_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  map = person_map (alice, opened->fd, "rw");
  g_free (person_do (alice, "fill", map, NULL));
  g_free (person_call (alice, RESET));
  /* The same object, empty, under the same mapping, and all there. */
  person_expect_zeros (alice, map);
  allocated = person_do (alice, "stat", opened->fd, "allocated", NULL);
  g_assert_cmpstr (allocated, ==, "1048576");
  again = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_assert_true (person_shares (alice, opened->fd, alice, again->fd));
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "active");
  person_expect_no_signal (alice);
  /* Nobody is asked for a password for what cannot be had. */
  person_write (alice, map, "mine");
  g_free (person_call_fails (bob, ERROR ("Busy"), RESET));
  person_expect_text (alice, map, "mine");
  service_wait_log ("eset", "shm0", alice->name, NULL);
}

static void
test_others_need_to_be_let (World *world,
                            Person *alice,
                            Person *bob)
{
  g_autoptr (Opened) opened = NULL;
  g_autofree char *map = NULL, *message = NULL;

  world_set_rules (world, RULES_NO_RESET);
  opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  map = person_map (alice, opened->fd, "rw");
  person_write (alice, map, "mine");
  message = person_call_fails (alice, NEEDS_PROMPT, RESET);
  g_assert_nonnull (strstr (message, ACTION_RESET));
  person_expect_text (alice, map, "mine");

  world_set_rules (world, RULES_ALLOW_ALL);
  g_free (person_call (alice, RESET));
  person_expect_zeros (alice, map);
}

static void
test_not_while_somebody_else_holds_it (World *world,
                                       Person *alice,
                                       Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (alice, opened->fd, "rw");

  person_write (alice, map, "mine");
  g_free (person_call_fails (bob, ERROR ("Busy"), RESET));
  person_expect_text (alice, map, "mine");
}

static void
test_a_parked_device_is_reset (World *world,
                               Person *alice,
                               Person *bob)
{
  g_free (person_call (alice, RESET));
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/reset/every-first-open-is-fresh", test_every_first_open_is_fresh);
  g_test_add_func ("/reset/persistent-contents-stay", test_persistent_contents_stay);
  scene_add ("/reset/a-leak-does-not-write-what-is-kept", RULES_ALLOW_ALL, test_a_leak_does_not_write_what_is_kept);
  scene_add ("/reset/the-exclusive-owner", "", test_the_exclusive_owner_resets);
  scene_add ("/reset/others-need-to-be-let", "", test_others_need_to_be_let);
  scene_add ("/reset/not-while-somebody-else-holds-it", RULES_ALLOW_ALL, test_not_while_somebody_else_holds_it);
  scene_add ("/reset/a-parked-device", RULES_ALLOW_ALL, test_a_parked_device_is_reset);
  return g_test_run ();
}
