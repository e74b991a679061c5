/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <gio/gunixfdlist.h>
#include <string.h>
#include <unistd.h>

static GVariant *
add (Fixture    *f,
     const char *id,
     const char *regions,
     const char *text,
     GError    **error)
{
  g_autoptr (GVariant) parsed = g_variant_parse (G_VARIANT_TYPE ("a(st)"), regions, NULL, NULL, NULL);

  g_assert_nonnull (parsed);
  return client_call (f->person, MANAGER_PATH, "Manager", "AddMemoryDevice",
                      g_variant_new ("(s@a(st)@a{sv})", id, parsed, options (text)), error);
}

static GVariant *
remove_device (Fixture    *f,
               const char *path,
               const char *text,
               GError    **error)
{
  return client_call (f->person, MANAGER_PATH, "Manager", "RemoveDevice",
                      g_variant_new ("(o@a{sv})", path, options (text)), error);
}

static void
test_find (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GError) error = NULL, unknown = NULL;
  g_autoptr (GVariant) reply = NULL;
  const char *path;

  reply = client_call (f->person, MANAGER_PATH, "Manager", "GetDevice", g_variant_new ("(s)", "shm0"), &error);
  g_assert_no_error (error);
  g_variant_get (reply, "(&o)", &path);
  g_assert_cmpstr (path, ==, SHM0);
  g_assert_null (client_call (f->person, MANAGER_PATH, "Manager", "GetDevice", g_variant_new ("(s)", "shm9"),
                              &unknown));
  assert_error_says (unknown, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "shm9");
}

static void
expect_description (Fixture    *f,
                    const char *id,
                    const char *description)
{
  g_autofree char *path = g_strconcat ("/org/regiond1/devices/", id, NULL);
  g_autofree char *found = client_get_string (f->person, path, "Device", "Description");

  g_assert_cmpstr (found, ==, description);
}

/* A prompt would say "device plain ()". */
static void
test_add_without_description (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GVariant) none = add (f, "plain", "[('a', 4096)]", "@a{sv} {}", NULL);
  g_autoptr (GVariant) empty = add (f, "empty", "[('a', 4096)]", "{'description': <''>}", NULL);
  g_autofree char *lease = NULL;
  int fd;

  expect_description (f, "plain", "shared memory");
  expect_description (f, "empty", "shared memory");
  lease = client_must_open (f->person, "/org/regiond1/devices/plain", "a", "rwm", NULL, &fd);
  fake_polkit_expect_detail (f->polkit, "description", "shared memory");
  close (fd);
}

static void
test_add (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autofree char *action = NULL, *lease = NULL;
  int fd;

  reply = add (f, "mine", "[('a', 4096), ('b', 8192)]", "{'description': <'My own'>}", &error);
  g_assert_no_error (error);
  action = fake_polkit_get_action (f->polkit);
  g_assert_cmpstr (action, ==, "org.regiond1.manage-devices");
  fake_polkit_expect_detail (f->polkit, "device", "mine");
  fake_polkit_expect_detail (f->polkit, "backend", "memory");
  fake_polkit_expect_detail (f->polkit, "region", "a b");
  fake_polkit_expect_detail (f->polkit, "length", "12288");
  fake_polkit_expect_detail (f->polkit, "group", "false");
  fake_polkit_expect_detail (f->polkit, "force", "false");
  expect_description (f, "mine", "My own");
  lease = client_must_open (f->person, "/org/regiond1/devices/mine", "b", "rwm", NULL, &fd);
  close (fd);
}

static void
test_persist (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GVariant) reply = add (f, "kept", "[('a', 4096)]", "{'persist': <true>}", NULL);
  g_autofree char *lease = NULL, *again = NULL, *text = NULL;
  const char *path = "/org/regiond1/devices/kept";
  int fd;

  lease = client_must_open (f->person, path, "a", "rwm", NULL, &fd);
  fd_write_text (fd, "kept");
  close (fd);
  wait_until (client_count_leases (f->person, path) == 0);
  again = client_must_open (f->person, path, "a", "rm", NULL, &fd);
  text = fd_read_text (fd);
  g_assert_cmpstr (text, ==, "kept");
  close (fd);
}

static void
expect_invalid (Fixture    *f,
                const char *id,
                const char *regions,
                const char *text,
                GQuark      domain,
                int         code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = add (f, id, regions, text, &error);

  g_assert_null (reply);
  g_assert_true (g_error_matches (error, domain, code));
  g_assert_cmpuint (strlen (error->message), <, 500);
}

static void
test_bad_add (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *long_id = g_strnfill (300, 'i'), *long_text = g_strnfill (257, 'd');
  g_autofree char *description = g_strdup_printf ("{'description': <'%s'>}", long_text);
  const char *const ids[] = { "", "a/b", "../x", "2x", "a-b", "a b", "a\n", long_id };
  const char *const regions[] = {
    "@a(st) []", "[('a', 0)]", "[('a', 1)]", "[('a', 4097)]", "[('a', 9223372036854775808)]", "[('a b', 4096)]",
    "[('a\\n', 4096)]", "[('', 4096)]", "[('abcdefghijklmnopqrstuvwxyzabcdefg', 4096)]", "[('a', 4096), ('a', 4096)]",
  };
  const char *const texts[] = { "{'colour': <'red'>}", "{'persist': <'yes'>}", "{'description': <'a\\nb'>}",
                                description };

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    expect_invalid (f, ids[i], "[('a', 4096)]", NULL, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
  for (gsize i = 0; i < G_N_ELEMENTS (regions); i++)
    expect_invalid (f, "mine", regions[i], NULL, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    expect_invalid (f, "mine", "[('a', 4096)]", texts[i], G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
  expect_invalid (f, "shm0", "[('a', 4096)]", NULL, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, 0);

  /* Nothing of them is left: the id is free. */
  g_assert_nonnull (add (f, "mine", "[('a', 4096)]", NULL, NULL));
}

static void
test_limit (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GVariant) reply = NULL, again = NULL;
  g_autoptr (GError) error = NULL;

  expect_invalid (f, "huge", "[('a', 8388608)]", NULL, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  expect_invalid (f, "huge", "[('a', 4611686018427387904), ('b', 4611686018427387904)]", NULL,
                  REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  reply = add (f, "large", "[('a', 4194304)]", NULL, NULL);
  g_assert_nonnull (reply);
  expect_invalid (f, "more", "[('a', 4194304)]", NULL, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);

  /* What is removed is given back. */
  g_assert_nonnull (remove_device (f, "/org/regiond1/devices/large", NULL, &error));
  again = add (f, "more", "[('a', 4194304)]", NULL, NULL);
  g_assert_nonnull (again);
}

static void
test_refused (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (GError) adding = NULL, removing = NULL;

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  g_assert_null (add (f, "mine", "[('a', 4096)]", NULL, &adding));
  assert_error_says (adding, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.manage-devices");
  g_assert_null (remove_device (f, SHM0, NULL, &removing));
  assert_error_says (removing, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "org.regiond1.manage-devices");
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
test_same_id_meanwhile (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_auto (Promise) one = { FALSE, NULL, NULL }, other = { FALSE, NULL, NULL };
  Promise *promises[] = { &one, &other };
  GDBusConnection *people[] = { f->person, fixture_connect (f) };

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (GVariant) regions = g_variant_ref_sink (g_variant_new_parsed ("[('a', uint64 4096)]"));

      client_call_later (people[i], MANAGER_PATH, "Manager", "AddMemoryDevice",
                         g_variant_new ("(s@a(st)@a{sv})", "mine", regions, options (NULL)), promises[i]);
      fake_polkit_wait_asked (f->polkit, i + 1);
    }
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (one.done && other.done);
  g_assert_no_error (one.error);
  g_assert_error (other.error, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  client_leave (people[1]);
}

static void
test_remove (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  g_autofree char *lease = NULL;
  g_autoptr (GError) busy = NULL, gone = NULL;
  g_autoptr (GVariant) reply = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  g_assert_null (remove_device (f, SHM0, NULL, &busy));
  assert_error_says (busy, REGIOND_ERROR, REGIOND_ERROR_BUSY, "force");
  reply = remove_device (f, SHM0, "{'force': <true>}", NULL);
  g_assert_nonnull (reply);
  wait_until (ear_heard (ear, "Ended('removed',)"));
  g_assert_null (remove_device (f, SHM0, NULL, &gone));
  g_assert_error (gone, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND);

  /* The lease lingers without its device until the fd is closed. */
  g_assert_true (client_sees_state (f->person, lease, "Lease", "lingering"));
  close (fd);
  wait_until (client_get (f->person, lease, "Lease", "State") == NULL);
}

static void
test_objects (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  g_autoptr (GVariant) reply = NULL, objects = NULL;
  const char *const expected[] = { SHM0, "/org/regiond1/devices/ring", NULL };
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  reply = g_dbus_connection_call_sync (f->person, "org.regiond1", MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                                       "GetManagedObjects", NULL, G_VARIANT_TYPE ("(a{oa{sa{sv}}})"),
                                       G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
  g_assert_nonnull (reply);
  objects = g_variant_get_child_value (reply, 0);
  g_assert_cmpuint (g_variant_n_children (objects), ==, 3);
  for (gsize i = 0; expected[i] != NULL; i++)
    {
      g_autoptr (GVariant) object = g_variant_lookup_value (objects, expected[i], NULL);

      g_assert_nonnull (object);
    }
  g_assert_true (g_variant_lookup (objects, lease, "@a{sa{sv}}", NULL));
  close (fd);
}

static void
add_tests (void)
{
  g_test_add_func ("/manager/a-device-is-found-by-its-id", test_find);
  g_test_add_func ("/manager/an-added-device-is-served", test_add);
  g_test_add_func ("/manager/memory-that-nobody-has-described-is-called-that", test_add_without_description);
  g_test_add_func ("/manager/an-added-device-may-persist", test_persist);
  g_test_add_func ("/manager/bad-input-adds-nothing", test_bad_add);
  g_test_add_func ("/manager/more-than-max-memory-is-refused", test_limit);
  g_test_add_func ("/manager/polkit-may-refuse-both", test_refused);
  g_test_add_func ("/manager/of-two-with-the-same-id-one-is-busy", test_same_id_meanwhile);
  g_test_add_func ("/manager/a-leased-device-goes-by-force-only", test_remove);
  g_test_add_func ("/manager/every-device-and-lease-is-listed", test_objects);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
