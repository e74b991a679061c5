/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "stay.h"
#include "world.h"

#define KEPT DEVICE_PREFIX "kept"
#define KEPT_TEXT "kept while the service lives"

static void
expect_quick (gint64 start)
{
  g_assert_cmpuint (milliseconds_since (start), <, 2000);
}

static void
release (Person *person,
         const char *path)
{
  g_free (person_call (person, path, LEASE_INTERFACE, "Release", "()"));
}

static void
expect_verified (Person *person,
                 const char *device)
{
  g_autofree char *path = g_strconcat (DEVICE_PREFIX, device, NULL);
  g_autofree char *answer = person_call (person, path, DEVICE_INTERFACE, "Verify", "({'timeout': <uint32 2000>},)");

  if (!g_str_has_prefix (answer, "(true,"))
    g_error ("references are left: %s", answer);
}

/* A call has come before: a later one of the same person's is answered after it. */
static void
wait_until_asked (Person *person)
{
  g_free (person_call (person, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
}

/* No lease, nothing open, and the next one gets the whole device with zeros in it. */
static void
expect_nothing_left (World *world,
                     const char *access,
                     guint fds)
{
  g_autoptr (Person) next = person_new ("carol", UID_CAROL);
  g_autoptr (Stay) stay = NULL;

  world_wait_no_leases (world, 5000);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  world_wait_uint (world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 2000);
  world_wait_fds (world, fds);
  stay = stay_begin (next, "shm0", "bar2", access, "{'exclusive': <true>}");
  stay_expect_zeros (stay);
}

/* How many descriptors regiond has when everything that it makes at the first use is made. */
static guint
count_idle_fds (World *world,
                const char *access)
{
  g_autoptr (Person) person = person_new ("bob", UID_BOB);
  g_autoptr (Stay) stay = stay_begin (person, "shm0", "bar2", access, "{}");

  stay_let_go (stay);
  world_wait_no_leases (world, 2000);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  return process_count_fds (world->regiond);
}

/* polkitd dies: who has something keeps it and may end it, nobody gets anything, until there is a new one. */
static void
test_polkitd_dies (gconstpointer access)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Stay) hers = stay_begin (alice, "shm0", "bar2", access, "{}");
  g_autoptr (Stay) his = stay_begin (bob, "big", "whole", access, "{}");
  g_autoptr (Stay) again = NULL;

  stay_write (hers, "hers");
  stay_write (his, "his");
  process_signal (world->polkitd, SIGKILL);
  process_wait (world->polkitd);

  g_free (person_open_fails (bob, DENIED, "shm0", "bar2", access, "{}"));
  world_expect_string (world, hers->opened->path, LEASE_INTERFACE, "State", "active");
  stay_expect_text (hers, "hers");
  person_expect_no_signal (alice);
  release (alice, hers->opened->path);
  stay_let_go (hers);
  expect_verified (alice, "shm0");
  stay_let_go (his);
  person_wait_signal (bob, his->opened->path, "Ended ('released',)");

  process_free (world->polkitd);
  world->polkitd = polkit_start (world->root);
  world_set_rules (world, RULES_ALLOW_ALL);
  again = stay_begin (alice, "shm0", "bar2", access, "{}");
  stay_expect_zeros (again);
}

/* What needs no new check goes on as ever while polkitd does not answer. */
static void
test_polkitd_stands_still (gconstpointer access)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Stay) hers = stay_begin (alice, "shm0", "bar2", access, "{}");
  g_autoptr (Stay) his = stay_begin (bob, "shm0", "control", access, "{}");
  g_autoptr (Opened) opened = NULL;
  gint64 start;
  guint serial;

  process_stop (world->polkitd);
  serial = person_send_open (carol, "big", "whole", access, "{}", "");
  wait_until_asked (carol);

  start = g_get_monotonic_time ();
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "leased");
  g_assert_cmpuint (world_count_leases (world), ==, 2);
  stay_write (hers, "hers");
  stay_expect_text (hers, "hers");
  release (alice, hers->opened->path);
  stay_let_go (hers);
  expect_verified (alice, "shm0");
  stay_let_go (his);
  person_wait_signal (bob, his->opened->path, "Ended ('released',)");
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  expect_quick (start);
  g_assert_false (person_has_answer (carol, serial));

  process_signal (world->polkitd, SIGCONT);
  opened = person_finish_open (carol, serial);
}

/* Its yes comes when the one who asked has got his refusal already: that is no lease. */
static void
test_polkitd_answers_after_the_refusal (gconstpointer access)
{
  g_autoptr (World) world = world_new_allowing_all ("AuthorizationTimeout=300ms;5min");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  guint before = count_idle_fds (world, access);

  process_stop (world->polkitd);
  g_free (person_open_fails (alice, DENIED, "shm0", "bar2", access, "{'exclusive': <true>}"));
  process_signal (world->polkitd, SIGCONT);
  /* polkitd works serially: what was asked before this is decided after it. */
  world_set_rules (world, RULES_ALLOW_ALL);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
  expect_nothing_left (world, access, before);
}

#define CROWD 40

/* It answers when the forty who have asked are dead. */
static void
test_polkitd_answers_a_crowd_that_has_died (gconstpointer access)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  guint before = count_idle_fds (world, access);
  Person *crowd[CROWD];

  for (guint i = 0; i < CROWD; i++)
    crowd[i] = person_new (i % 2 ? "alice" : "bob", i % 2 ? UID_ALICE : UID_BOB);
  process_stop (world->polkitd);
  for (guint i = 0; i < CROWD; i++)
    {
      person_send_open (crowd[i], "shm0", "bar2", access, i % 3 ? "{}" : "{'exclusive': <true>}", "");
      wait_until_asked (crowd[i]);
    }
  for (guint i = 0; i < CROWD; i++)
    person_kill (crowd[i]);
  process_signal (world->polkitd, SIGCONT);
  world_set_rules (world, RULES_ALLOW_ALL);
  expect_nothing_left (world, access, before);
  for (guint i = 0; i < CROWD; i++)
    person_free (crowd[i]);
}

static gboolean
is_lent (gpointer data)
{
  return world_count_leases (data) == 1;
}

/* The answer is in her socket, and she dies without having read it. */
static void
test_killed_while_the_answer_waits (gconstpointer access)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  guint before = count_idle_fds (world, access);

  process_stop (world->polkitd);
  person_send_open (alice, "shm0", "bar2", access, "{}", "");
  wait_until_asked (alice);
  process_stop (alice->process);
  process_signal (world->polkitd, SIGCONT);
  wait_until (is_lent, world, 5000, "the lease of one who stands still");
  /* The bus has handed on what regiond sent before this answer. */
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "leased");
  person_kill (alice);
  expect_nothing_left (world, access, before);
}

/* How long one waits for a lease, in microseconds. */
static guint
measure_open (const char *access)
{
  g_autoptr (Person) person = person_new ("bob", UID_BOB);
  gint64 start = g_get_monotonic_time ();
  g_autoptr (Opened) opened = person_open (person, "shm0", "bar2", access, "{}");

  return g_get_monotonic_time () - start;
}

#define MOMENTS 50

/* From before the question to after the answer, in small steps. */
static void
test_killed_at_any_moment (gconstpointer access)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  guint before = count_idle_fds (world, access);
  guint whole = measure_open (access);
  guint early = 0;

  for (guint i = 0; i < MOMENTS; i++)
    {
      g_autoptr (Person) person = person_new ("alice", UID_ALICE);
      guint serial = person_send_open (person, "shm0", i % 2 ? "bar2" : "control", access, "{}", "");

      g_usleep (i * whole * 2 / MOMENTS);
      early += !person_has_answer (person, serial);
      person_kill (person);
    }
  g_test_message ("%u of %u had no answer yet", early, MOMENTS);
  expect_nothing_left (world, access, before);
}

static guint64
number_of (const char *path)
{
  return g_ascii_strtoull (strrchr (path, '/') + 1, NULL, 10);
}

/* Two people before a fault, who live on after it, and what they have. */
typedef struct
{
  Person *alice;
  Person *bob;
  Stay *hers;
  Stay *his; /* on the device that keeps its contents */
  char *generation;
} Before;

static void
before_init (Before *before,
             World *world,
             const char *access)
{
  before->alice = person_new ("alice", UID_ALICE);
  before->bob = person_new ("bob", UID_BOB);
  before->hers = stay_begin (before->alice, "shm0", "bar2", access, "{}");
  before->his = stay_begin (before->bob, "kept", "bar2", access, "{}");
  stay_write (before->hers, "hers");
  stay_write (before->his, KEPT_TEXT);
  before->generation = world_get_string (world, MANAGER_PATH, MANAGER_INTERFACE, "Generation");
}

static void
before_clear (Before *before)
{
  stay_free (before->hers);
  stay_free (before->his);
  person_free (before->alice);
  person_free (before->bob);
  g_free (before->generation);
}

/* Somebody new on DEVICE sees nothing of the old one, and the old one nothing of him. */
static void
expect_apart (Stay *old,
              const char *text,
              const char *device,
              const char *access)
{
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Stay) fresh = stay_begin (carol, device, "bar2", access, "{'exclusive': <true>}");

  g_assert_cmpuint (number_of (fresh->opened->path), >, number_of (old->opened->path));
  stay_expect_zeros (fresh);
  stay_write (fresh, "carol's");
  stay_expect_cut_off (old, text);
  g_assert_cmpint (stay_fill (old), ==, old->map != NULL);
  stay_expect_text (fresh, "carol's");
}

static void
expect_all_new (World *world,
                Before *before,
                const char *access)
{
  g_autofree char *generation = world_get_string (world, MANAGER_PATH, MANAGER_INTERFACE, "Generation");

  g_assert_cmpstr (generation, !=, before->generation);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
  world_expect_string (world, KEPT, DEVICE_INTERFACE, "State", "parked");
  expect_apart (before->hers, "hers", "shm0", access);
  expect_apart (before->his, KEPT_TEXT, "kept", access);
  stay_let_go (before->hers);
  stay_let_go (before->his);
}

/* regiond is killed and started again: its clients are still there, and have nothing of what is lent now. */
static void
test_the_service_is_killed (gconstpointer access)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  Before before;

  before_init (&before, world, access);
  process_free (g_steal_pointer (&world->regiond));
  stay_expect_cut_off (before.hers, "hers");
  world->regiond = service_start (world->root);
  expect_all_new (world, &before, access);
  g_free (person_call_fails (before.alice, ERROR ("NotFound"), before.hers->opened->path, LEASE_INTERFACE, "Release",
                             "()"));
  before_clear (&before);
}

/* The bus, and with it polkitd; the people stay as they are. */
static void
start_again (World *world)
{
  process_free (world->polkitd);
  person_free (world->witness);
  g_dbus_connection_close_sync (world->root, NULL, NULL);
  g_object_unref (world->root);
  bus_free (world->bus);
  world->bus = bus_start (NULL);
  world->root = bus_connect ();
  g_assert_nonnull (world->root);
  world->polkitd = polkit_start (world->root);
  world->witness = person_new ("witness", UID_WITNESS);
  world_set_rules (world, RULES_ALLOW_ALL);
  world->regiond = service_start (world->root);
}

/* The bus is killed: regiond ends and says so, and with it everything that it has lent. */
static void
test_the_bus_is_killed (gconstpointer access)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  Before before;
  int status;

  before_init (&before, world, access);
  process_signal (world->bus->process, SIGKILL);
  status = process_wait (world->regiond);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 1);
  service_wait_log ("regiond: the bus has gone away", NULL);
  stay_expect_cut_off (before.hers, "hers");

  process_free (g_steal_pointer (&world->regiond));
  start_again (world);
  expect_all_new (world, &before, access);
  before_clear (&before);
}

/* How many times it is tried to hit a read at another of its steps. */
#define HITS 20

/* No process that has been killed waits for anything: it is gone soon. */
static void
expect_gone (Process *process)
{
  gint64 start = g_get_monotonic_time ();

  process_wait (process);
  expect_quick (start);
}

/* She reads without a pause what is proxied to her. */
static Stay *
read_on (Person *person)
{
  Stay *stay = stay_begin (person, "shm0", "bar2", "rw", "{}");

  g_free (person_do (person, "hammer", stay->opened->fd, NULL));
  return stay;
}

/* The access under way has ended with an error, and so does every other. */
static void
expect_broken_off (Stay *stay)
{
  gint64 start = g_get_monotonic_time ();
  g_autofree char *error = person_do (stay->person, "hammered", NULL);

  expect_quick (start);
  if (!g_str_equal (error, "ECONNABORTED") && !g_str_equal (error, "ENOTCONN") && !g_str_equal (error, "EIO"))
    g_error ("an access under way ended with %s", error);
  stay_expect_cut_off (stay, NULL);
}

static void
test_killed_during_a_read (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  guint before = count_idle_fds (world, "rw");

  for (guint i = 0; i < HITS; i++)
    {
      g_autoptr (Person) reader = person_new ("alice", UID_ALICE);
      g_autoptr (Stay) stay = read_on (reader);

      g_usleep (i * 50);
      process_signal (reader->process, SIGKILL);
      expect_gone (reader->process);
    }
  expect_nothing_left (world, "rw", before);
}

static gboolean
has_ended (gpointer data)
{
  return !process_is_running (data);
}

/* What she has asked for may be with a service that does not answer. */
static void
test_killed_while_the_service_stands_still (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  guint before = count_idle_fds (world, "rw");
  guint late = 0;

  for (guint i = 0; i < HITS; i++)
    {
      g_autoptr (Person) reader = person_new ("alice", UID_ALICE);
      g_autoptr (Stay) stay = read_on (reader);

      process_stop (world->regiond);
      process_signal (reader->process, SIGKILL);
      late += !wait_for (has_ended, reader->process, 50);
      process_signal (world->regiond, SIGCONT);
      expect_gone (reader->process);
    }
  g_test_message ("%u of %u had to wait for the service", late, HITS);
  expect_nothing_left (world, "rw", before);
}

/* It is stopped, one of two readers is killed, and then it is killed itself. */
static void
test_the_service_is_stopped_and_killed_during_reads (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");

  for (guint i = 0; i < HITS / 2; i++)
    {
      g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
      g_autoptr (Person) bob = person_new ("bob", UID_BOB);
      g_autoptr (Stay) hers = read_on (alice);
      g_autoptr (Stay) his = read_on (bob);

      if (i % 2)
        process_stop (world->regiond);
      process_signal (alice->process, SIGKILL);
      process_free (g_steal_pointer (&world->regiond));
      expect_gone (alice->process);
      expect_broken_off (his);
      world->regiond = service_start (world->root);
      g_assert_cmpuint (world_count_leases (world), ==, 0);
    }
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  stay_add_tests ("/faults/polkitd-dies", test_polkitd_dies);
  stay_add_tests ("/faults/polkitd-stands-still", test_polkitd_stands_still);
  stay_add_tests ("/faults/polkitd-answers-after-the-refusal", test_polkitd_answers_after_the_refusal);
  stay_add_tests ("/faults/polkitd-answers-a-crowd-that-has-died", test_polkitd_answers_a_crowd_that_has_died);
  stay_add_tests ("/faults/killed-while-the-answer-waits", test_killed_while_the_answer_waits);
  stay_add_tests ("/faults/killed-at-any-moment", test_killed_at_any_moment);
  stay_add_tests ("/faults/the-service-is-killed", test_the_service_is_killed);
  stay_add_tests ("/faults/the-bus-is-killed", test_the_bus_is_killed);
  g_test_add_func ("/faults/killed-during-a-read", test_killed_during_a_read);
  g_test_add_func ("/faults/killed-while-the-service-stands-still", test_killed_while_the_service_stands_still);
  g_test_add_func ("/faults/the-service-is-stopped-and-killed-during-reads",
                   test_the_service_is_stopped_and_killed_during_reads);
  return g_test_run ();
}
