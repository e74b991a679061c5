/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "scene.h"

#define GIB (1024 * 1024 * 1024ULL)
#define HUGE_SIZE (2 * GIB)
#define ADD MANAGER_PATH, MANAGER_INTERFACE, "AddMemoryDevice"

/* Memory for it, for its copy and for the machine. */
static gboolean
is_too_small (void)
{
  g_autofree char *text = NULL;
  const char *line;

  g_assert_true (g_file_get_contents ("/proc/meminfo", &text, NULL, NULL));
  line = strstr (text, "MemAvailable:");
  return !line || g_ascii_strtoull (line + strlen ("MemAvailable:"), NULL, 10) * 1024 < 4 * HUGE_SIZE;
}

/* Others wait for an answer for a quarter of the time at most that PERSON waits for hers; she has since START, for
 * what is called WHAT. */
static void
expect_others_answered (World *world,
                        Person *person,
                        guint serial,
                        gint64 start,
                        const char *what)
{
  guint longest = 0, whole;

  while (!person_has_answer (person, serial))
    {
      gint64 call = g_get_monotonic_time ();
      g_autofree char *state = world_get_string (world, SHM0, DEVICE_INTERFACE, "State");

      longest = MAX (longest, milliseconds_since (call));
    }
  whole = milliseconds_since (start);
  g_test_message ("%s took %u ms, others waited at most %u ms", what, whole, longest);
  /* Else the machine was too fast to tell. */
  if (whole >= 100)
    g_assert_cmpuint (longest, <, whole / 4);
}

static void
test_others_are_answered_meanwhile (World *world,
                                    Person *alice,
                                    Person *bob)
{
  gint64 start = g_get_monotonic_time ();
  guint serial = person_send_open (alice, "huge", "whole", "rwm", "{}", "");
  g_autoptr (Opened) opened = NULL;

  expect_others_answered (world, alice, serial, start, "opening");
  opened = person_finish_open (alice, serial);

  serial = person_send (alice, "call", DEVICE_PREFIX "huge", DEVICE_INTERFACE, "Reset", "(@a{sv} {},)", "", NULL);
  start = g_get_monotonic_time ();
  expect_others_answered (world, alice, serial, start, "resetting");
  g_strfreev (person_finish (alice, serial, NULL));
}

/* What is kept is copied when the next one opens, or after the last one has closed. */
static void
test_others_are_answered_while_it_is_copied (World *world,
                                             Person *alice,
                                             Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "huge", "whole", "rwm", "{}");
  g_autofree char *map = person_map (alice, opened->fd, "rw");
  g_autoptr (Opened) again = NULL;
  gint64 start;
  guint serial;

  g_free (person_do (alice, "fill", map, NULL));
  start = g_get_monotonic_time ();
  person_kill (alice);
  serial = person_send_open (bob, "huge", "whole", "rm", "{}", "");
  expect_others_answered (world, bob, serial, start, "copying");
  again = person_finish_open (bob, serial);
}

/* She is killed while her memory is being made: nothing is left of it. */
static void
test_a_client_that_dies_meanwhile (World *world,
                                   Person *alice,
                                   Person *bob)
{
  g_autoptr (Opened) first = person_open (bob, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) opened = NULL;
  guint before;

  person_let_go (bob, NULL, first->fd);
  world_wait_no_leases (world, 2000);
  before = process_count_fds (world->regiond);

  person_send_open (alice, "huge", "whole", "rwm", "{'exclusive': <true>}", "");
  world_wait_string (world, DEVICE_PREFIX "huge", DEVICE_INTERFACE, "State", "resetting", 5000);
  person_kill (alice);
  world_wait_string (world, DEVICE_PREFIX "huge", DEVICE_INTERFACE, "State", "parked", 20000);
  world_wait_no_leases (world, 2000);
  world_wait_fds (world, before);
  opened = person_open (bob, "huge", "whole", "rwm", "{'exclusive': <true>}");
}

/* She is killed while her memory is being emptied. */
static void
test_a_client_that_dies_while_it_is_reset (World *world,
                                           Person *alice,
                                           Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "huge", "whole", "rwm", "{'exclusive': <true>}");
  g_autoptr (Opened) fresh = NULL;

  person_send (alice, "call", DEVICE_PREFIX "huge", DEVICE_INTERFACE, "Reset", "(@a{sv} {},)", "", NULL);
  world_wait_string (world, DEVICE_PREFIX "huge", DEVICE_INTERFACE, "State", "resetting", 5000);
  person_kill (alice);
  world_wait_no_leases (world, 20000);
  world_wait_string (world, DEVICE_PREFIX "huge", DEVICE_INTERFACE, "State", "parked", 20000);
  world_wait_uint (world, DEVICE_PREFIX "huge", DEVICE_INTERFACE, "Lingering", 0, 2000);
  fresh = person_open (bob, "huge", "whole", "rwm", "{'exclusive': <true>}");
  g_assert_nonnull (fresh);
}

/* The second one comes while memory is made for the first: it is the same for both. */
static void
test_two_first_ones (World *world,
                     Person *alice,
                     Person *bob)
{
  guint serial = person_send_open (alice, "huge", "whole", "rwm", "{}", "");
  guint other = person_send_open (bob, "huge", "whole", "rwm", "{}", "");
  g_autoptr (Opened) hers = person_finish_open (alice, serial);
  g_autoptr (Opened) his = person_finish_open (bob, other);

  g_assert_true (person_shares (alice, hers->fd, bob, his->fd));
}

typedef struct
{
  const char *path;
  const char *options; /* of the device huge */
  SceneFunc scene;
} Case;

static const Case cases[] = {
  { "/large/others-are-answered-meanwhile", "@a{sv} {}", test_others_are_answered_meanwhile },
  { "/large/others-are-answered-while-it-is-copied", "{'persist': <true>}", test_others_are_answered_while_it_is_copied },
  { "/large/a-client-that-dies-meanwhile", "@a{sv} {}", test_a_client_that_dies_meanwhile },
  { "/large/a-client-that-dies-while-it-is-reset", "@a{sv} {}", test_a_client_that_dies_while_it_is_reset },
  { "/large/two-first-ones", "@a{sv} {}", test_two_first_ones },
};

static void
play (gconstpointer data)
{
  const Case *self = data;
  g_autofree char *device = g_strdup_printf ("('huge', [('whole', uint64 %" G_GUINT64_FORMAT ")], %s)",
                                             (guint64) HUGE_SIZE, self->options);
  g_autoptr (World) world = NULL;
  g_autoptr (Person) alice = NULL, bob = NULL;

  if (is_too_small ())
    {
      g_test_skip ("not enough memory");
      return;
    }
  world = world_new ("MaxMemory=5G\nMaxMemoryPerUser=5G");
  alice = person_new ("alice", UID_ALICE);
  bob = person_new ("bob", UID_BOB);
  world_set_rules (world, RULES_ALLOW_ALL);
  g_free (person_call (alice, ADD, device));
  self->scene (world, alice, bob);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, &cases[i], play);
  return g_test_run ();
}
