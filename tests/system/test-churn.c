/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * REGIOND_TEST_CHURN says how many thousand leases come and go, and how many
 * hundred clients: 100 is what `scripts/churn` runs. Without it they are few.
 */
#include <signal.h>

#include "figures.h"
#include "stay.h"
#include "world.h"

/* Of a command's rounds no answer is waited for longer than for any other. */
#define BATCH 50

typedef struct
{
  const char *name;
  uid_t uid;
  const char *path;
  const char *device;
  const char *region;
} Role;

/* Each kind of device, and two people on the same region. */
static const Role roles[] = {
  { "alice", UID_ALICE, DEVICE_PREFIX "shm0", "shm0", "control" },
  { "bob", UID_BOB, DEVICE_PREFIX "shm0", "shm0", "control" },
  { "carol", UID_CAROL, DEVICE_PREFIX "kept", "kept", "bar2" },
  { "alice", UID_ALICE, DEVICE_PREFIX "loose", "loose", "bar2" },
};

/* EACH for every one in REGIOND_TEST_CHURN, or FEW; fewer still where all is slow. */
static guint
get_count (guint each,
           guint few)
{
  const char *text = g_getenv ("REGIOND_TEST_CHURN");
  guint64 times = text ? g_ascii_strtoull (text, NULL, 10) : 0;

  g_assert_cmpuint (times, <=, 1000);
  if (times > 0)
    return times * each;
  return figures_have_sanitizer () ? few / 4 : few;
}

/* GLib's and the C library's caches of small blocks fill up slowly, which would look like a leak. */
static World *
new_world (void)
{
  static const char *const no_caches[] = {
    "G_SLICE=always-malloc", "GLIBC_TUNABLES=glibc.malloc.tcache_count=0", NULL,
  };
  World *world = world_new_without_service ("");

  world->regiond = service_start_with (world->root, no_caches);
  world_set_rules (world, RULES_ALLOW_ALL);
  return world;
}

/* All of them at once, COUNT leases together. */
static void
churn (Person **people,
       const char *access,
       guint count)
{
  g_autofree char *rounds = g_strdup_printf ("%u", BATCH);

  for (guint done = 0; done < count; done += BATCH * G_N_ELEMENTS (roles))
    {
      guint serials[G_N_ELEMENTS (roles)];

      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        serials[i] = person_send (people[i], "churn", roles[i].path, roles[i].region, access, rounds, NULL);
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        {
          g_autoptr (GError) error = NULL;
          g_auto (GStrv) strings = person_finish (people[i], serials[i], &error);

          g_assert_no_error (error);
        }
    }
}

static void
test_open_use_release (gconstpointer access)
{
  g_autoptr (World) world = new_world ();
  const guint count = get_count (1000, 1600);
  Person *people[G_N_ELEMENTS (roles)];
  g_autoptr (Figures) before = NULL;
  g_autoptr (Figures) after = NULL;
  gint64 start;

  for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
    people[i] = person_new (roles[i].name, roles[i].uid);
  churn (people, access, 400);
  before = figures_new (world);
  figures_tell (before, "before");

  start = g_get_monotonic_time ();
  churn (people, access, count);
  g_test_message ("%u leases in %u ms", count, milliseconds_since (start));
  after = figures_new (world);
  figures_tell (after, "after");
  figures_compare (before, after, count, 256);
  for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
    person_free (people[i]);
}

/* One comes, opens, and is killed: with the answer or before it, with the region in use or not. */
static void
come_and_die (const char *access,
              guint count)
{
  for (guint done = 0; done < count; done += G_N_ELEMENTS (roles))
    {
      Person *people[G_N_ELEMENTS (roles)];
      guint serials[G_N_ELEMENTS (roles)];

      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        people[i] = person_new (roles[i].name, roles[i].uid);
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        serials[i] = person_send_open (people[i], roles[i].device, roles[i].region, access, "{}", "");
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        if ((done / G_N_ELEMENTS (roles) + i) % 4 != 0)
          opened_free (person_finish_open (people[i], serials[i]));
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        process_signal (people[i]->process, SIGKILL);
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        person_free (people[i]);
    }
}

static void
test_clients_that_are_killed (gconstpointer access)
{
  g_autoptr (World) world = new_world ();
  const guint count = get_count (100, 160);
  g_autoptr (Figures) before = NULL;
  g_autoptr (Figures) after = NULL;
  gint64 start;

  come_and_die (access, 40);
  before = figures_new (world);
  figures_tell (before, "before");

  start = g_get_monotonic_time ();
  come_and_die (access, count);
  g_test_message ("%u clients in %u ms", count, milliseconds_since (start));
  after = figures_new (world);
  figures_tell (after, "after");
  figures_compare (before, after, count, 256);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  stay_add_tests ("/churn/open-use-release", test_open_use_release);
  stay_add_tests ("/churn/clients-that-are-killed", test_clients_that_are_killed);
  return g_test_run ();
}
