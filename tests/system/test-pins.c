/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

#include "scene.h"

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
test_a_page_in_a_pipe (World *world,
                       Person *alice,
                       Person *bob)
{
  char page[4096] = { 0 };
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *her_map = person_map (alice, hers->fd, "rw");
  g_autoptr (Opened) his = NULL;
  g_autofree char *his_map = NULL, *pipe_fd = NULL;
  int pipe;

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
test_a_page_in_a_fixed_buffer (World *world,
                               Person *alice,
                               Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) his = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) pinned = NULL;
  g_autofree char *his_map = NULL, *seen = NULL;

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
test_a_page_of_a_persistent_region (World *world,
                                    Person *alice,
                                    Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "kept", "bar2", "rwm", "{}");
  g_autofree char *her_map = person_map (alice, hers->fd, "rw");
  g_autoptr (Opened) his = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) pinned = NULL;
  g_autofree char *his_map = NULL, *seen = NULL;

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
  scene_add ("/pins/a-page-in-a-pipe", RULES_ALLOW_ALL, test_a_page_in_a_pipe);
  scene_add ("/pins/a-page-in-a-fixed-buffer", RULES_ALLOW_ALL, test_a_page_in_a_fixed_buffer);
  scene_add ("/pins/a-page-of-a-persistent-region", RULES_ALLOW_ALL, test_a_page_of_a_persistent_region);
  return g_test_run ();
}
