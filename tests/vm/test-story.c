/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's part of the story that host-story.c tells. */
#include "devices.h"
#include "guest.h"
#include "talk.h"

static void
test_the_guests_part (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *path = device_path (address);
  g_autoptr (World) world = world_new ("");
  g_autoptr (Talk) first = NULL;
  g_autoptr (Talk) second = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  first = talk_start (address, "bar2", "1");
  talk_say (first, "the guest is here");
  talk_expect (first, "so is the host");
  talk_say (first, "kill me");

  talk_expect (first, "now");
  talk_kill (first);
  world_wait_no_leases (world, 5000);
  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 5000);

  second = talk_start (address, "bar2", "1");
  talk_say (second, "the guest is back");
  talk_expect (second, "the host was killed, and is back");
  talk_say (second, "the guest has noticed nothing");
  talk_expect (second, "farewell");
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/story/the-guests-part", test_the_guests_part);
  return g_test_run ();
}
