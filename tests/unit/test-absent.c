/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <unistd.h>

static void
expect_not_found (Fixture    *f,
                  const char *path,
                  const char *interface,
                  const char *method,
                  GVariant   *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = client_call (f->person, path, interface, method, arguments, &error);

  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, path);
}

static void
test_device (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();

  expect_not_found (f, "/org/regiond1/devices/nothing", "Device", "Verify", g_variant_new ("(@a{sv})", options (NULL)));
  expect_not_found (f, "/org/regiond1/devices/nothing", "Device", "OpenRegion",
                    g_variant_new ("(ss@a{sv})", "bar2", "rwm", options (NULL)));
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, 0);
}

static void
test_lease (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();

  expect_not_found (f, "/org/regiond1/leases/1", "Lease", "Release", NULL);
  expect_not_found (f, "/org/regiond1/leases/1", "Lease", "Revoke",
                    g_variant_new ("(s@a{sv})", "why", options (NULL)));
}

static void
test_ended (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar0", "rwm", NULL, &fd);
  close (fd);
  wait_until (client_count_leases (f->person, SHM0) == 0);
  wait_until (client_sees_lingering (f->person, SHM0, 0));
  expect_not_found (f, lease, "Lease", "Release", NULL);
}

/* Some of the calls have been taken in when the first of them ends the lease. */
static void
expect_one_release (Fixture *f)
{
  Promise promises[8] = { { FALSE, NULL, NULL } };
  g_autofree char *lease = NULL;
  guint good = 0;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar0", "rwm", NULL, &fd);
  close (fd);
  for (guint i = 0; i < G_N_ELEMENTS (promises); i++)
    client_call_later (f->person, lease, "Lease", "Release", NULL, &promises[i]);
  for (guint i = 0; i < G_N_ELEMENTS (promises); i++)
    {
      wait_until (promises[i].done);
      if (promises[i].error != NULL)
        assert_error_says (promises[i].error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, lease);
      good += promises[i].error == NULL;
      promise_clear (&promises[i]);
    }
  g_assert_cmpuint (good, <=, 1);
}

static void
test_in_flight (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();

  for (guint i = 0; i < 20; i++)
    expect_one_release (f);
}

/* What no lease ever had stays unknown. */
static void
test_unknown (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar0", "rwm", NULL, &fd);
  reply = client_call (f->person, lease, "Device", "Verify", g_variant_new ("(@a{sv})", options (NULL)), &error);
  g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
  close (fd);
}

static void
test_property (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      f->person, "org.regiond1", "/org/regiond1/devices/nothing", "org.freedesktop.DBus.Properties", "Get",
      g_variant_new ("(ss)", "org.regiond1.Device", "State"), NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);

  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "/org/regiond1/devices/nothing");
}

static void
add_tests (void)
{
  g_test_add_func ("/absent/a-device-that-never-was-is-not-found", test_device);
  g_test_add_func ("/absent/a-lease-that-never-was-is-not-found", test_lease);
  g_test_add_func ("/absent/an-ended-lease-is-not-found", test_ended);
  g_test_add_func ("/absent/nor-is-one-that-ends-while-it-is-called", test_in_flight);
  g_test_add_func ("/absent/what-no-lease-has-is-unknown", test_unknown);
  g_test_add_func ("/absent/nor-are-its-properties", test_property);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
