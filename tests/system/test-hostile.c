/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "figures.h"
#include "scene.h"

#define ADD MANAGER_PATH, MANAGER_INTERFACE, "AddMemoryDevice"
#define LIMITS "org.freedesktop.DBus.Error.LimitsExceeded"
#define DUO DEVICE_PREFIX "duo"
#define LEAKY DEVICE_PREFIX "leaky"
#define PRECIOUS DEVICE_PREFIX "precious"
#define WHOLE DEVICE_PREFIX "whole"

/* The longest message of dbus-daemon; that of dbus-broker is longer. */
#define MOST (32 * 1024 * 1024)

/* A world with these devices only: pairs of a file's name and its text, up to NULL. */
static World *
new_world (const char *daemon,
           const char *const *devices)
{
  World *world = world_new_without_service (daemon);

  service_configure (daemon);
  for (; *devices; devices += 2)
    service_configure_device (devices[0], devices[1]);
  world->regiond = service_start (world->root);
  world_set_rules (world, RULES_ALLOW_ALL);
  return world;
}

/* Calls a path of so many letters: TRUE when regiond has answered, FALSE when the bus has. */
static gboolean
call_far (gsize length)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autofree char *number = g_strdup_printf ("%" G_GSIZE_FORMAT, length);
  guint serial = person_send (alice, "call-far", number, NULL);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (alice, serial, &error);

  g_assert_null (strings);
  /* Where she was cut off there is nobody who names an error. */
  if (g_str_has_prefix (error->message, "local: "))
    return FALSE;
  if (!g_str_has_prefix (error->message, LIMITS ": "))
    g_error ("expected " LIMITS ", got %.200s", error->message);
  g_assert_cmpuint (strlen (error->message), <, 1000);
  return strstr (error->message, "1024 letters") != NULL;
}

/* However close to the bus's limit a call is, its answer must not be above it, for that costs regiond the bus. */
static void
test_a_long_path_hurts_nobody (World *world,
                               Person *alice,
                               Person *bob)
{
  /* Without what the bus adds; an error with the path in it is longer than the first, the second is too long itself. */
  static const gsize margins[] = { 136, 112 };
  guint answered = 0;
  g_autoptr (Opened) opened = person_open (bob, "shm0", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (bob, opened->fd, "rw");

  person_write (bob, map, "his");

  g_assert_true (call_far (4096));
  for (guint i = 0; i < G_N_ELEMENTS (margins); i++)
    {
      answered += call_far (MOST - margins[i]);
      g_assert_true (process_is_running (world->regiond));
      world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "active");
    }
  g_test_message ("regiond has answered %u of %u", answered, (guint) G_N_ELEMENTS (margins));
  g_assert_cmpuint (answered, >, 0);

  person_expect_no_signal (bob);
  person_expect_text (bob, map, "his");
  g_free (person_call (bob, opened->path, LEASE_INTERFACE, "Release", "()"));
}

static char *
many_regions (guint n)
{
  GString *text = g_string_new ("('many', [");

  for (guint i = 0; i < n; i++)
    g_string_append_printf (text, "%s('r%u', uint64 4096)", i ? ", " : "", i);
  g_string_append (text, "], @a{sv} {})");
  return g_string_free (text, FALSE);
}

/* With a sanitizer no speed is judged. */
static void
expect_within (gint64 start,
               guint milliseconds)
{
  if (!figures_have_sanitizer ())
    g_assert_cmpuint (milliseconds_since (start), <, milliseconds);
}

/* Alice may add devices; bob asks while she does. */
static void
add_many (World *world,
          Person *alice,
          Person *bob,
          guint n,
          const char *error)
{
  g_autofree char *arguments = many_regions (n);
  gint64 start = g_get_monotonic_time ();
  guint serial = person_send (alice, "call", ADD, arguments, "", NULL);

  g_free (person_call (bob, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  expect_within (start, 500);
  g_free (person_finish_failure (alice, serial, error));
  expect_within (start, 1000);
  g_assert_false (world_has_object (world, DEVICE_PREFIX "many"));
}

static void
test_many_regions (World *world,
                   Person *alice,
                   Person *bob)
{
  g_autoptr (Opened) his = person_open (bob, "shm0", "bar2", "rwm", "{}");

  /* Too long a call, and one that just has too many of them. */
  add_many (world, alice, bob, 5000, LIMITS);
  add_many (world, alice, bob, 1000, INVALID);
  world_expect_string (world, his->path, LEASE_INTERFACE, "State", "active");
  person_expect_no_signal (bob);
  /* Nothing of the device was kept. */
  g_free (person_call (alice, ADD, "('many', [('r0', uint64 4096)], @a{sv} {})"));
}

typedef struct
{
  World *world;
  guint number;
} Fds;

static gboolean
has_more_fds (gpointer data)
{
  Fds *fds = data;

  return process_count_fds (fds->world->regiond) > fds->number;
}

/* A lease on the large region ends and leaves its object leaked: a new one is to be made. */
static void
leak_large (World *world,
            Person *leaker)
{
  g_autoptr (Opened) opened = person_open (leaker, "duo", "large", "rwm", "{}");

  g_free (person_do (leaker, "drop", NULL));
  world_wait_uint (world, DUO, DEVICE_INTERFACE, "Lingering", 1, 2000);
}

static void
test_the_last_lease_ends_while_another_region_is_made (void)
{
  static const char *const devices[] = {
    "duo.conf", "[Device]\nBackend=memory\n[Region small]\nSize=64K\n[Region large]\nSize=256M\n", NULL,
  };
  g_autoptr (World) world = new_world ("MaxMemory=1G", devices);
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) hers = NULL;
  g_autoptr (Opened) his = NULL;
  g_autofree char *map = NULL;
  g_autofree char *fresh = NULL;
  Fds fds = { world, 0 };
  guint serial;

  hers = person_open (alice, "duo", "small", "rwm", "{}");
  map = person_map (alice, hers->fd, "rw");
  person_write (alice, map, "secret");
  leak_large (world, carol);

  fds.number = process_count_fds (world->regiond);
  serial = person_send_open (bob, "duo", "small", "rwm", "{}", "");
  wait_until (has_more_fds, &fds, 5000, "the large region being made");
  person_kill (alice);
  world_wait_gone (world, hers->path, 5000);
  g_test_message ("the lease ended %s the opening", person_has_answer (bob, serial) ? "after" : "during");

  his = person_finish_open (bob, serial);
  fresh = person_map (bob, his->fd, "rw");
  person_expect_zeros (bob, fresh);
  world_expect_string (world, his->path, LEASE_INTERFACE, "State", "active");
  person_expect_no_signal (bob);
}

static gboolean
is_not_leased (gpointer data)
{
  g_autofree char *state = world_get_string (data, WHOLE, DEVICE_INTERFACE, "State");

  return !g_str_equal (state, "leased");
}

/* All the memory there is belonged to somebody whose end the kernel has not yet told of. */
static void
test_the_whole_memory_again_right_after_a_kill (void)
{
  static const char *const devices[] = {
    "whole.conf", "[Device]\nBackend=memory\n[Region all]\nSize=64M\n", NULL,
  };
  g_autoptr (World) world = new_world ("MaxMemory=64M\nMaxMemoryPerUser=64M", devices);
  g_autoptr (Person) tenant = NULL;

  for (guint i = 0; i <= 10; i++)
    {
      g_autoptr (Person) next = person_new ("alice", UID_ALICE);
      g_autoptr (Opened) opened = NULL;
      g_autofree char *map = NULL;

      if (tenant)
        {
          person_kill (tenant);
          wait_until (is_not_leased, world, 5000, "the lease of the killed one to end");
        }
      opened = person_open (next, "whole", "all", "rwm", "{}");
      map = person_map (next, opened->fd, "rw");
      person_expect_text (next, map, "");
      person_write (next, map, "secret");
      g_clear_pointer (&tenant, person_free);
      tenant = g_steal_pointer (&next);
    }
}

/* Leaves the bus with what it has open. */
static Person *
leak (World *world,
      guint lingering)
{
  Person *person = person_new ("bob", UID_BOB);
  g_autoptr (Opened) opened = person_open (person, "leaky", "bar2", "rwm", "{}");

  g_free (person_do (person, "drop", NULL));
  world_wait_uint (world, LEAKY, DEVICE_INTERFACE, "Lingering", lingering, 2000);
  return person;
}

/* What is kept is copied, for which there is no room for a while. */
static void
test_kept_contents_survive_a_full_memory (void)
{
  static const char *const devices[] = {
    "precious.conf", "[Device]\nBackend=memory\nPersist=true\n[Region bar2]\nSize=4M\n",
    "leaky.conf", "[Device]\nBackend=memory\n[Region bar2]\nSize=4M\n", NULL,
  };
  g_autoptr (World) world = new_world ("MaxMemory=12M\nMaxMemoryPerUser=12M", devices);
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) hers = person_open (alice, "precious", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (alice, hers->fd, "rw");
  g_autoptr (Person) one = leak (world, 1);
  g_autoptr (Person) other = leak (world, 2);
  g_autoptr (Opened) again = NULL;
  g_autofree char *found = NULL;

  person_write (alice, map, "precious");
  person_let_go (alice, map, hers->fd);
  world_wait_gone (world, hers->path, 2000);
  world_wait_string (world, PRECIOUS, DEVICE_INTERFACE, "State", "parked", 2000);
  /* That is no failure of the device, only none may have it now. */
  g_free (person_open_fails (carol, ERROR ("LimitExceeded"), "precious", "bar2", "rwm", "{}"));
  world_wait_string (world, PRECIOUS, DEVICE_INTERFACE, "State", "parked", 2000);

  person_kill (one);
  person_kill (other);
  world_wait_uint (world, LEAKY, DEVICE_INTERFACE, "Lingering", 0, 2000);
  again = person_open (carol, "precious", "bar2", "rwm", "{}");
  found = person_map (carol, again->fd, "r");
  person_expect_text (carol, found, "precious");
}

static void
test_removal_tells_everybody_so (World *world,
                                 Person *alice,
                                 Person *bob)
{
  Person *people[] = {
    person_new ("alice", UID_ALICE), person_new ("bob", UID_BOB), person_new ("carol", UID_CAROL),
  };
  Opened *opened[G_N_ELEMENTS (people)];

  for (guint i = 0; i < G_N_ELEMENTS (people); i++)
    opened[i] = person_open (people[i], "shm0", "bar2", "rwm", "{}");
  g_free (person_call (people[0], MANAGER_PATH, MANAGER_INTERFACE, "RemoveDevice",
                       "(objectpath '" SHM0 "', {'force': <true>})"));

  for (guint i = 0; i < G_N_ELEMENTS (people); i++)
    {
      g_autofree char *line = g_strdup_printf ("%s Ended ('removed',)\n", opened[i]->path);
      g_autofree char *all = NULL;

      person_wait_signal (people[i], opened[i]->path, "Ended ('removed',)");
      all = person_signals (people[i]);
      g_assert_cmpstr (all, ==, line);
    }
  for (guint i = 0; i < G_N_ELEMENTS (people); i++)
    {
      opened_free (opened[i]);
      person_free (people[i]);
    }
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/hostile/a-long-path-hurts-nobody", RULES_ALLOW_ALL, test_a_long_path_hurts_nobody);
  scene_add ("/hostile/many-regions", RULES_ALLOW_ALL, test_many_regions);
  g_test_add_func ("/hostile/the-last-lease-ends-while-another-region-is-made",
                   test_the_last_lease_ends_while_another_region_is_made);
  g_test_add_func ("/hostile/the-whole-memory-again-right-after-a-kill",
                   test_the_whole_memory_again_right_after_a_kill);
  g_test_add_func ("/hostile/kept-contents-survive-a-full-memory", test_kept_contents_survive_a_full_memory);
  scene_add ("/hostile/removal-tells-everybody-so", RULES_ALLOW_ALL, test_removal_tells_everybody_so);
  return g_test_run ();
}
