/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <fcntl.h>
#include <unistd.h>

static void
expect_refused (Fixture    *f,
                int         shown,
                const char *text,
                GQuark      domain,
                int         code,
                const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *lease = NULL;
  int fd;

  lease = client_attach (f->person, shown, text, &fd, &error);
  g_assert_null (lease);
  assert_error_says (error, domain, code, word);
}

static void
test_share (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GError) error = NULL;
  g_autofree char *lease = NULL, *attached = NULL, *action = NULL, *label = NULL, *text = NULL;
  GDBusConnection *other = fixture_connect (f);
  int fd, own;

  lease = client_must_open (other, SHM0, "bar2", "rwm", NULL, &fd);
  fd_write_text (fd, "shared");
  attached = client_attach (f->person, fd, "{'label': <'mine'>, 'access': <'rm'>}", &own, &error);
  close (fd);
  g_assert_no_error (error);
  text = fd_read_text (own);
  g_assert_cmpstr (text, ==, "shared");
  g_assert_cmpint (fcntl (own, F_GETFL) & O_ACCMODE, ==, O_RDONLY);

  action = fake_polkit_get_action (f->polkit);
  g_assert_cmpstr (action, ==, "org.regiond1.read-region");
  fake_polkit_expect_detail (f->polkit, "proof", "fd");
  fake_polkit_expect_detail (f->polkit, "region", "bar2");
  fake_polkit_expect_detail (f->polkit, "access", "rm");
  fake_polkit_expect_detail (f->polkit, "mechanism", "memfd");
  fake_polkit_expect_detail (f->polkit, "label", "mine");
  label = client_get_string (f->person, attached, "Lease", "Label");
  g_assert_cmpstr (label, ==, "mine");

  /* The service has closed what it was shown: nothing of the first one's is left. */
  client_leave (other);
  wait_until (client_count_leases (f->person, SHM0) == 1);
  g_assert_true (client_sees_state (f->person, attached, "Lease", "active"));
  close (own);
}

static void
test_bad_input (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL, *loose = NULL, *path = NULL;
  guint asked;
  int fd, tolerated, nothing;

  lease = client_must_open (f->person, SHM0, "bar2", "rm", NULL, &fd);
  loose = client_must_open (f->person, RING, "data", "rwm", NULL, &tolerated);
  asked = fake_polkit_count_asked (f->polkit);
  path = g_strdup_printf ("/proc/self/fd/%d", fd);
  nothing = open (path, O_PATH | O_CLOEXEC);
  expect_refused (f, -1, NULL, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "has 0");
  expect_refused (f, nothing, NULL, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "O_PATH");
  expect_refused (f, fd, "{'colour': <'red'>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "colour");
  expect_refused (f, fd, "{'access': <'all'>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'all'");
  expect_refused (f, fd, "{'access': <'rwm'>}", REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "'rm'");
  expect_refused (f, fd, "{'revocation': <'immediate'>}", REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "detached");
  expect_refused (f, tolerated, NULL, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "tolerate");
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked);
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 1);
  close (nothing);
  close (tolerated);
  close (fd);
}

static void
test_refused (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  expect_refused (f, fd, NULL, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.write-region");
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 1);
  close (fd);
}

static void
add_tests (void)
{
  g_test_add_func ("/attach/what-is-shown-is-shared", test_share);
  g_test_add_func ("/attach/what-proves-nothing-is-refused-before-anybody-is-asked", test_bad_input);
  g_test_add_func ("/attach/polkit-may-refuse", test_refused);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
