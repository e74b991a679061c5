/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

#include "world.h"

/* Bob has a region that alice's pinned page is no part of, and "bob's" is in it. */
static void
expect_apart (Person *bob,
              const char *map,
              const char *seen)
{
  g_assert_cmpstr (seen, !=, "bob's");
  person_expect_text (bob, map, "bob's");
}

/* A page in a pipe is no reference that a test of the kernel's sees. */
static void
test_a_page_in_a_pipe (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) hers = NULL;
  g_autoptr (Opened) his = NULL;
  g_autofree char *her_map = NULL;
  g_autofree char *his_map = NULL;
  g_autofree char *pipe_fd = NULL;
  char page[4096] = { 0 };
  int pipe;

  world_set_rules (world, RULES_ALLOW_ALL);
  hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  her_map = person_map (alice, hers->fd, "rw");
  person_write (alice, her_map, "something");
  pipe_fd = person_do (alice, "splice", hers->fd, NULL);
  pipe = person_give (alice, pipe_fd);
  /* The pipe has the page itself, not a copy. */
  person_write (alice, her_map, "alice's");
  person_kill (alice);
  world_wait_no_leases (world, 2000);

  his = person_open (bob, "shm0", "bar2", "rwm", "{}");
  his_map = person_map (bob, his->fd, "rw");
  person_expect_zeros (bob, his_map);
  person_write (bob, his_map, "bob's");
  g_assert_cmpint (read (pipe, page, sizeof page - 1), >, 0);
  g_assert_true (g_str_has_prefix (page, "alice's"));
  expect_apart (bob, his_map, page);
  close (pipe);
}

static void
test_a_page_in_a_fixed_buffer (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) hers = NULL;
  g_autoptr (Opened) his = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) pinned = NULL;
  g_autofree char *his_map = NULL;
  g_autofree char *seen = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  pinned = person_finish (alice, person_send (alice, "pin", hers->fd, NULL), &error);
  if (!pinned)
    {
      g_test_skip (error->message);
      return;
    }
  /* The fd and the mapping are gone; the pin is seen by nobody. */
  person_wait_signal (alice, hers->path, "Ended ('released',)");
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);

  his = person_open (bob, "shm0", "bar2", "rwm", "{}");
  his_map = person_map (bob, his->fd, "rw");
  g_free (person_do (alice, "pinned-write", NULL));
  person_expect_zeros (bob, his_map);
  person_write (bob, his_map, "bob's");
  seen = person_do (alice, "pinned-read", NULL);
  g_assert_true (g_str_has_prefix (seen, "ZZZZ"));
  expect_apart (bob, his_map, seen);
}

/* What is kept is copied into a fresh object: the pin keeps an old page. */
static void
test_a_page_of_a_persistent_region (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) hers = NULL;
  g_autoptr (Opened) his = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) pinned = NULL;
  g_autofree char *her_map = NULL;
  g_autofree char *his_map = NULL;
  g_autofree char *seen = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  hers = person_open (alice, "kept", "bar2", "rwm", "{}");
  her_map = person_map (alice, hers->fd, "rw");
  person_write (alice, her_map, "kept");
  person_let_go (alice, her_map, NULL);
  pinned = person_finish (alice, person_send (alice, "pin", hers->fd, NULL), &error);
  if (!pinned)
    {
      g_test_skip (error->message);
      return;
    }
  person_wait_signal (alice, hers->path, "Ended ('released',)");
  world_wait_string (world, DEVICE_PREFIX "kept", DEVICE_INTERFACE, "State", "parked", 2000);
  g_free (person_do (alice, "pinned-write", NULL));

  his = person_open (bob, "kept", "bar2", "rwm", "{}");
  his_map = person_map (bob, his->fd, "rw");
  person_expect_text (bob, his_map, "kept");
  person_write (bob, his_map, "bob's");
  seen = person_do (alice, "pinned-read", NULL);
  expect_apart (bob, his_map, seen);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/pins/a-page-in-a-pipe", test_a_page_in_a_pipe);
  g_test_add_func ("/pins/a-page-in-a-fixed-buffer", test_a_page_in_a_fixed_buffer);
  g_test_add_func ("/pins/a-page-of-a-persistent-region", test_a_page_of_a_persistent_region);
  return g_test_run ();
}
