/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
expect_string (Fixture    *f,
               const char *property,
               const char *wanted)
{
  g_autofree char *value = client_get_string (f->person, SHM0, "Device", property);

  g_assert_cmpstr (value, ==, wanted);
}

static void
expect_printed (Fixture    *f,
                const char *device,
                const char *property,
                const char *wanted)
{
  g_autoptr (GVariant) value = client_get (f->person, device, "Device", property);
  g_autofree char *text = g_variant_print (value, FALSE);

  g_assert_cmpstr (text, ==, wanted);
}

static void
test_properties (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();

  expect_string (f, "Id", "shm0");
  expect_string (f, "Backend", "memory");
  expect_string (f, "Description", "Sensor ring");
  expect_string (f, "Address", "");
  expect_string (f, "Driver", "");
  expect_string (f, "Isolation", "not-applicable");
  expect_string (f, "State", "parked");
  expect_string (f, "Exclusive", "");
  expect_printed (f, SHM0, "IommuGroup", "-1");
  expect_printed (f, SHM0, "VendorId", "0");
  expect_printed (f, SHM0, "GroupDevices", "[]");
  expect_printed (f, SHM0, "ResetMethods", "['fresh']");
  expect_printed (f, SHM0, "Leases", "[]");
  expect_printed (f, SHM0, "Lingering", "0");
  expect_printed (f, SHM0, "Regions",
                  "{'bar0': {'index': <uint32 0>, 'size': <uint64 4096>, 'kind': <'memory'>, 'access': <'rwm'>, "
                  "'mechanisms': <['memfd', 'proxy']>, 'revocation': <'detached'>}, "
                  "'bar2': {'index': <uint32 1>, 'size': <uint64 262144>, 'kind': <'memory'>, 'access': <'rwm'>, "
                  "'mechanisms': <['memfd', 'proxy']>, 'revocation': <'detached'>}}");
  expect_printed (f, "/org/regiond1/devices/ring", "Regions",
                  "{'data': {'index': <uint32 0>, 'size': <uint64 4096>, 'kind': <'memory'>, 'access': <'rwm'>, "
                  "'mechanisms': <['memfd', 'proxy']>, 'revocation': <'on-close'>}}");
}

static void
test_fresh (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *first = fixture_connect (f);
  g_autofree char *lease = NULL, *again = NULL, *text = NULL;
  int fd, next;

  lease = client_must_open (first, SHM0, "bar2", "rwm", NULL, &fd);
  fd_write_text (fd, "secret");
  close (fd);
  client_leave (first);
  wait_until (client_count_leases (f->person, SHM0) == 0);
  again = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &next);
  text = fd_read_text (next);
  g_assert_cmpstr (text, ==, "");
  close (next);
}

/* Though somebody is on the device all the time: on another region. */
static void
test_fresh_region (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *other = NULL, *lease = NULL, *again = NULL, *text = NULL;
  int elsewhere, fd, next;

  other = client_must_open (f->person, SHM0, "bar0", "rwm", NULL, &elsewhere);
  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  fd_write_text (elsewhere, "mine");
  fd_write_text (fd, "secret");
  close (fd);
  wait_until (client_count_leases (f->person, SHM0) == 1);
  again = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &next);
  text = fd_read_text (next);
  g_assert_cmpstr (text, ==, "");
  g_clear_pointer (&text, g_free);
  text = fd_read_text (elsewhere);
  g_assert_cmpstr (text, ==, "mine");
  close (next);
  close (elsewhere);
}

/* How many objects of that name regiond has. */
static guint
count_objects (Fixture    *f,
               const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/fd", g_subprocess_get_identifier (f->service));
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *fd;
  guint n = 0;

  while ((fd = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *link = g_build_filename (path, fd, NULL);
      g_autofree char *target = g_file_read_link (link, NULL);

      n += target != NULL && strstr (target, name) != NULL;
    }
  return n;
}

static void
test_kept_region (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autofree char *other = NULL, *lease = NULL, *again = NULL, *text = NULL;
  const char *path = "/org/regiond1/devices/kept";
  int elsewhere, fd, next;

  fixture_write (f, "devices.d/kept.conf",
                 "[Device]\nBackend=memory\nPersist=true\n[Region a]\nSize=4K\n[Region b]\nSize=4K\n");
  fixture_serve (f);
  other = client_must_open (f->person, path, "b", "rwm", NULL, &elsewhere);
  lease = client_must_open (f->person, path, "a", "rwm", NULL, &fd);
  fd_write_text (fd, "kept");
  g_assert_nonnull (client_call (f->person, lease, "Lease", "Release", NULL, NULL));

  /* The old one, which is still held, and its copy. */
  wait_until (count_objects (f, "regiond:kept:a") == 2);
  fd_write_text (fd, "from the past");
  again = client_must_open (f->person, path, "a", "rwm", NULL, &next);
  text = fd_read_text (next);
  g_assert_cmpstr (text, ==, "kept");
  close (next);
  close (fd);
  close (elsewhere);
}

static void
test_closed_everywhere (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  g_autofree char *lease = NULL, *other = NULL;
  int fd, other_fd;

  other = client_must_open (f->person, SHM0, "bar2", "rm", NULL, &other_fd);
  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  close (fd);
  wait_until (ear_heard (ear, "Ended('released',)"));
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 1);
  g_assert_true (client_sees_state (f->person, other, "Lease", "active"));
  close (other_fd);
  wait_until (client_count_leases (f->person, SHM0) == 0);
  wait_until (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
test_neighbour (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *dying = fixture_connect (f);
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  char *leases[3];
  int fds[3], mine;
  g_autofree char *lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &mine), *text = NULL;

  for (int i = 0; i < 3; i++)
    leases[i] = client_must_open (dying, SHM0, "bar2", "rwm", NULL, &fds[i]);
  fd_write_text (mine, "still here");
  for (int i = 0; i < 3; i++)
    close (fds[i]);
  client_leave (dying);
  wait_until (client_count_leases (f->person, SHM0) == 1);
  wait_until (client_sees_lingering (f->person, SHM0, 0));

  g_assert_true (client_sees_state (f->person, lease, "Lease", "active"));
  text = fd_read_text (mine);
  g_assert_cmpstr (text, ==, "still here");
  g_assert_cmpuint (ear->heard->len, ==, 0);
  close (mine);
  for (int i = 0; i < 3; i++)
    g_free (leases[i]);
}

static void
test_superseded (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *leaky = fixture_connect (f);
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  g_autofree char *lease = NULL, *leak = NULL, *text = NULL, *again = NULL;
  g_autoptr (GError) error = NULL;
  int mine, leaked, next;
  char *memory;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &mine);
  leak = client_must_open (leaky, SHM0, "bar2", "rwm", NULL, &leaked);
  memory = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, leaked, 0);
  close (leaked);
  client_leave (leaky);
  wait_until (ear_heard (ear, "Ended('superseded',)"));
  g_assert_cmpuint (client_count_leases (f->person, SHM0), ==, 0);
  close (mine);
  wait_until (client_sees_lingering (f->person, SHM0, 1));
  g_assert_true (client_sees_state (f->person, leak, "Lease", "lingering"));
  wait_until (client_sees_state (f->person, SHM0, "Device", "parked"));

  /* The same user has to end it first. */
  g_assert_null (client_open (f->person, SHM0, "bar2", "rwm", NULL, &next, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LINGERING, leak);
  strcpy (memory, "from the past");
  munmap (memory, 4096);
  wait_until (client_sees_lingering (f->person, SHM0, 0));
  again = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &next);
  text = fd_read_text (next);
  g_assert_cmpstr (text, ==, "");
  close (next);
}

/* Leaks some, and closes them again in the order of opening, or backward. */
static void
leak_many (Fixture *f,
           gboolean forward)
{
  GDBusConnection *leaky = fixture_connect (f);
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  g_autofree char *lease = NULL;
  int mine, next, leaks[6];
  gsize n = G_N_ELEMENTS (leaks);

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &mine);
  for (gsize i = 0; i < n; i++)
    g_free (client_must_open (leaky, SHM0, "bar2", "rwm", NULL, &leaks[i]));
  client_leave (leaky);
  wait_until (ear_heard (ear, "Ended('superseded',)"));
  close (mine);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;

      wait_until (client_sees_lingering (f->person, SHM0, n - i));
      g_assert_null (client_open (f->person, SHM0, "bar2", "rwm", NULL, &next, &error));
      g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LINGERING);
      close (leaks[forward ? i : n - 1 - i]);
    }
  wait_until (client_sees_lingering (f->person, SHM0, 0));
}

/* Not just for the one that was looked at first, whichever that is. */
static void
test_many_leaks (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *again = NULL;
  int next;

  leak_many (f, TRUE);
  leak_many (f, FALSE);
  again = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &next);
  close (next);
}

static void
test_other_user (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *leaky, *good;
  g_autoptr (Ear) ear = NULL;
  g_autofree char *lease = NULL, *leak = NULL, *again = NULL, *text = NULL;
  g_autoptr (GError) error = NULL;
  int mine, leaked, next;

  if (geteuid () != 0)
    {
      g_test_skip ("two users' parts need root");
      return;
    }

  leaky = fixture_connect_as (f, 65534);
  good = fixture_connect_as (f, 1);
  ear = ear_new (good, "Lease");
  lease = client_must_open (good, SHM0, "bar2", "rwm", NULL, &mine);
  leak = client_must_open (leaky, SHM0, "bar2", "rwm", NULL, &leaked);
  g_assert_nonnull (client_call (leaky, leak, "Lease", "Release", NULL, NULL));
  wait_until (ear_heard (ear, "Ended('superseded',)"));

  g_assert_null (client_open (leaky, SHM0, "bar2", "rwm", NULL, &next, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LINGERING);
  again = client_must_open (good, SHM0, "bar2", "rwm", NULL, &next);
  fd_write_text (leaked, "from the past");
  text = fd_read_text (next);
  g_assert_cmpstr (text, ==, "");
  close (next);
  close (leaked);
  close (mine);
  g_clear_pointer (&ear, ear_free);
  client_leave (leaky);
  client_leave (good);
}

static void
test_tolerate (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  GDBusConnection *leaky = fixture_connect (f);
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  g_autofree char *lease = NULL, *leak = NULL, *revocation = NULL, *second = NULL, *text = NULL;
  int mine, leaked, next;

  lease = client_must_open (f->person, RING, "data", "rwm", NULL, &mine);
  leak = client_must_open (leaky, RING, "data", "rwm", NULL, &leaked);
  revocation = client_get_string (f->person, lease, "Lease", "Revocation");
  g_assert_cmpstr (revocation, ==, "on-close");
  client_leave (leaky);
  wait_until (client_sees_state (f->person, leak, "Lease", "lingering"));
  g_assert_true (client_sees_lingering (f->person, RING, 1));

  /* The others go on, and newcomers join them. */
  fd_write_text (mine, "going on");
  second = client_must_open (f->person, RING, "data", "rwm", NULL, &next);
  text = fd_read_text (next);
  g_assert_cmpstr (text, ==, "going on");
  g_assert_cmpuint (ear->heard->len, ==, 0);
  close (leaked);
  wait_until (client_sees_lingering (f->person, RING, 0));
  g_assert_true (client_sees_state (f->person, lease, "Lease", "active"));
  close (mine);
  close (next);
}

static void
on_changed (GDBusConnection *connection,
            const char      *sender,
            const char      *path,
            const char      *interface,
            const char      *signal,
            GVariant        *parameters,
            gpointer         data)
{
  g_autofree const char **invalidated = NULL;

  g_variant_get (parameters, "(&s@a{sv}^a&s)", NULL, NULL, &invalidated);
  if (g_strv_contains (invalidated, "Leases"))
    (*(guint *) data)++;
}

static void
test_announced (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  guint announced = 0;
  guint subscription = g_dbus_connection_signal_subscribe (
      f->person, "org.regiond1", "org.freedesktop.DBus.Properties", "PropertiesChanged", SHM0, NULL,
      G_DBUS_SIGNAL_FLAGS_NONE, on_changed, &announced, NULL);
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  wait_until (announced > 0);
  announced = 0;
  close (fd);
  wait_until (announced > 0);
  g_dbus_connection_signal_unsubscribe (f->person, subscription);
}

static void
add_tests (void)
{
  g_test_add_func ("/device/it-tells-what-it-is", test_properties);
  g_test_add_func ("/device/the-next-one-finds-nothing", test_fresh);
  g_test_add_func ("/device/a-regions-next-one-finds-nothing-though-another-is-leased", test_fresh_region);
  g_test_add_func ("/device/what-persists-is-out-of-reach-of-the-former-holder", test_kept_region);
  g_test_add_func ("/device/an-fd-closed-everywhere-ends-its-lease", test_closed_everywhere);
  g_test_add_func ("/device/a-neighbours-death-is-not-noticed", test_neighbour);
  g_test_add_func ("/device/a-leak-retires-the-object-under-the-others", test_superseded);
  g_test_add_func ("/device/a-user-waits-for-the-last-of-his-leaks", test_many_leaks);
  g_test_add_func ("/device/another-users-leak-costs-one-lease-not-the-device", test_other_user);
  g_test_add_func ("/device/where-leaks-are-tolerated-the-others-go-on", test_tolerate);
  g_test_add_func ("/device/a-change-of-its-leases-is-announced", test_announced);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
