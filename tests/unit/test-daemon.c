/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "config.h"

#include <string.h>
#include <unistd.h>

static void
test_generation (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *version = NULL, *before = NULL, *after = NULL;

  version = client_get_string (f->person, MANAGER_PATH, "Manager", "Version");
  g_assert_cmpstr (version, ==, REGIOND_VERSION);
  before = client_get_string (f->person, MANAGER_PATH, "Manager", "Generation");
  g_assert_true (g_uuid_string_is_valid (before));
  fixture_stop (f);
  fixture_serve (f);
  after = client_get_string (f->person, MANAGER_PATH, "Manager", "Generation");
  g_assert_true (g_uuid_string_is_valid (after));
  g_assert_cmpstr (before, !=, after);
}

static void
test_shutdown (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  g_autofree char *lease = NULL, *again = NULL, *text = NULL;
  int fd, next;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  fd_write_text (fd, "of the last one");
  fixture_stop (f);
  wait_until (ear_heard (ear, "Ended('shutdown',)"));
  fixture_serve (f);
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 0);
  again = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &next);
  text = fd_read_text (next);
  g_assert_cmpstr (text, ==, "");
  close (fd);
  close (next);
}

static void
test_shutdown_while_asking (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  client_call_later (f->person, SHM0, "Device", "OpenRegion",
                     g_variant_new ("(ss@a{sv})", "bar2", "rwm", options (NULL)), &promise);
  fake_polkit_wait_asked (f->polkit, 1);
  fixture_stop (f);
  wait_until (promise.done);
  g_assert_null (promise.reply);
}

static void
test_left_out (void)
{
  g_autoptr (Fixture) f = fixture_new ();

  fixture_write (f, "devices.d/huge.conf", "[Device]\nBackend=memory\n[Region a]\nSize=1T\n");
  fixture_write (f, "devices.d/not-an-id.conf", "[Device]\nBackend=memory\n[Region a]\nSize=4K\n");
  fixture_write (f, "devices.d/broken.conf", "[Device]\nBackend=memory\n[Region a]\nSize=4 elephants\n");
  fixture_serve (f);
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "parked"));
  g_assert_null (client_get (f->person, "/org/regiond1/devices/huge", "Device", "State"));
  g_assert_null (client_get (f->person, "/org/regiond1/devices/broken", "Device", "State"));
}

static guint
count_in_log (const char *path,
              const char *words)
{
  g_autofree char *log = NULL;
  g_auto (GStrv) parts = NULL;

  g_assert_true (g_file_get_contents (path, &log, NULL, NULL));
  parts = g_strsplit (log, words, -1);
  return g_strv_length (parts) - 1;
}

static void
test_too_large (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autofree char *path = g_build_filename (f->directory, "log", NULL);
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  f->log = path;
  fixture_write (f, "devices.d/large.conf", "[Device]\nBackend=memory\n[Region a]\nSize=5M\n");
  fixture_serve (f);
  g_assert_cmpuint (count_in_log (path, "Device large has 5M of memory, and nobody can open it, since one user may have "
                                        "4M; raise MaxMemoryPerUser (half of MaxMemory,"), ==, 1);
  g_assert_cmpuint (count_in_log (path, "nobody can open it"), ==, 1);

  /* One that is added later is said at once, and one that anybody can open is not. */
  fixture_stop (f);
  fixture_write (f, "regiond.conf", "[Daemon]\nMaxMemory=8M\nMaxMemoryPerUser=1M\n");
  fixture_write (f, "devices.d/large.conf", "[Device]\nBackend=memory\n[Region a]\nSize=1M\n");
  fixture_serve (f);
  reply = client_call (f->person, MANAGER_PATH, "Manager", "AddMemoryDevice",
                       g_variant_new_parsed ("('later', @a(st) [('a', 2097152)], @a{sv} {})"), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count_in_log (path, "Device later has 2M"), ==, 1);
  g_assert_cmpuint (count_in_log (path, "Device large has 1M"), ==, 0);
}

static void
test_many_clients (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *clients[40];
  int fds[G_N_ELEMENTS (clients)];

  for (gsize i = 0; i < G_N_ELEMENTS (clients); i++)
    {
      g_autofree char *lease = NULL;

      clients[i] = fixture_connect (f);
      lease = client_must_open (clients[i], SHM0, "bar2", "rwm", NULL, &fds[i]);
    }
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, G_N_ELEMENTS (clients));
  for (gsize i = 0; i < G_N_ELEMENTS (clients); i++)
    {
      close (fds[i]);
      client_leave (clients[i]);
    }
  wait_until (client_count_leases (f->person, SHM0) == 0);
  wait_until (client_sees_lingering (f->person, SHM0, 0));
  wait_until (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
test_no_polkit (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autofree char *lease = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  g_clear_pointer (&f->polkit, fake_polkit_free);
  fixture_serve (f);
  g_assert_null (client_open (f->person, SHM0, "bar2", "rwm", NULL, &fd, &error));
  assert_error_says (error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.write-region");

  /* It comes, and is asked. */
  f->polkit = fake_polkit_new (f->address);
  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  close (fd);
}

static void
add_tests (void)
{
  g_test_add_func ("/daemon/every-start-is-another-generation", test_generation);
  g_test_add_func ("/daemon/a-shutdown-ends-every-lease", test_shutdown);
  g_test_add_func ("/daemon/a-shutdown-waits-for-no-polkit", test_shutdown_while_asking);
  g_test_add_func ("/daemon/what-cannot-be-served-is-left-out", test_left_out);
  g_test_add_func ("/daemon/a-device-that-nobody-can-open-is-warned-of", test_too_large);
  g_test_add_func ("/daemon/many-clients-leave-nothing", test_many_clients);
  g_test_add_func ("/daemon/without-polkit-nobody-is-let-in", test_no_polkit);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
