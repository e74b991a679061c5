/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>

#include "world.h"

#define SERVICES SANDBOX_DIR "/services"

/*
 * The installed service file, with the staged program in place of the one that
 * is not on this machine, and the test's configuration.
 */
static void
write_service_file (void)
{
  g_autofree char *path = sandbox_installed ("usr/share/dbus-1/system-services/org.regiond1.service");
  g_autofree char *program = sandbox_installed ("usr/libexec/regiond");
  g_autofree char *command = g_strconcat ("Exec=", program, " --config " SERVICE_CONFIG, NULL);
  g_autoptr (GRegex) regex = g_regex_new ("^Exec=/usr/libexec/regiond$", G_REGEX_MULTILINE, 0, NULL);
  g_autofree char *text = NULL;
  g_autofree char *staged = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  staged = g_regex_replace_literal (regex, text, -1, 0, command, 0, NULL);
  g_assert_cmpstr (staged, !=, text);
  g_assert_cmpint (g_mkdir_with_parents (SERVICES, 0755), ==, 0);
  sandbox_write (SERVICES "/org.regiond1.service", staged);
}

static guint
pid_of_service (World *world)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer =
    g_dbus_connection_call_sync (world->root, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                 "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                                 g_variant_new ("(s)", "org.regiond1"), NULL, 0, 5000, NULL, &error);
  guint pid;

  g_assert_no_error (error);
  g_variant_get (answer, "(u)", &pid);
  return pid;
}

static void
test_the_first_call_starts_it (void)
{
  g_autoptr (World) world = NULL;
  g_autoptr (Person) alice = NULL;
  g_autoptr (Opened) opened = NULL;
  guint first, second;

  if (bus_is_broker ())
    {
      g_test_skip ("dbus-broker's launcher has services started by systemd, which does not run here");
      return;
    }
  write_service_file ();
  world = world_new_with_activation ("", SERVICES);
  alice = person_new ("alice", UID_ALICE);
  world_set_rules (world, RULES_ALLOW_ALL);
  /* An ordinary user's first call, to a service that nobody has started. */
  opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  first = pid_of_service (world);

  /* And after a crash. */
  person_end_child (first);
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
  second = pid_of_service (world);
  g_assert_cmpuint (first, !=, second);
  person_end_child (second);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/activation/the-first-call-starts-it", test_the_first_call_starts_it);
  return g_test_run ();
}
