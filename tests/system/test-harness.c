/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <unistd.h>

#include "world.h"

/* The helper is what it says: another user, with a bus name of its own. */
static void
test_people_are_not_root (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (GVariant) answer = NULL;
  guint uid;

  answer = g_dbus_connection_call_sync (world->root, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "GetConnectionUnixUser",
                                        g_variant_new ("(s)", alice->name), NULL, 0, -1, NULL, NULL);
  g_variant_get (answer, "(u)", &uid);
  g_assert_cmpuint (uid, ==, UID_ALICE);
}

static void
test_rules_come_into_force (void)
{
  g_autoptr (World) world = world_new_without_service ("");

  world_set_rules (world, RULES_ALLOW_ALL);
  world_set_rules (world, "");
  polkit_set_defaults (world->root, "auth_admin_keep");
  polkit_set_defaults (world->root, NULL);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/harness/people", test_people_are_not_root);
  g_test_add_func ("/harness/rules", test_rules_come_into_force);
  return g_test_run ();
}
