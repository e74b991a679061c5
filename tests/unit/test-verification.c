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
test_crowd (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  Promise promises[64] = { { FALSE, NULL, NULL } };
  GDBusConnection *clients[G_N_ELEMENTS (promises) / 8];
  g_autofree char *lease = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  lease = leak (f, &fd);
  for (gsize i = 0; i < G_N_ELEMENTS (promises); i++)
    {
      if (i % 8 == 0)
        clients[i / 8] = fixture_connect (f);
      client_call_later (clients[i / 8], SHM0, "Device", "Verify", make_arguments ("{'timeout': <uint32 3600000>}"),
                         &promises[i]);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (clients); i++)
    g_assert_true (client_sees_state (clients[i], lease, "Lease", "lingering"));

  /* One more may not wait, but may ask. */
  g_assert_null (client_call (f->person, SHM0, "Device", "Verify", make_arguments ("{'timeout': <uint32 3600000>}"),
                              &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "64", "shm0", "try again");
  expect_now (f, NULL, FALSE, 1, lease);

  /* All the others hear of it, and nobody is counted any more. */
  close (fd);
  for (gsize i = 0; i < G_N_ELEMENTS (promises); i++)
    {
      wait_until (promises[i].done);
      expect (promises[i].reply, TRUE, 0, NULL);
      promise_clear (&promises[i]);
    }
  expect_now (f, "{'timeout': <uint32 3600000>}", TRUE, 0, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (clients); i++)
    client_leave (clients[i]);
}

/* One user's are too many, and another one's waits and hears of the end. */
static void
test_other_user (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  Promise promises[64 + 1] = { { FALSE, NULL, NULL } };
  GDBusConnection *clients[64 / 8], *other;
  g_autofree char *lease = NULL;
  int fd;

  if (geteuid () != 0)
    {
      g_test_skip ("two users' parts need root");
      return;
    }

  lease = leak (f, &fd);
  for (gsize i = 0; i < 64; i++)
    {
      if (i % 8 == 0)
        clients[i / 8] = fixture_connect (f);
      client_call_later (clients[i / 8], SHM0, "Device", "Verify", make_arguments ("{'timeout': <uint32 3600000>}"),
                         &promises[i]);
    }
  other = fixture_connect_as (f, 65534);
  client_call_later (other, SHM0, "Device", "Verify", make_arguments ("{'timeout': <uint32 3600000>}"), &promises[64]);
  for (gsize i = 0; i < G_N_ELEMENTS (clients); i++)
    g_assert_true (client_sees_state (clients[i], lease, "Lease", "lingering"));
  g_assert_true (client_sees_state (other, lease, "Lease", "lingering"));
  close (fd);
  for (gsize i = 0; i < G_N_ELEMENTS (promises); i++)
    {
      wait_until (promises[i].done);
      expect (promises[i].reply, TRUE, 0, NULL);
      promise_clear (&promises[i]);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (clients); i++)
    client_leave (clients[i]);
  client_leave (other);
}

/* One alarm for all: whoever has less patience than those before is not forgotten. */
static void
test_patience (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  const char *const times[] = { "{'timeout': <uint32 3600000>}", "{'timeout': <uint32 90>}", "{'timeout': <uint32 30>}" };
  Promise promises[G_N_ELEMENTS (times)] = { { FALSE, NULL, NULL } };
  g_autofree char *lease = NULL;
  int fd;

  lease = leak (f, &fd);
  for (gsize i = 0; i < G_N_ELEMENTS (times); i++)
    client_call_later (f->person, SHM0, "Device", "Verify", make_arguments (times[i]), &promises[i]);
  wait_until (promises[1].done && promises[2].done);
  expect (promises[1].reply, FALSE, 1, lease);
  expect (promises[2].reply, FALSE, 1, lease);
  g_assert_false (promises[0].done);
  close (fd);
  wait_until (promises[0].done);
  expect (promises[0].reply, TRUE, 0, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (times); i++)
    promise_clear (&promises[i]);
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
  g_test_add_func ("/verification/so-many-wait-and-one-more-may-ask", test_crowd);
  g_test_add_func ("/verification/so-many-of-one-user-keep-no-other-out", test_other_user);
  g_test_add_func ("/verification/everybody-waits-as-long-as-he-wanted", test_patience);
  g_test_add_func ("/verification/bad-options-are-named", test_bad_option);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
