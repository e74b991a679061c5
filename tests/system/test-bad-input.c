/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "world.h"

#define ADD MANAGER_PATH, MANAGER_INTERFACE, "AddMemoryDevice"
#define UNKNOWN_METHOD "org.freedesktop.DBus.Error.UnknownMethod"

/* Nothing of it may stay: no object, no lease, no descriptor, no memory. */
typedef struct
{
  World *world;
  Person *alice;
  guint fds;
  gsize objects;
} Trace;

static gsize
count_objects (World *world)
{
  g_autoptr (GVariant) answer = world_call (world, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                                            "GetManagedObjects", NULL);
  g_autoptr (GVariant) objects = g_variant_get_child_value (answer, 0);

  return g_variant_n_children (objects);
}

static void
trace_start (Trace *trace,
             gconstpointer data)
{
  g_autoptr (Opened) opened = NULL;

  trace->world = world_new ("");
  trace->alice = person_new ("alice", UID_ALICE);
  world_set_rules (trace->world, RULES_ALLOW_ALL);
  /* What is made once, for the first of all, is there afterwards. */
  opened = person_open (trace->alice, "shm0", "bar2", "rwm", "{}");
  person_let_go (trace->alice, NULL, opened->fd);
  world_wait_no_leases (trace->world, 2000);
  world_wait_string (trace->world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  trace->fds = process_count_fds (trace->world->regiond);
  trace->objects = count_objects (trace->world);
}

static void
trace_end (Trace *trace,
           gconstpointer data)
{
  world_expect_string (trace->world, SHM0, DEVICE_INTERFACE, "State", "parked");
  g_assert_cmpuint (count_objects (trace->world), ==, trace->objects);
  world_wait_fds (trace->world, trace->fds);
  person_free (trace->alice);
  world_free (trace->world);
}

static void
expect_open_error (Person *person,
                   const char *name,
                   const char *region,
                   const char *access,
                   const char *options)
{
  g_free (person_open_fails (person, name, "shm0", region, access, options));
}

static void
test_unknown_things (Trace *trace,
                     gconstpointer data)
{
  g_autofree char *message = person_open_fails (trace->alice, ERROR ("NotFound"), "shm0", "bar9", "rwm", "{}");

  g_assert_nonnull (strstr (message, "bar9"));
  expect_open_error (trace->alice, ERROR ("NotFound"), "", "rwm", "{}");
  g_free (person_call_fails (trace->alice, ERROR ("NotFound"), MANAGER_PATH, MANAGER_INTERFACE, "RemoveDevice",
                             "(objectpath '/org/regiond1/devices/nothing', @a{sv} {})"));
  g_free (person_call_fails (trace->alice, ERROR ("NotFound"), MANAGER_PATH, MANAGER_INTERFACE, "GetDevice",
                             "('',)"));
  expect_open_error (trace->alice, INVALID, "bar2", "rwm", "{'sideways': <true>}");
  g_free (person_call_fails (trace->alice, INVALID, SHM0, DEVICE_INTERFACE, "Reset", "({'sideways': <true>},)"));
  g_free (person_call_fails (trace->alice, INVALID, SHM0, DEVICE_INTERFACE, "Verify", "({'sideways': <true>},)"));
  g_free (person_call_fails (trace->alice, INVALID, ADD, "('new', [('a', uint64 4096)], {'sideways': <true>})"));
  g_free (person_call_fails (trace->alice, INVALID, MANAGER_PATH, MANAGER_INTERFACE, "RemoveDevice",
                             "(objectpath '" SHM0 "', {'sideways': <true>})"));
}

static void
test_unknown_objects (Trace *trace,
                      gconstpointer data)
{
  guint serial = person_send_open (trace->alice, "nothing", "bar2", "rwm", "{}", "");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = NULL;

  strings = person_finish (trace->alice, serial, &error);
  g_assert_null (strings);
  g_assert_true (g_str_has_prefix (error->message, ERROR ("NotFound")) ||
                 g_str_has_prefix (error->message, UNKNOWN_METHOD) ||
                 g_str_has_prefix (error->message, "org.freedesktop.DBus.Error.UnknownObject"));
}

static void
test_options_of_another_type (Trace *trace,
                              gconstpointer data)
{
  static const char *const options[] = {
    "{'exclusive': <'yes'>}",       "{'exclusive': <uint32 1>}", "{'label': <true>}",
    "{'offset': <uint32 0>}",       "{'length': <'all'>}",       "{'revocation': <uint32 1>}",
    "{'interactive': <'please'>}",  "{'revocation': <'never'>}", "{'label': <@as []>}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    expect_open_error (trace->alice, INVALID, "bar2", "rwm", options[i]);
  g_free (person_call_fails (trace->alice, INVALID, SHM0, DEVICE_INTERFACE, "Verify", "({'timeout': <'long'>},)"));
  g_free (person_call_fails (trace->alice, INVALID, ADD, "('new', [('a', uint64 4096)], {'persist': <'yes'>})"));
  g_free (person_call_fails (trace->alice, INVALID, ADD, "('new', [('a', uint64 4096)], {'description': <true>})"));
}

static void
test_access_strings (Trace *trace,
                     gconstpointer data)
{
  static const char *const accesses[] = { "", "m", "wm", "rr", "mr w", "mr", "wr", "RWM", "rwmx", "rwm " };
  g_autofree char *long_one = g_strnfill (10000, 'r');
  g_autofree char *message = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (accesses); i++)
    expect_open_error (trace->alice, INVALID, "bar2", accesses[i], "{}");
  message = person_open_fails (trace->alice, INVALID, "shm0", "bar2", long_one, "{}");
  /* Nobody wants all of it back. */
  g_assert_cmpuint (strlen (message), <, 1000);
}

static void
test_labels (Trace *trace,
             gconstpointer data)
{
  g_autofree char *fits = g_strnfill (64, 'l');
  g_autofree char *options = g_strdup_printf ("{'label': <'%s'>}", fits);
  g_autofree char *too_long = g_strdup_printf ("{'label': <'%sl'>}", fits);
  g_autoptr (Opened) opened = NULL;

  expect_open_error (trace->alice, INVALID, "bar2", "rwm", too_long);
  expect_open_error (trace->alice, INVALID, "bar2", "rwm", "{'label': <'a\\nb'>}");
  expect_open_error (trace->alice, INVALID, "bar2", "rwm", "{'label': <'a\\u001b[1mb'>}");
  expect_open_error (trace->alice, INVALID, "bar2", "rwm", "{'label': <'a\\u0085b'>}");
  opened = person_open (trace->alice, "shm0", "bar2", "rwm", options);
  world_expect_string (trace->world, opened->path, LEASE_INTERFACE, "Label", fits);
  person_let_go (trace->alice, NULL, opened->fd);
  world_wait_no_leases (trace->world, 2000);
}

static void
expect_add_error (Person *person,
                  const char *name,
                  const char *id,
                  const char *regions)
{
  g_autofree char *arguments = g_strdup_printf ("('%s', %s, @a{sv} {})", id, regions);

  g_free (person_call_fails (person, name, ADD, arguments));
}

static void
test_sizes (Trace *trace,
            gconstpointer data)
{
  expect_add_error (trace->alice, INVALID, "new", "[('a', uint64 0)]");
  expect_add_error (trace->alice, INVALID, "new", "[('a', uint64 1)]");
  expect_add_error (trace->alice, INVALID, "new", "[('a', uint64 4097)]");
  expect_add_error (trace->alice, INVALID, "new", "[('a', uint64 9223372036854775808)]");
  expect_add_error (trace->alice, INVALID, "new", "[('a', uint64 18446744073709547520)]");
  expect_add_error (trace->alice, ERROR ("LimitExceeded"), "new", "[('a', uint64 4611686018427387904)]");
  /* The sum is 0, to whom it overflows. */
  expect_add_error (trace->alice, ERROR ("LimitExceeded"), "new",
                    "[('a', uint64 4611686018427387904), ('b', 4611686018427387904),"
                    " ('c', 4611686018427387904), ('d', 4611686018427387904)]");
}

static void
test_names (Trace *trace,
            gconstpointer data)
{
  g_autofree char *long_id = g_strnfill (300, 'a');
  g_autofree char *letters = g_strnfill (33, 'r');
  g_autofree char *long_region = g_strdup_printf ("[('%s', uint64 4096)]", letters);

  expect_add_error (trace->alice, INVALID, "a/b", "[('a', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "", "[('a', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "9a", "[('a', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "a-b", "[('a', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "../shm0", "[('a', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, long_id, "[('a', uint64 4096)]");
  expect_add_error (trace->alice, ERROR ("Busy"), "shm0", "[('a', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "new", "[('a b', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "new", "[('a\\n', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "new", "[('', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "new", "[('.a', uint64 4096)]");
  expect_add_error (trace->alice, INVALID, "new", long_region);
  expect_add_error (trace->alice, INVALID, "new", "@a(st) []");
  expect_add_error (trace->alice, INVALID, "new", "[('a', uint64 4096), ('a', 8192)]");
}

static void
test_leases_of_others_and_of_the_past (Trace *trace,
                                       gconstpointer data)
{
  g_autofree char *reason = g_strnfill (257, 'x');
  g_autofree char *too_long = g_strdup_printf ("('%s', @a{sv} {})", reason);
  Person *bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) his = NULL;

  world_set_rules (trace->world, "polkit.addRule(function(action, subject) {"
                                "  if (action.id == 'org.regiond1.write-region') return polkit.Result.YES;"
                                "  if (action.id == 'org.regiond1.revoke-lease') return polkit.Result.NO; });");
  his = person_open (bob, "shm0", "bar2", "rwm", "{}");
  g_free (person_call_fails (trace->alice, DENIED, his->path, LEASE_INTERFACE, "Release", "()"));
  g_free (person_call_fails (trace->alice, DENIED, his->path, LEASE_INTERFACE, "Revoke", "('x', @a{sv} {})"));
  g_free (person_call_fails (bob, INVALID, his->path, LEASE_INTERFACE, "Revoke", too_long));
  g_free (person_call_fails (bob, INVALID, his->path, LEASE_INTERFACE, "Revoke", "('a\\nb', @a{sv} {})"));
  g_free (person_call_fails (bob, INVALID, his->path, LEASE_INTERFACE, "Revoke", "('x', {'grace': <'long'>})"));
  world_expect_string (trace->world, his->path, LEASE_INTERFACE, "State", "active");
  person_let_go (bob, NULL, his->fd);
  world_wait_no_leases (trace->world, 2000);

  g_free (person_call_fails (bob, ERROR ("NotFound"), his->path, LEASE_INTERFACE, "Release", "()"));
  g_free (person_call_fails (bob, ERROR ("NotFound"), his->path, LEASE_INTERFACE, "Revoke", "('x', @a{sv} {})"));
  person_free (bob);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
#define CASE(name, func) g_test_add ("/bad-input/" name, Trace, NULL, trace_start, func, trace_end)
  CASE ("unknown-things", test_unknown_things);
  CASE ("unknown-objects", test_unknown_objects);
  CASE ("options-of-another-type", test_options_of_another_type);
  CASE ("access-strings", test_access_strings);
  CASE ("labels", test_labels);
  CASE ("sizes", test_sizes);
  CASE ("names", test_names);
  CASE ("leases-of-others-and-of-the-past", test_leases_of_others_and_of_the_past);
  return g_test_run ();
}
