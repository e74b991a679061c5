/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "world.h"

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

static World *
new_world (Person **alice,
           gboolean persist)
{
  World *world = world_new ("MaxMemory=5G\nMaxMemoryPerUser=5G");
  g_autofree char *arguments = g_strdup_printf ("('huge', [('whole', uint64 %" G_GUINT64_FORMAT ")],"
                                                " {'persist': <%s>})",
                                                (guint64) HUGE_SIZE, persist ? "true" : "false");

  *alice = person_new ("alice", UID_ALICE);
  world_set_rules (world, RULES_ALLOW_ALL);
  g_free (person_call (*alice, ADD, arguments));
  return world;
}

/* The longest time, in ms, that another caller waited until alice had her answer. */
static guint
watch_others (World *world,
              Person *alice,
              guint serial)
{
  guint longest = 0;

  while (!person_has_answer (alice, serial))
    {
      gint64 start = g_get_monotonic_time ();
      g_autofree char *state = world_get_string (world, SHM0, DEVICE_INTERFACE, "State");

      longest = MAX (longest, milliseconds_since (start));
    }
  return longest;
}

static void
test_others_are_answered_meanwhile (void)
{
  g_autoptr (World) world = NULL;
  g_autoptr (Person) alice = NULL;
  g_autoptr (Opened) opened = NULL;
  gint64 start;
  guint serial, longest, whole;

  if (is_too_small ())
    {
      g_test_skip ("not enough memory");
      return;
    }
  world = new_world (&alice, FALSE);
  start = g_get_monotonic_time ();
  serial = person_send_open (alice, "huge", "whole", "rwm", "{}", "");
  longest = watch_others (world, alice, serial);
  whole = milliseconds_since (start);
  opened = person_finish_open (alice, serial);
  g_test_message ("opening took %u ms, others waited at most %u ms", whole, longest);
  /* Else the machine was too fast to tell. */
  if (whole >= 100)
    g_assert_cmpuint (longest, <, whole / 4);

  serial = person_send (alice, "call", DEVICE_PREFIX "huge", DEVICE_INTERFACE, "Reset", "(@a{sv} {},)", "", NULL);
  start = g_get_monotonic_time ();
  longest = watch_others (world, alice, serial);
  whole = milliseconds_since (start);
  g_strfreev (person_finish (alice, serial, NULL));
  g_test_message ("resetting took %u ms, others waited at most %u ms", whole, longest);
  if (whole >= 100)
    g_assert_cmpuint (longest, <, whole / 4);
}

/* What is kept is copied when the next one opens, or after the last one has closed. */
static void
test_others_are_answered_while_it_is_copied (void)
{
  g_autoptr (World) world = NULL;
  g_autoptr (Person) alice = NULL;
  g_autoptr (Person) bob = NULL;
  g_autoptr (Opened) opened = NULL;
  g_autoptr (Opened) again = NULL;
  g_autofree char *map = NULL;
  gint64 start;
  guint serial, longest, whole;

  if (is_too_small ())
    {
      g_test_skip ("not enough memory");
      return;
    }
  world = new_world (&alice, TRUE);
  bob = person_new ("bob", UID_BOB);
  opened = person_open (alice, "huge", "whole", "rwm", "{}");
  map = person_map (alice, opened->fd, "rw");
  g_free (person_do (alice, "fill", map, NULL));
  start = g_get_monotonic_time ();
  person_kill (alice);
  serial = person_send_open (bob, "huge", "whole", "rm", "{}", "");
  longest = watch_others (world, bob, serial);
  whole = milliseconds_since (start);
  again = person_finish_open (bob, serial);
  g_test_message ("copying took %u ms, others waited at most %u ms", whole, longest);
  if (whole >= 100)
    g_assert_cmpuint (longest, <, whole / 4);
}

/* She is killed while her memory is being made: nothing is left of it. */
static void
test_a_client_that_dies_meanwhile (void)
{
  g_autoptr (World) world = NULL;
  g_autoptr (Person) alice = NULL;
  g_autoptr (Person) bob = NULL;
  g_autoptr (Opened) opened = NULL;
  g_autoptr (Opened) first = NULL;
  g_autofree char *map = NULL;
  guint before;

  if (is_too_small ())
    {
      g_test_skip ("not enough memory");
      return;
    }
  world = new_world (&alice, FALSE);
  bob = person_new ("bob", UID_BOB);
  first = person_open (bob, "shm0", "bar2", "rwm", "{}");
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
test_a_client_that_dies_while_it_is_reset (void)
{
  g_autoptr (World) world = NULL;
  g_autoptr (Person) alice = NULL;
  g_autoptr (Person) bob = NULL;
  g_autoptr (Opened) opened = NULL;
  g_autoptr (Opened) fresh = NULL;

  if (is_too_small ())
    {
      g_test_skip ("not enough memory");
      return;
    }
  world = new_world (&alice, FALSE);
  bob = person_new ("bob", UID_BOB);
  opened = person_open (alice, "huge", "whole", "rwm", "{'exclusive': <true>}");
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
test_two_first_ones (void)
{
  g_autoptr (World) world = NULL;
  g_autoptr (Person) alice = NULL;
  g_autoptr (Person) bob = NULL;
  g_autoptr (Opened) hers = NULL;
  g_autoptr (Opened) his = NULL;
  guint serial, other;

  if (is_too_small ())
    {
      g_test_skip ("not enough memory");
      return;
    }
  world = new_world (&alice, FALSE);
  bob = person_new ("bob", UID_BOB);
  serial = person_send_open (alice, "huge", "whole", "rwm", "{}", "");
  other = person_send_open (bob, "huge", "whole", "rwm", "{}", "");
  hers = person_finish_open (alice, serial);
  his = person_finish_open (bob, other);
  g_assert_true (person_shares (alice, hers->fd, bob, his->fd));
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/large/others-are-answered-meanwhile", test_others_are_answered_meanwhile);
  g_test_add_func ("/large/others-are-answered-while-it-is-copied", test_others_are_answered_while_it_is_copied);
  g_test_add_func ("/large/a-client-that-dies-meanwhile", test_a_client_that_dies_meanwhile);
  g_test_add_func ("/large/a-client-that-dies-while-it-is-reset", test_a_client_that_dies_while_it_is_reset);
  g_test_add_func ("/large/two-first-ones", test_two_first_ones);
  return g_test_run ();
}
