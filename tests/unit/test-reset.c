/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

static gboolean
reset (GDBusConnection *client,
       const char      *device,
       const char      *text,
       GError         **error)
{
  g_autoptr (GVariant) reply = client_call (client, device, "Device", "Reset",
                                            g_variant_new ("(@a{sv})", options (text)), error);

  return reply != NULL;
}

static void
test_tenant (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL, *other = NULL, *text = NULL, *shared = NULL, *action = NULL;
  g_autoptr (GError) error = NULL;
  int fd, second;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  fd_write_text (fd, "old");
  g_assert_true (reset (f->person, SHM0, NULL, &error));
  g_assert_no_error (error);
  action = fake_polkit_get_action (f->polkit);
  g_assert_cmpstr (action, ==, "org.regiond1.reset-device");
  text = fd_read_text (fd);
  g_assert_cmpstr (text, ==, "");

  /* No lease has ended, and who comes now shares with them. */
  g_assert_true (client_sees_state (f->person, lease, "Lease", "active"));
  fd_write_text (fd, "new");
  other = client_must_open (f->person, SHM0, "bar2", "rm", NULL, &second);
  shared = fd_read_text (second);
  g_assert_cmpstr (shared, ==, "new");
  close (fd);
  close (second);
}

static void
test_exclusive (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", "{'exclusive': <true>}", &fd);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  g_assert_true (reset (f->person, SHM0, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, 1);
  close (fd);
}

static void
test_busy (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *other = fixture_connect (f);
  g_autofree char *lease = NULL, *text = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  lease = client_must_open (other, SHM0, "bar2", "rwm", NULL, &fd);
  fd_write_text (fd, "theirs");
  g_assert_false (reset (f->person, SHM0, NULL, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  text = fd_read_text (fd);
  g_assert_cmpstr (text, ==, "theirs");
  close (fd);
  client_leave (other);
}

static void
test_busy_meanwhile (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *other = fixture_connect (f);
  g_auto (Promise) promise = { FALSE, NULL, NULL };
  g_autofree char *lease = NULL, *text = NULL;
  g_auto (Promise) opening = { FALSE, NULL, NULL };

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  client_call_later (other, SHM0, "Device", "OpenRegion",
                     g_variant_new ("(ss@a{sv})", "bar2", "rwm", options (NULL)), &opening);
  fake_polkit_wait_asked (f->polkit, 1);
  client_call_later (f->person, SHM0, "Device", "Reset", g_variant_new ("(@a{sv})", options (NULL)), &promise);
  fake_polkit_wait_asked (f->polkit, 2);

  /* The answers go out in the order of the questions. */
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (promise.done && opening.done);
  g_assert_no_error (opening.error);
  g_assert_error (promise.error, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  client_leave (other);
}

static void
test_refused (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GError) denied = NULL, unknown = NULL;

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  g_assert_false (reset (f->person, SHM0, NULL, &denied));
  assert_error_says (denied, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.reset-device");
  g_assert_false (reset (f->person, SHM0, "{'hard': <true>}", &unknown));
  assert_error_says (unknown, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'hard'");
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
test_persistent (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autofree char *lease = NULL, *again = NULL, *text = NULL;
  const char *path = "/org/regiond1/devices/kept";
  int fd;

  fixture_write (f, "devices.d/kept.conf", "[Device]\nBackend=memory\nPersist=true\n[Region a]\nSize=4K\n");
  fixture_serve (f);
  lease = client_must_open (f->person, path, "a", "rwm", NULL, &fd);
  fd_write_text (fd, "kept");
  close (fd);
  wait_until (client_count_leases (f->person, path) == 0);
  g_assert_true (reset (f->person, path, NULL, NULL));
  again = client_must_open (f->person, path, "a", "rm", NULL, &fd);
  text = fd_read_text (fd);
  g_assert_cmpstr (text, ==, "");
  close (fd);
}

static void
add_tests (void)
{
  g_test_add_func ("/reset/a-tenant-goes-on-with-an-emptied-object", test_tenant);
  g_test_add_func ("/reset/the-exclusive-owner-needs-no-leave", test_exclusive);
  g_test_add_func ("/reset/not-under-somebody-elses-lease", test_busy);
  g_test_add_func ("/reset/nor-under-one-granted-meanwhile", test_busy_meanwhile);
  g_test_add_func ("/reset/polkit-may-refuse", test_refused);
  g_test_add_func ("/reset/what-persists-is-gone-after-it", test_persistent);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
