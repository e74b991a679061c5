/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

static GVariant *
make_arguments (const char *text)
{
  return g_variant_new ("(@a{sv})", options (text));
}

static void
expect (GVariant   *reply,
        gboolean    released,
        guint       references,
        const char *lease)
{
  g_autoptr (GVariant) evidence = NULL;
  g_autofree const char **proofs = NULL, **leases = NULL;
  gboolean answer;
  guint32 count;

  g_assert_nonnull (reply);
  g_variant_get (reply, "(b@a{sv})", &answer, &evidence);
  g_assert_cmpint (answer, ==, released);
  g_assert_true (g_variant_lookup (evidence, "references", "u", &count));
  g_assert_cmpuint (count, ==, references);
  g_assert_true (g_variant_lookup (evidence, "proofs", "^a&s", &proofs));
  g_assert_true (g_strv_contains (proofs, "setlease") || g_strv_contains (proofs, "keyring"));
  g_assert_true (g_variant_lookup (evidence, "leases", "^a&o", &leases));
  g_assert_cmpstr (leases[0], ==, lease);
}

static void
expect_now (Fixture    *f,
            const char *text,
            gboolean    released,
            guint       references,
            const char *lease)
{
  g_autoptr (GVariant) reply = client_call (f->person, SHM0, "Device", "Verify", make_arguments (text), NULL);

  expect (reply, released, references, lease);
}

/* A lease that has ended while its fd is open. */
static char *
leak (Fixture *f,
      int     *fd)
{
  char *lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, fd);
  g_autoptr (GVariant) reply = client_call (f->person, lease, "Lease", "Release", NULL, NULL);

  g_assert_nonnull (reply);
  return lease;
}

static void
test_nothing (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  int fd;

  expect_now (f, NULL, TRUE, 0, NULL);

  /* An active lease's references are no remains. */
  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  expect_now (f, "{'timeout': <uint32 3600000>}", TRUE, 0, NULL);
  close (fd);
}

static void
test_at_once (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  int fd;

  lease = leak (f, &fd);
  expect_now (f, NULL, FALSE, 1, lease);
  expect_now (f, "{'timeout': <uint32 20>}", FALSE, 1, lease);
  close (fd);
  expect_now (f, "{'timeout': <uint32 3600000>}", TRUE, 0, NULL);
}

static void
test_wait (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_auto (Promise) one = { FALSE, NULL, NULL }, other = { FALSE, NULL, NULL };
  Promise *promises[] = { &one, &other };
  g_autofree char *lease = NULL;
  int fd;

  lease = leak (f, &fd);
  for (int i = 0; i < 2; i++)
    client_call_later (f->person, SHM0, "Device", "Verify", make_arguments ("{'timeout': <uint32 3600000>}"),
                       promises[i]);

  /* Both have arrived when this one is answered. */
  expect_now (f, NULL, FALSE, 1, lease);
  g_assert_false (one.done || other.done);
  close (fd);
  wait_until (one.done && other.done);
  expect (one.reply, TRUE, 0, NULL);
  expect (other.reply, TRUE, 0, NULL);
}

static void
test_removed (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_auto (Promise) promise = { FALSE, NULL, NULL };
  g_autofree char *lease = NULL;
  g_autoptr (GVariant) reply = NULL;
  int fd;

  lease = leak (f, &fd);
  client_call_later (f->person, SHM0, "Device", "Verify", make_arguments ("{'timeout': <uint32 3600000>}"), &promise);
  reply = client_call (f->person, MANAGER_PATH, "Manager", "RemoveDevice",
                       g_variant_new ("(o@a{sv})", SHM0, options (NULL)), NULL);
  g_assert_nonnull (reply);
  wait_until (promise.done);
  assert_error_says (promise.error, REGIOND_ERROR, REGIOND_ERROR_GONE, "shm0");
  close (fd);
}

static void
test_bad_option (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GError) unknown = NULL, type = NULL;

  g_assert_null (client_call (f->person, SHM0, "Device", "Verify", make_arguments ("{'patience': <1>}"), &unknown));
  assert_error_says (unknown, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'patience'");
  g_assert_null (client_call (f->person, SHM0, "Device", "Verify", make_arguments ("{'timeout': <'1s'>}"), &type));
  assert_error_says (type, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'timeout'");
}

static void
add_tests (void)
{
  g_test_add_func ("/verification/where-nothing-was-nothing-is-left", test_nothing);
  g_test_add_func ("/verification/a-leak-is-named", test_at_once);
  g_test_add_func ("/verification/who-waits-hears-of-the-end", test_wait);
  g_test_add_func ("/verification/a-removed-device-answers-too", test_removed);
  g_test_add_func ("/verification/bad-options-are-named", test_bad_option);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
