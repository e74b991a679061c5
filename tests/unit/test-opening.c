/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
test_grant (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL, *text = NULL;
  struct stat facts;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  g_assert_true (g_str_has_prefix (lease, "/org/regiond1/leases/"));
  g_assert_cmpint (fstat (fd, &facts), ==, 0);
  g_assert_cmpint (facts.st_size, ==, BAR2_SIZE);
  fd_write_text (fd, "mine");
  text = fd_read_text (fd);
  g_assert_cmpstr (text, ==, "mine");
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "leased"));
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 1);
  close (fd);
}

static void
test_details (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL, *action = NULL, *subject = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rm", "{'label': <'my tool'>, 'exclusive': <true>}", &fd);
  action = fake_polkit_get_action (f->polkit);
  subject = fake_polkit_get_subject (f->polkit);
  g_assert_cmpstr (action, ==, "org.regiond1.read-region");
  g_assert_cmpstr (subject, ==, g_dbus_connection_get_unique_name (f->person));
  g_assert_cmpuint (fake_polkit_get_flags (f->polkit), ==, 0);
  fake_polkit_expect_detail (f->polkit, "device", "shm0");
  fake_polkit_expect_detail (f->polkit, "backend", "memory");
  fake_polkit_expect_detail (f->polkit, "description", "Sensor ring");
  fake_polkit_expect_detail (f->polkit, "region", "bar2");
  fake_polkit_expect_detail (f->polkit, "region_kind", "memory");
  fake_polkit_expect_detail (f->polkit, "access", "rm");
  fake_polkit_expect_detail (f->polkit, "offset", "0");
  fake_polkit_expect_detail (f->polkit, "length", "262144");
  fake_polkit_expect_detail (f->polkit, "exclusive", "true");
  fake_polkit_expect_detail (f->polkit, "mechanism", "memfd");
  fake_polkit_expect_detail (f->polkit, "revocation", "detached");
  fake_polkit_expect_detail (f->polkit, "label", "my tool");
  fake_polkit_expect_detail (f->polkit, "proof", "");
  close (fd);
}

static void
test_write_action (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL, *action = NULL;
  int fd;

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_PASSWORD);
  lease = client_must_open (f->person, SHM0, "bar2", "rwm", "{'interactive': <true>}", &fd);
  action = fake_polkit_get_action (f->polkit);
  g_assert_cmpstr (action, ==, "org.regiond1.write-region");
  g_assert_cmpuint (fake_polkit_get_flags (f->polkit), ==, 1);
  fake_polkit_expect_detail (f->polkit, "exclusive", "false");
  close (fd);
}

static void
expect_refused (Fixture    *f,
                const char *region,
                const char *access,
                const char *text,
                GQuark      domain,
                int         code,
                const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *lease = NULL;
  int fd;

  lease = client_open (f->person, SHM0, region, access, text, &fd, &error);
  g_assert_null (lease);
  assert_error_says (error, domain, code, word);
}

static void
test_bad_input (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *endless = g_strnfill (10000, 'r'), *long_label = g_strnfill (65, 'x');
  g_autofree char *label = g_strdup_printf ("{'label': <'%s'>}", long_label);
  const char *const accesses[] = { "", "m", "wm", "rr", "mr w", endless };
  const char *const nowhere[] = {
    "{'offset': <uint64 262144>}", "{'offset': <uint64 18446744073709551615>}", "{'length': <uint64 0>}",
    "{'length': <uint64 262145>}", "{'offset': <uint64 1>, 'length': <uint64 262144>}",
    "{'offset': <uint64 262143>, 'length': <uint64 18446744073709551614>}",
  };
  const char *const invalid[] = {
    "{'colour': <'red'>}", "{'exclusive': <'yes'>}", "{'revocation': <'sometimes'>}", "{'label': <'a\\nb'>}", label,
  };

  for (gsize i = 0; i < G_N_ELEMENTS (accesses); i++)
    expect_refused (f, "bar2", accesses[i], NULL, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "access");
  for (gsize i = 0; i < G_N_ELEMENTS (nowhere); i++)
    expect_refused (f, "bar2", "rw", nowhere[i], G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "262144 bytes");
  for (gsize i = 0; i < G_N_ELEMENTS (invalid); i++)
    expect_refused (f, "bar2", "rwm", invalid[i], G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "");
  expect_refused (f, "bar7", "rwm", NULL, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "bar0, bar2");
  expect_refused (f, "bar2", "rwm", "{'offset': <uint64 4096>}", REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "");
  expect_refused (f, "bar2", "rwm", "{'length': <uint64 4096>}", REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "");
  expect_refused (f, "bar2", "rwm", "{'revocation': <'immediate'>}", REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                  "detached");

  /* Nobody was asked and nothing is left. */
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, 0);
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 0);
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
test_part (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  struct stat facts;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "r", "{'offset': <uint64 4095>, 'length': <uint64 3>}", &fd);
  fake_polkit_expect_detail (f->polkit, "mechanism", "proxy");
  fake_polkit_expect_detail (f->polkit, "revocation", "immediate");
  fake_polkit_expect_detail (f->polkit, "offset", "4095");
  fake_polkit_expect_detail (f->polkit, "length", "3");
  g_assert_cmpint (fstat (fd, &facts), ==, 0);
  g_assert_cmpint (facts.st_size, ==, 3);
  close (fd);
}

static void
test_refused (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  expect_refused (f, "bar2", "rwm", NULL, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.write-region");
  expect_refused (f, "bar2", "rm", NULL, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.read-region");
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_CHALLENGE);
  expect_refused (f, "bar2", "rm", NULL, REGIOND_ERROR, REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                  "org.regiond1.read-region");
  expect_refused (f, "bar2", "rm", "{'interactive': <true>}", G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "dismissed");
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_REMEMBERED);
  expect_refused (f, "bar2", "rm", NULL, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "remembers");
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
open_later (GDBusConnection *client,
            Promise         *promise)
{
  client_call_later (client, SHM0, "Device", "OpenRegion",
                     g_variant_new ("(ss@a{sv})", "bar2", "rwm", options (NULL)), promise);
}

static void
test_leaves_meanwhile (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *client = fixture_connect (f);
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  open_later (client, &promise);
  fake_polkit_wait_asked (f->polkit, 1);
  client_leave (client);
  wait_until (promise.done);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (promise.done);
  g_assert_null (promise.reply);
  wait_until (client_count_leases (f->person, SHM0) == 0);
  wait_until (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
test_removed_meanwhile (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *other = fixture_connect (f);
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Promise) opening = { FALSE, NULL, NULL }, removing = { FALSE, NULL, NULL };

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  client_call_later (f->person, MANAGER_PATH, "Manager", "RemoveDevice",
                     g_variant_new ("(o@a{sv})", SHM0, options (NULL)), &removing);
  fake_polkit_wait_asked (f->polkit, 1);
  open_later (other, &opening);
  fake_polkit_wait_asked (f->polkit, 2);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (opening.done && removing.done);
  g_assert_no_error (removing.error);
  assert_error_says (opening.error, REGIOND_ERROR, REGIOND_ERROR_GONE, "shm0");
  client_leave (other);
}

static void
test_hang (void)
{
  g_autoptr (Fixture) f = fixture_new ();

  fixture_write (f, "regiond.conf", "[Daemon]\nAuthorizationTimeout=100ms;200ms\n");
  fixture_serve (f);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  expect_refused (f, "bar2", "rwm", NULL, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "100 ms");
  fake_polkit_wait_withdrawn (f->polkit, 1);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_PROMPT);
  expect_refused (f, "bar2", "rwm", "{'interactive': <true>}", G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "200 ms");
  fake_polkit_wait_withdrawn (f->polkit, 2);
}

static void
test_exclusive (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *other = fixture_connect (f);
  g_autofree char *lease = NULL, *second = NULL, *third = NULL, *owner = NULL;
  int fd, second_fd, third_fd;

  lease = client_must_open (other, SHM0, "bar2", "rwm", "{'exclusive': <true>}", &fd);
  owner = client_get_string (f->person, SHM0, "Device", "Exclusive");
  g_assert_cmpstr (owner, ==, g_dbus_connection_get_unique_name (other));
  expect_refused (f, "bar0", "rm", NULL, REGIOND_ERROR, REGIOND_ERROR_BUSY, lease);

  /* The owner himself may have more. */
  second = client_must_open (other, SHM0, "bar0", "rm", NULL, &second_fd);
  close (second_fd);
  close (fd);
  client_leave (other);
  wait_until (client_count_leases (f->person, SHM0) == 0);
  wait_until (client_sees_lingering (f->person, SHM0, 0));
  third = client_must_open (f->person, SHM0, "bar2", "rm", NULL, &third_fd);
  close (third_fd);
}

static void
test_exclusive_beside (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *other = fixture_connect (f);
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (other, SHM0, "bar2", "rwm", NULL, &fd);
  expect_refused (f, "bar0", "rm", "{'exclusive': <true>}", REGIOND_ERROR, REGIOND_ERROR_BUSY, lease);

  /* He leaves, and a reference stays. */
  client_leave (other);
  wait_until (client_count_leases (f->person, SHM0) == 0);
  expect_refused (f, "bar0", "rm", "{'exclusive': <true>}", REGIOND_ERROR, REGIOND_ERROR_LINGERING, lease);
  close (fd);
  wait_until (client_sees_lingering (f->person, SHM0, 0));
}

static void
test_many_at_once (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  Promise promises[8] = { { FALSE, NULL, NULL } };

  for (gsize i = 0; i < G_N_ELEMENTS (promises); i++)
    open_later (f->person, &promises[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (promises); i++)
    {
      wait_until (promises[i].done);
      g_assert_no_error (promises[i].error);
      promise_clear (&promises[i]);
    }
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, G_N_ELEMENTS (promises));
}

static void
add_tests (void)
{
  g_test_add_func ("/opening/a-part-of-a-region", test_part);
  g_test_add_func ("/opening/who-is-let-in-maps-it", test_grant);
  g_test_add_func ("/opening/polkit-hears-everything", test_details);
  g_test_add_func ("/opening/writing-is-another-action", test_write_action);
  g_test_add_func ("/opening/bad-input-leaves-no-trace", test_bad_input);
  g_test_add_func ("/opening/a-refusal-names-the-action", test_refused);
  g_test_add_func ("/opening/who-leaves-while-asked-leaves-nothing", test_leaves_meanwhile);
  g_test_add_func ("/opening/a-device-removed-meanwhile-is-gone", test_removed_meanwhile);
  g_test_add_func ("/opening/a-hung-polkit-hangs-nobody", test_hang);
  g_test_add_func ("/opening/exclusive-keeps-others-out", test_exclusive);
  g_test_add_func ("/opening/exclusive-waits-for-others-and-what-they-left", test_exclusive_beside);
  g_test_add_func ("/opening/many-at-once-all-get-in", test_many_at_once);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
