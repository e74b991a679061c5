/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

static GVariant *
explain (GDBusConnection *client,
         const char      *device,
         const char      *region,
         const char      *access,
         const char      *text,
         GError         **error)
{
  g_autoptr (GVariant) reply = client_call (client, MANAGER_PATH, "Manager", "Explain",
                                            g_variant_new ("(oss@a{sv})", device, region, access, options (text)), error);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

static GVariant *
must_explain (GDBusConnection *client,
              const char      *device,
              const char      *region,
              const char      *access,
              const char      *text)
{
  g_autoptr (GError) error = NULL;
  GVariant *explanation = explain (client, device, region, access, text, &error);

  g_assert_no_error (error);
  return explanation;
}

static const char *
get (GVariant   *explanation,
     const char *key)
{
  const char *value = NULL;

  if (!g_variant_lookup (explanation, key, "&s", &value))
    g_error ("no '%s'", key);
  return value;
}

static void
expect_detail (GVariant   *explanation,
               const char *key,
               const char *wanted)
{
  g_autoptr (GVariant) details = g_variant_lookup_value (explanation, "details", G_VARIANT_TYPE ("a{ss}"));
  const char *value = NULL;

  g_assert_nonnull (details);
  g_variant_lookup (details, key, "&s", &value);
  if (g_strcmp0 (value, wanted) != 0)
    g_error ("the detail %s is '%s', not '%s'", key, value, wanted);
}

static void
test_yes (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  guint asked = fake_polkit_count_asked (f->polkit);
  g_autoptr (GVariant) mapped = must_explain (f->person, SHM0, "bar2", "rwm", "{'label': <'mine'>, 'exclusive': <true>}");
  g_autoptr (GVariant) read = must_explain (f->person, SHM0, "bar2", "r", "{'offset': <uint64 8>}");
  g_autofree char *subject = NULL;

  g_assert_cmpuint (g_variant_n_children (mapped), ==, 6);
  g_assert_cmpstr (get (mapped, "action"), ==, "org.regiond1.write-region");
  g_assert_cmpstr (get (mapped, "result"), ==, "yes");
  g_assert_cmpstr (get (mapped, "mechanism"), ==, "memfd");
  g_assert_cmpstr (get (mapped, "revocation"), ==, "detached");
  g_assert_cmpstr (get (mapped, "blocker"), ==, "");
  expect_detail (mapped, "device", "shm0");
  expect_detail (mapped, "label", "mine");
  expect_detail (mapped, "exclusive", "true");
  expect_detail (mapped, "proof", "");
  g_assert_cmpstr (get (read, "action"), ==, "org.regiond1.read-region");
  g_assert_cmpstr (get (read, "revocation"), ==, "immediate");
  expect_detail (read, "offset", "8");

  /* It was asked about the caller, who may not be prompted; and nothing was made. */
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 2);
  subject = fake_polkit_get_subject (f->polkit);
  g_assert_cmpstr (subject, ==, g_dbus_connection_get_unique_name (f->person));
  g_assert_cmpuint (fake_polkit_get_flags (f->polkit), ==, 0);
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
test_other_answers (void)
{
  static const struct {
    FakePolkitAnswer polkit;
    const char      *result, *blocker;
  } cases[] = {
    { FAKE_POLKIT_NO, "no", "" },
    { FAKE_POLKIT_PASSWORD, "challenge", "" },
    { FAKE_POLKIT_REMEMBERED, "no", "_keep" },
    { FAKE_POLKIT_FAIL, "no", "" },
  };
  g_autoptr (Fixture) f = fixture_new_serving ();

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GVariant) explanation = NULL;

      fake_polkit_set_answer (f->polkit, cases[i].polkit);
      explanation = must_explain (f->person, SHM0, "bar2", "rm", "{'interactive': <true>}");
      g_assert_cmpstr (get (explanation, "result"), ==, cases[i].result);
      g_assert_nonnull (strstr (get (explanation, "blocker"), cases[i].blocker));
      g_assert_cmpint (get (explanation, "blocker")[0] == '\0', ==, cases[i].blocker[0] == '\0');
    }
}

static void
test_no_polkit (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GVariant) explanation = NULL;

  g_clear_pointer (&f->polkit, fake_polkit_free);
  explanation = must_explain (f->person, SHM0, "bar2", "rm", NULL);
  g_assert_cmpstr (get (explanation, "result"), ==, "no");
  g_assert_nonnull (strstr (get (explanation, "blocker"), "could not be asked"));
}

/* In the words of the error of OpenRegion. */
static void
expect_blocker (Fixture         *f,
                GDBusConnection *client,
                const char      *region,
                const char      *access,
                const char      *text)
{
  g_autoptr (GVariant) explanation = must_explain (client, SHM0, region, access, text);
  g_autoptr (GError) error = NULL;
  int fd;

  g_assert_cmpstr (get (explanation, "result"), ==, "yes");
  g_assert_null (client_open (client, SHM0, region, access, text, &fd, &error));
  g_dbus_error_strip_remote_error (error);
  g_assert_cmpstr (get (explanation, "blocker"), ==, error->message);
}

static void
test_blockers (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *other;
  g_autofree char *lease = NULL;
  int fd;

  fixture_write (f, "regiond.conf", "[Daemon]\nMaxMemory=8M\nMaxLeasesPerConnection=1\n");
  fixture_serve (f);
  other = fixture_connect (f);
  expect_blocker (f, other, "bar2", "rm", "{'revocation': <'immediate'>}");
  expect_blocker (f, other, "bar2", "rm", "{'offset': <uint64 4096>}");

  lease = client_must_open (f->person, SHM0, "bar2", "rm", NULL, &fd);
  expect_blocker (f, other, "bar0", "r", "{'exclusive': <true>}");
  expect_blocker (f, f->person, "bar0", "r", NULL);
  close (fd);
  client_leave (other);
}

static void
expect_refused (Fixture    *f,
                const char *device,
                const char *region,
                const char *access,
                const char *text,
                GQuark      domain,
                int         code,
                const char *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (explain (f->person, device, region, access, text, &error));
  assert_error_says (error, domain, code, word);
}

static void
test_bad_input (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  guint asked = fake_polkit_count_asked (f->polkit);

  expect_refused (f, "/org/regiond1/devices/none", "bar2", "r", NULL, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "none");
  expect_refused (f, "/", "bar2", "r", NULL, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "/");
  expect_refused (f, SHM0, "bar9", "r", NULL, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "bar9");
  expect_refused (f, SHM0, "bar2", "x", NULL, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "x");
  expect_refused (f, SHM0, "bar2", "r", "{'colour': <'red'>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "colour");
  expect_refused (f, SHM0, "bar2", "r", "{'client': <7>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "client");
  expect_refused (f, SHM0, "bar2", "r", "{'client': <'not a name'>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "client");
  expect_refused (f, SHM0, "bar2", "r", "{'bind-to': <handle 0>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                  "takes no 'bind-to'");
  expect_refused (f, SHM0, "bar2", "r", "{'detach': <true>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "takes no 'detach'");
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked);
  expect_refused (f, SHM0, "bar2", "r", "{'client': <':1.999'>}", REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, ":1.999");
  expect_refused (f, SHM0, "bar2", "r", "{'client': <'org.example.Nobody'>}", REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                  "org.example.Nobody");
  expect_refused (f, SHM0, "bar2", "r", "{'client': <'org.freedesktop.DBus'>}", REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                  "org.freedesktop.DBus");
}

static void
test_client (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *other = fixture_connect (f);
  g_autofree char *text = g_strdup_printf ("{'client': <'%s'>}", g_dbus_connection_get_unique_name (other));
  g_autoptr (GVariant) explanation = NULL;
  g_autofree char *subject = NULL;
  guint asked = fake_polkit_count_asked (f->polkit);

  explanation = must_explain (f->person, SHM0, "bar2", "r", text);
  g_assert_cmpstr (get (explanation, "result"), ==, "yes");
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 2);
  subject = fake_polkit_get_subject (f->polkit);
  g_assert_cmpstr (subject, ==, g_dbus_connection_get_unique_name (other));

  /* Who may not manage devices learns nothing of others. */
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  expect_refused (f, SHM0, "bar2", "r", text, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.manage-devices");
  client_leave (other);
}

/* It is one of the caller's calls. */
static void
test_counted (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_auto (Promise) first = { FALSE, NULL, NULL };
  guint asked;

  fixture_write (f, "regiond.conf", "[Daemon]\nMaxMemory=8M\nMaxAuthorizationsPerConnection=1\n");
  fixture_serve (f);
  asked = fake_polkit_count_asked (f->polkit);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  client_call_later (f->person, MANAGER_PATH, "Manager", "Explain",
                     g_variant_new ("(oss@a{sv})", SHM0, "bar2", "r", options (NULL)), &first);
  fake_polkit_wait_asked (f->polkit, asked + 1);
  expect_refused (f, SHM0, "bar2", "r", NULL, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                  "MaxAuthorizationsPerConnection");
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (first.done);
  g_assert_no_error (first.error);
}

static void
add_tests (void)
{
  g_test_add_func ("/explain/what-would-be-asked-and-had", test_yes);
  g_test_add_func ("/explain/what-polkit-would-say", test_other_answers);
  g_test_add_func ("/explain/without-polkit-the-answer-is-no", test_no_polkit);
  g_test_add_func ("/explain/what-else-is-in-the-way", test_blockers);
  g_test_add_func ("/explain/every-refusal-is-an-error", test_bad_input);
  g_test_add_func ("/explain/of-others-for-administrators", test_client);
  g_test_add_func ("/explain/it-is-counted", test_counted);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
