/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

static GVariant *
ask_end (GDBusConnection *client,
         const char      *lease,
         const char      *reason,
         const char      *text,
         GError         **error)
{
  return client_call (client, lease, "Lease", "Revoke", g_variant_new ("(s@a{sv})", reason, options (text)), error);
}

static void
must_revoke (GDBusConnection *client,
             const char      *lease,
             const char      *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = ask_end (client, lease, "needed elsewhere", text, &error);

  g_assert_no_error (error);
}

static void
expect_string (Fixture    *f,
               const char *lease,
               const char *property,
               const char *wanted)
{
  g_autofree char *value = client_get_string (f->person, lease, "Lease", property);

  g_assert_cmpstr (value, ==, wanted);
}

static void
test_properties (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  g_autoptr (GVariant) uid = NULL, pid = NULL, size = NULL, offset = NULL, created = NULL;
  gint64 before = g_get_real_time ();
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rm", "{'label': <'my tool'>}", &fd);
  expect_string (f, lease, "Device", SHM0);
  expect_string (f, lease, "Region", "bar2");
  expect_string (f, lease, "Access", "rm");
  expect_string (f, lease, "Owner", g_dbus_connection_get_unique_name (f->person));
  expect_string (f, lease, "Label", "my tool");
  expect_string (f, lease, "Mechanism", "memfd");
  expect_string (f, lease, "Revocation", "detached");
  expect_string (f, lease, "State", "active");
  uid = client_get (f->person, lease, "Lease", "Uid");
  g_assert_cmpuint (g_variant_get_uint32 (uid), ==, geteuid ());
  pid = client_get (f->person, lease, "Lease", "Pid");
  g_assert_cmpuint (g_variant_get_uint32 (pid), ==, getpid ());
  size = client_get (f->person, lease, "Lease", "Size");
  g_assert_cmpuint (g_variant_get_uint64 (size), ==, BAR2_SIZE);
  offset = client_get (f->person, lease, "Lease", "Offset");
  g_assert_cmpuint (g_variant_get_uint64 (offset), ==, 0);
  created = client_get (f->person, lease, "Lease", "Created");
  g_assert_cmpint (g_variant_get_uint64 (created), >=, before);
  g_assert_cmpint (g_variant_get_uint64 (created), <=, g_get_real_time ());
  close (fd);
}

static void
test_release (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *other = fixture_connect (f);
  g_autofree char *lease = NULL;
  g_autoptr (GError) refused = NULL, again = NULL, error = NULL;
  g_autoptr (GVariant) reply = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  g_assert_null (client_call (other, lease, "Lease", "Release", NULL, &refused));
  assert_error_says (refused, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, lease, "owner");
  expect_string (f, lease, "State", "active");

  reply = client_call (f->person, lease, "Lease", "Release", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 0);
  wait_until (client_sees_state (f->person, lease, "Lease", "lingering"));
  g_assert_null (client_call (f->person, lease, "Lease", "Release", NULL, &again));
  g_assert_error (again, REGIOND_ERROR, REGIOND_ERROR_GONE);
  close (fd);
  wait_until (client_sees_lingering (f->person, SHM0, 0));
  client_leave (other);
}

static void
test_unicast (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *owner = fixture_connect (f), *other = fixture_connect (f);
  g_autoptr (Ear) owners = ear_new (owner, "Lease"), others = ear_new (other, "Lease");
  g_autoptr (Ear) devices = ear_new (other, "Device"), managers = ear_new (other, "Manager");
  g_autofree char *told = NULL;
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (owner, SHM0, "bar2", "rwm", NULL, &fd);
  must_revoke (f->person, lease, "{'grace': <uint32 50>}");
  wait_until (ear_heard (owners, "RevokeRequested('needed elsewhere', 50)"));
  wait_until (ear_heard (owners, "Ended('revoked',)"));
  g_assert_cmpuint (owners->heard->len, ==, 2);

  /* What the bus sent to the other one before this answer has arrived. */
  told = g_strdup_printf ("LeaseEnded('%s', 'revoked')", lease);
  g_clear_pointer (&lease, g_free);
  lease = client_get_string (other, SHM0, "Device", "State");
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (others->heard->len, ==, 0);
  g_assert_cmpuint (devices->heard->len, ==, 0);
  g_assert_true (ear_heard (managers, told));
  close (fd);
  g_clear_pointer (&owners, ear_free);
  g_clear_pointer (&others, ear_free);
  g_clear_pointer (&devices, ear_free);
  g_clear_pointer (&managers, ear_free);
  client_leave (owner);
  client_leave (other);
}

static void
test_revoke_at_once (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *owner = fixture_connect (f);
  g_autoptr (Ear) ear = ear_new (owner, "Lease");
  g_autofree char *lease = NULL, *action = NULL, *region = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  lease = client_must_open (owner, SHM0, "bar2", "rwm", NULL, &fd);
  must_revoke (f->person, lease, NULL);
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 0);
  action = fake_polkit_get_action (f->polkit);
  g_assert_cmpstr (action, ==, "org.regiond1.revoke-lease");
  region = fake_polkit_get_detail (f->polkit, "region");
  g_assert_cmpstr (region, ==, "bar2");
  wait_until (ear_heard (ear, "Ended('revoked',)"));
  g_assert_cmpuint (ear->heard->len, ==, 1);

  g_assert_null (ask_end (f->person, lease, "again", NULL, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE);
  close (fd);
  wait_until (client_sees_lingering (f->person, SHM0, 0));
  g_clear_pointer (&ear, ear_free);
  client_leave (owner);
}

static void
test_grace (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  must_revoke (f->person, lease, "{'grace': <uint32 3600000>}");
  wait_until (ear_heard (ear, "RevokeRequested('needed elsewhere', 3600000)"));
  expect_string (f, lease, "State", "revoking");
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 1);

  /* Shortened; then not lengthened again. */
  must_revoke (f->person, lease, "{'grace': <uint32 300>}");
  wait_until (ear_heard (ear, "RevokeRequested('needed elsewhere', 300)"));
  must_revoke (f->person, lease, "{'grace': <uint32 3600000>}");
  wait_until (ear_heard (ear, "Ended('revoked',)"));
  g_assert_cmpuint (ear->heard->len, ==, 3);
  close (fd);
}

static void
revoke_for (Fixture    *f,
            const char *lease,
            const char *reason,
            const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = ask_end (f->person, lease, reason, text, &error);

  g_assert_no_error (error);
}

/* What is said of the revocation that ends it; and the words of one that does not, nowhere. */
static void
test_grace_reason (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autofree char *lease = NULL, *path = g_build_filename (f->directory, "log", NULL), *text = NULL;
  int fd;

  f->log = path;
  fixture_serve (f);
  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  revoke_for (f, lease, "some day", "{'grace': <uint32 3600000>}");
  revoke_for (f, lease, "very soon", "{'grace': <uint32 1500>}");
  revoke_for (f, lease, "at leisure", "{'grace': <uint32 3600000>}");
  wait_until (client_count_leases (f->person, SHM0) == 0);
  close (fd);
  fixture_stop (f);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "revoked: very soon"));
  g_assert_null (strstr (text, "revoked: some day"));
  g_assert_null (strstr (text, "at leisure"));
}

static void
test_grace_owner_leaves (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *owner = fixture_connect (f);
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (owner, SHM0, "bar2", "rwm", NULL, &fd);
  must_revoke (f->person, lease, "{'grace': <uint32 3600000>}");
  close (fd);
  client_leave (owner);
  wait_until (client_count_leases (f->person, SHM0) == 0);
  wait_until (client_sees_lingering (f->person, SHM0, 0));
}

static void
test_revoke_refused (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL, *endless = g_strnfill (257, 'x');
  const char *const reasons[] = { endless, "a\nb" };
  g_autoptr (GError) denied = NULL, unknown = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  g_assert_null (ask_end (f->person, lease, "why", NULL, &denied));
  assert_error_says (denied, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.revoke-lease");
  for (gsize i = 0; i < G_N_ELEMENTS (reasons); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (ask_end (f->person, lease, reasons[i], NULL, &error));
      g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
    }
  g_assert_null (ask_end (f->person, lease, "why", "{'force': <true>}", &unknown));
  assert_error_says (unknown, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'force'");
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, 2);
  expect_string (f, lease, "State", "active");
  close (fd);
}

static void
test_numbers (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  guint64 last = 0;

  for (int round = 0; round < 2; round++)
    {
      for (int i = 0; i < 3; i++)
        {
          int fd;
          g_autofree char *lease = client_must_open (f->person, SHM0, "bar0", "rm", NULL, &fd);
          guint64 number = g_ascii_strtoull (strrchr (lease, '/') + 1, NULL, 10);

          close (fd);
          g_assert_cmpuint (number, >, last);
          last = number;
        }
      fixture_stop (f);
      fixture_serve (f);
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/lease/it-tells-whose-and-what", test_properties);
  g_test_add_func ("/lease/somebody-elses-cannot-be-released", test_release);
  g_test_add_func ("/lease/its-signals-are-for-the-owner-alone", test_unicast);
  g_test_add_func ("/lease/revoked-at-once-it-has-ended-at-the-answer", test_revoke_at_once);
  g_test_add_func ("/lease/grace-is-shortened-never-lengthened", test_grace);
  g_test_add_func ("/lease/the-reason-is-that-of-the-sooner-end", test_grace_reason);
  g_test_add_func ("/lease/who-leaves-in-grace-has-left", test_grace_owner_leaves);
  g_test_add_func ("/lease/a-refused-revocation-changes-nothing", test_revoke_refused);
  g_test_add_func ("/lease/its-number-is-never-used-again", test_numbers);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
