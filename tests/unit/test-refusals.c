/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "refusals.h"

#include <unistd.h>

/* Somebody whom the bus tells of them from now on. */
static Ear *
hear (GDBusConnection *onlooker)
{
  Ear *ear = ear_new (onlooker, "Manager");

  client_count_leases (onlooker, SHM0);
  return ear;
}

static gboolean
has_heard (Ear        *ear,
           const char *part)
{
  for (guint i = 0; i < ear->heard->len; i++)
    if (strstr (g_ptr_array_index (ear->heard, i), part) != NULL)
      return TRUE;

  return FALSE;
}

static void
test_everybody_hears (void)
{
  g_autoptr (Fixture) fixture = fixture_new_serving ();
  g_autoptr (GDBusConnection) onlooker = fixture_connect (fixture);
  g_autoptr (Ear) ear = hear (onlooker);
  g_autoptr (GError) error = NULL;
  int fd;

  fake_polkit_set_answer (fixture->polkit, FAKE_POLKIT_NO);
  g_assert_null (client_open (fixture->person, SHM0, "bar2", "rwm", NULL, &fd, &error));
  wait_until (has_heard (ear, "OpenRefused('" SHM0 "', 'bar2', 'rwm', '"));
  g_assert_true (has_heard (ear, "'org.freedesktop.DBus.Error.AccessDenied'"));
  g_assert_true (has_heard (ear, g_dbus_connection_get_unique_name (fixture->person)));
}

/* It is known before polkit would be asked. */
static void
test_nobody_could_have_it (void)
{
  g_autoptr (Fixture) fixture = fixture_new_serving ();
  g_autoptr (GDBusConnection) onlooker = fixture_connect (fixture);
  g_autoptr (Ear) ear = hear (onlooker);
  g_autoptr (GError) unrevocable = NULL, more = NULL;
  g_autofree char *lease = NULL;
  int fd, none;

  g_assert_null (client_open (fixture->person, SHM0, "bar2", "rwm", "{'revocation': <'immediate'>}", &none, &unrevocable));
  wait_until (has_heard (ear, "OpenRefused('" SHM0 "', 'bar2', 'rwm', '"));
  g_assert_true (has_heard (ear, "'org.regiond1.Error.NotSupported', \"Revocation 'immediate' is demanded"));
  g_assert_cmpuint (fake_polkit_count_asked (fixture->polkit), ==, 0);

  /* The same for one who shows a descriptor. */
  lease = client_must_open (fixture->person, SHM0, "bar0", "rm", NULL, &fd);
  g_assert_null (client_attach (fixture->person, fd, "{'access': <'rwm'>}", &none, &more));
  wait_until (has_heard (ear, "OpenRefused('" SHM0 "', 'bar0', 'rwm', '"));
  g_assert_cmpuint (fake_polkit_count_asked (fixture->polkit), ==, 1);
  close (fd);
}

static void
test_mistakes_are_nobodys_business (void)
{
  g_autoptr (Fixture) fixture = fixture_new_serving ();
  g_autoptr (GDBusConnection) onlooker = fixture_connect (fixture);
  g_autoptr (Ear) ear = hear (onlooker);
  g_autoptr (GError) wrong = NULL;
  g_autoptr (GError) refused = NULL;
  int fd;

  fake_polkit_set_answer (fixture->polkit, FAKE_POLKIT_NO);
  g_assert_null (client_open (fixture->person, SHM0, "bar9", "rwm", NULL, &fd, &wrong));
  g_assert_null (client_open (fixture->person, SHM0, "bar2", "r", NULL, &fd, &refused));
  wait_until (has_heard (ear, "OpenRefused"));
  g_assert_cmpuint (ear->heard->len, ==, 1);
  g_assert_false (has_heard (ear, "bar9"));
}

static void
add_tests (void)
{
  g_test_add_func ("/refusals/everybody-hears", test_everybody_hears);
  g_test_add_func ("/refusals/what-nobody-could-have", test_nobody_could_have_it);
  g_test_add_func ("/refusals/mistakes-are-nobodys-business", test_mistakes_are_nobodys_business);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
