/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "world.h"

/* One user takes as much as he may of what there is little of: others go on. */

#define PROXIED_MOST 128 /* MaxProxiedLeasesPerUser, as shipped */

static World *
new_world (void)
{
  World *world = world_new ("");

  world_set_rules (world, RULES_ALLOW_ALL);
  return world;
}

static void
test_proxied_leases (void)
{
  g_autoptr (World) world = new_world ();
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE), also = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (GPtrArray) taken = g_ptr_array_new_with_free_func ((GDestroyNotify) opened_free);
  g_autofree char *message = NULL;

  for (guint i = 0; i < PROXIED_MOST; i++)
    g_ptr_array_add (taken, person_open (i % 2 ? also : alice, "shm0", "bar2", i % 3 ? "rw" : "r", "{}"));
  message = person_open_fails (also, ERROR ("LimitExceeded"), "big", "whole", "r", "{}");
  g_assert_nonnull (strstr (message, "MaxProxiedLeasesPerUser"));

  for (guint i = 0; i < PROXIED_MOST; i++)
    g_ptr_array_add (taken, person_open (bob, "shm0", "bar2", "rw", "{}"));
  g_ptr_array_add (taken, person_open (alice, "shm0", "bar2", "rwm", "{}"));
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/fairness/proxied-leases", test_proxied_leases);
  return g_test_run ();
}
