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
  g_test_add_func ("/absent/nor-are-its-properties", test_property);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
