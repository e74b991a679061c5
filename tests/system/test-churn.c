/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * REGIOND_TEST_CHURN says how many thousand leases come and go, and how many
 * hundred clients, and half as many with each access of those that are tied to processes or
 * attached: 100 is what `scripts/churn` runs. Without it they are few.
 */
#include <signal.h>
#include <string.h>

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
  const char *kinds; /* of leases, beside plain ones: a descriptor proves nothing where what is left is tolerated */
} Role;

/* Each kind of device, and two people on the same region. */
static const Role roles[] = {
  { "alice", UID_ALICE, DEVICE_PREFIX "shm0", "shm0", "control", "bound detached attached" },
  { "bob", UID_BOB, DEVICE_PREFIX "shm0", "shm0", "control", "bound detached attached" },
  { "carol", UID_CAROL, DEVICE_PREFIX "kept", "kept", "bar2", "bound detached attached" },
  { "alice", UID_ALICE, DEVICE_PREFIX "loose", "loose", "bar2", "bound detached" },
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

/* COUNT leases, or clients, with ACCESS; PLAIN, or tied to processes and attached. */
typedef void (*Work) (const char *access,
                      gboolean plain,
                      guint count);

static void
come (Person **people)
{
  for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
    people[i] = person_new (roles[i].name, roles[i].uid);
}

static void
go (Person **people)
{
  for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
    person_free (people[i]);
}

/* All of them at once, COUNT leases together. */
static void
open_use_release (const char *access,
                  gboolean plain,
                  guint count)
{
  const guint batch = MIN (BATCH, (count + G_N_ELEMENTS (roles) - 1) / G_N_ELEMENTS (roles));
  g_autofree char *rounds = g_strdup_printf ("%u", batch);
  Person *people[G_N_ELEMENTS (roles)];

  come (people);
  for (guint done = 0; done < count; done += batch * G_N_ELEMENTS (roles))
    {
      guint serials[G_N_ELEMENTS (roles)];

      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        serials[i] = person_send (people[i], "churn", roles[i].path, roles[i].region, access, rounds,
                                  plain ? "plain" : roles[i].kinds, NULL);
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        {
          g_autoptr (GError) error = NULL;
          g_auto (GStrv) strings = person_finish (people[i], serials[i], &error);

          g_assert_no_error (error);
        }
    }
  go (people);
}

/* Tied to whoever opens it, who is the process that ends. */
static guint
send_open_for_itself (Person *person,
                      const Role *role,
                      const char *access,
                      gboolean detach)
{
  const char *options = detach ? "{'bind-to': <handle 0>, 'detach': <true>}" : "{'bind-to': <handle 0>}";
  g_autofree char *pidfd = person_take_pidfd (person, person->process->pid);

  return person_send_open (person, role->device, role->region, access, options, pidfd);
}

static guint
send_attach (Person *person,
             const Role *role,
             const char *access)
{
  g_autoptr (Opened) opened = person_open (person, role->device, role->region, access, "{}");

  return person_send_attach (person, opened->fd, "{}");
}

/* The kinds take turns, by N. */
static guint
send_one (Person *person,
          const Role *role,
          const char *access,
          gboolean plain,
          guint n)
{
  if (plain)
    return person_send_open (person, role->device, role->region, access, "{}", "");
  if (n % 3 == 2 && strstr (role->kinds, "attached"))
    return send_attach (person, role, access);
  return send_open_for_itself (person, role, access, n % 3 == 1);
}

/* One comes, opens, and is killed: with the answer or before it, with the region in use or not. */
static void
come_and_die (const char *access,
              gboolean plain,
              guint count)
{
  for (guint done = 0; done < count; done += G_N_ELEMENTS (roles))
    {
      Person *people[G_N_ELEMENTS (roles)];
      guint serials[G_N_ELEMENTS (roles)];
      guint n = done / G_N_ELEMENTS (roles);

      come (people);
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        serials[i] = send_one (people[i], &roles[i], access, plain, n);
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        if ((n + i) % 4 != 0)
          opened_free (person_finish_open (people[i], serials[i]));
      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        process_signal (people[i]->process, SIGKILL);
      go (people);
    }
}

/* So much before that everything is as it stays. With a sanitizer nobody looks at memory, and it takes less. */
static void
expect_nothing_left (Work work,
                     const char *access,
                     gboolean plain,
                     guint before_count,
                     guint count)
{
  g_autoptr (World) world = new_world ();
  g_autoptr (Figures) before = NULL;
  g_autoptr (Figures) after = NULL;
  gint64 start;

  work (access, plain, figures_have_sanitizer () ? before_count / 4 : before_count);
  before = figures_new (world);
  figures_tell (before, "before");

  start = g_get_monotonic_time ();
  work (access, plain, count);
  g_test_message ("%u %s in %u ms", count, work == come_and_die ? "clients" : "leases", milliseconds_since (start));
  after = figures_new (world);
  figures_tell (after, "after");
  figures_compare (before, after, count, 256);
}

static void
test_open_use_release (gconstpointer access)
{
  expect_nothing_left (open_use_release, access, TRUE, 400, get_count (1000, 1600));
}

static void
test_for_processes_and_attached (gconstpointer access)
{
  expect_nothing_left (open_use_release, access, FALSE, 200, get_count (500, 200));
}

static void
test_clients_that_are_killed (gconstpointer access)
{
  expect_nothing_left (come_and_die, access, TRUE, 40, get_count (100, 160));
}

static void
test_processes_that_are_killed (gconstpointer access)
{
  expect_nothing_left (come_and_die, access, FALSE, 48, get_count (50, 48));
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  stay_add_tests ("/churn/open-use-release", test_open_use_release);
  stay_add_tests ("/churn/for-processes-and-attached", test_for_processes_and_attached);
  stay_add_tests ("/churn/clients-that-are-killed", test_clients_that_are_killed);
  stay_add_tests ("/churn/processes-that-are-killed", test_processes_that_are_killed);
  return g_test_run ();
}
