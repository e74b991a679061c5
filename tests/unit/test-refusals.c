/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "refusals.h"

#include <unistd.h>

#define ALICE 1000
#define BOB 1001
#define SECOND G_USEC_PER_SEC

/* Refuses @n of @uid's at @now: how many are told, and how many the last of those says were not. */
static guint
refuse (RegiondRefusals *refusals,
        guint32          uid,
        gint64           now,
        guint            n,
        guint           *omitted)
{
  guint told = 0;

  for (guint i = 0; i < n; i++)
    told += regiond_refusals_count (refusals, uid, now, omitted);
  return told;
}

static RegiondRefusals *
make_refusals (Fixture *fixture)
{
  g_autoptr (GDBusConnection) connection = fixture_connect (fixture);

  return regiond_refusals_new (connection);
}

static void
test_a_flood (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (RegiondRefusals) refusals = make_refusals (fixture);
  guint omitted = 99;

  g_assert_cmpuint (refuse (refusals, ALICE, SECOND, 1000, &omitted), ==, REGIOND_REFUSALS_MOST);
  g_assert_cmpuint (omitted, ==, 0);
  g_assert_cmpuint (refuse (refusals, ALICE, 2 * SECOND - 1, 10, &omitted), ==, 0);
  g_assert_cmpuint (refuse (refusals, ALICE, 2 * SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (omitted, ==, 1000);
  g_assert_cmpuint (refuse (refusals, ALICE, 2 * SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (omitted, ==, 0);
}

static void
test_a_neighbour (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (RegiondRefusals) refusals = make_refusals (fixture);
  guint omitted = 99;

  refuse (refusals, ALICE, SECOND, 1000, &omitted);
  g_assert_cmpuint (refuse (refusals, BOB, SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (omitted, ==, 0);
  /* Whoever comes first makes room, and what is owed is not forgotten. */
  g_assert_cmpuint (refuse (refusals, BOB + 1, 60 * SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (refuse (refusals, ALICE, 60 * SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (omitted, ==, 1000 - REGIOND_REFUSALS_MOST);
}

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
  g_test_add_func ("/refusals/a-flood-is-counted-not-told", test_a_flood);
  g_test_add_func ("/refusals/a-flood-silences-no-neighbour", test_a_neighbour);
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
