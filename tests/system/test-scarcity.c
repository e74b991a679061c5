/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "scene.h"
#include "stay.h"

#define DEVICES 40
#define EXHAUSTED ERROR ("LimitExceeded")

/* As low as that; RLIM_INFINITY: as high as it may. */
static void
limit (World *world,
       int resource,
       rlim_t number)
{
  struct rlimit value;

  g_assert_cmpint (prlimit (world->regiond->pid, resource, NULL, &value), ==, 0);
  value.rlim_cur = number == RLIM_INFINITY ? value.rlim_max : number;
  g_assert_cmpint (prlimit (world->regiond->pid, resource, &value, NULL), ==, 0);
}

/* The numbers that regiond's descriptors take: the highest, and one. */
static guint
count_numbers (World *world)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", world->regiond->pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint most = 0;
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    most = MAX (most, (guint) atoi (name) + 1);
  return most;
}

/* Clock ticks that regiond has had of a processor. */
static guint64
get_ticks (World *world)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", world->regiond->pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) fields = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  fields = g_strsplit (strrchr (text, ')') + 2, " ", -1);
  return g_ascii_strtoull (fields[11], NULL, 10) + g_ascii_strtoull (fields[12], NULL, 10);
}

/* For so long as a busy loop would take to show, it does next to nothing. */
static void
expect_idle (World *world)
{
  const guint milliseconds = 500;
  guint64 before = get_ticks (world);
  guint64 spent;

  g_usleep (milliseconds * 1000);
  spent = (get_ticks (world) - before) * 1000 / sysconf (_SC_CLK_TCK);
  g_test_message ("%" G_GUINT64_FORMAT " ms of %u busy", spent, milliseconds);
  g_assert_cmpuint (spent, <, milliseconds / 4);
}

static World *
new_world_of_many (void)
{
  World *world = world_new_without_service ("");

  for (guint i = 0; i < DEVICES; i++)
    {
      g_autofree char *name = g_strdup_printf ("many%u.conf", i);

      service_configure_device (name, "[Device]\nBackend=memory\n[Region a]\nSize=4K\n[Region b]\nSize=4K\n");
    }
  world->regiond = service_start (world->root);
  world_set_rules (world, RULES_ALLOW_ALL);
  return world;
}

static char *
many (guint n)
{
  return g_strdup_printf ("many%u", n);
}

/* What she gets; or NULL, where the refusal must be a clean one. */
static Opened *
try_to_open (Person *person,
             const char *device,
             const char *region,
             const char *access)
{
  guint serial = person_send_open (person, device, region, access, "{}", "");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (person, serial, &error);
  g_autoptr (GVariant) reply = NULL;
  Opened *opened;

  if (!strings)
    {
      if (!g_str_has_prefix (error->message, EXHAUSTED ": "))
        g_error ("expected " EXHAUSTED ", got %s", error->message);
      g_assert_nonnull (strstr (error->message, "oo many open files"));
      return NULL;
    }
  reply = g_variant_parse (NULL, strings[0], NULL, NULL, NULL);
  g_assert_nonnull (reply);
  opened = g_new0 (Opened, 1);
  g_variant_get (reply, "(ho)", NULL, &opened->path);
  g_assert_nonnull (strings[1]);
  opened->fd = g_strdup (strings[1]);
  return opened;
}

static void
expect_parked (World *world,
               const char *device)
{
  g_autofree char *path = g_strconcat (DEVICE_PREFIX, device, NULL);

  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 2000);
}

/* One opens whatever there is until regiond has no more; then others close, and it goes on. */
static void
test_no_descriptors_are_left (gconstpointer access)
{
  g_autoptr (World) world = new_world_of_many ();
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (GPtrArray) lent = g_ptr_array_new_with_free_func ((GDestroyNotify) opened_free);
  g_autoptr (Stay) first = stay_begin (bob, "shm0", "bar2", access, "{}");
  g_autoptr (Opened) again = NULL;
  g_autofree char *refused = NULL;
  Opened *opened = NULL;
  guint before;

  stay_write (first, "his");
  before = process_count_fds (world->regiond);
  limit (world, RLIMIT_NOFILE, count_numbers (world) + 16);
  for (guint i = 0; i < DEVICES; i++)
    {
      g_free (refused);
      refused = many (i);
      if (!(opened = try_to_open (alice, refused, "a", access)))
        break;
      g_ptr_array_add (lent, opened);
    }
  g_assert_null (opened);
  g_assert_cmpuint (lent->len, >, 0);

  /* Nothing half done, and everybody else is served. */
  expect_parked (world, refused);
  g_assert_cmpuint (world_count_leases (world), ==, lent->len + 1);
  stay_expect_text (first, "his");
  for (guint i = 0; i < 20; i++)
    g_assert_null (try_to_open (alice, refused, "a", access));
  expect_idle (world);
  person_expect_no_signal (bob);

  for (guint i = 0; i < lent->len; i++)
    person_let_go (alice, NULL, ((Opened *) lent->pdata[i])->fd);
  world_wait_fds (world, before);
  again = try_to_open (alice, refused, "a", access);
  g_assert_nonnull (again);
  g_assert_cmpuint (world_count_leases (world), ==, 2);
}

/* Wherever on the way the last one is spent. */
static void
test_descriptors_end_at_any_step (gconstpointer access)
{
  g_autoptr (World) world = new_world_of_many ();
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  guint refusals = 0;

  for (guint i = 0; i < 24; i++)
    {
      g_autofree char *device = many (i);
      guint before = process_count_fds (world->regiond);
      g_autoptr (Opened) opened = NULL;

      limit (world, RLIMIT_NOFILE, count_numbers (world) + i / 2);
      opened = try_to_open (alice, device, i % 2 ? "a" : "b", access);
      limit (world, RLIMIT_NOFILE, RLIM_INFINITY);
      if (opened)
        person_let_go (alice, NULL, opened->fd);
      else
        refusals++;
      world_wait_no_leases (world, 2000);
      expect_parked (world, device);
      /* The bus library and polkit's open something once. */
      if (i > 0)
        world_wait_fds (world, before);
    }
  g_test_message ("%u of 24 refused", refusals);
  g_assert_cmpuint (refusals, >, 0);
  g_assert_cmpuint (refusals, <, 24);
}

/* Also where nothing has been made yet that lasts: at the very first call. */
static void
test_descriptors_end_at_the_first_call (gconstpointer access)
{
  for (guint spare = 0; spare < 6; spare++)
    {
      g_autoptr (World) world = world_new ("");
      g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
      g_autoptr (Opened) opened = NULL;
      g_autoptr (Opened) again = NULL;

      world_set_rules (world, RULES_ALLOW_ALL);
      limit (world, RLIMIT_NOFILE, count_numbers (world) + spare);
      opened = try_to_open (alice, "shm0", "bar2", access);
      g_assert_true (process_is_running (world->regiond));
      limit (world, RLIMIT_NOFILE, RLIM_INFINITY);
      again = person_open (alice, "shm0", "bar2", access, "{}");
    }
}

static guint
count_all_fds (World *world)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", world->regiond->pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (dir && g_dir_read_name (dir))
    n++;
  return n;
}

/* Taking something back needs no new descriptor. */
static void
test_taken_back_without_descriptors (gconstpointer access)
{
  g_autoptr (World) world = new_world_of_many ();
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (GPtrArray) lent = g_ptr_array_new_with_free_func ((GDestroyNotify) opened_free);
  guint before = process_count_fds (world->regiond);

  /* Until there is no gap in the numbers, which a limit would leave free. */
  for (guint i = 0; i < 4 || (i < DEVICES && count_all_fds (world) < count_numbers (world)); i++)
    {
      g_autofree char *device = many (i);

      g_ptr_array_add (lent, person_open (alice, device, "a", access, "{}"));
    }
  limit (world, RLIMIT_NOFILE, count_numbers (world));
  g_assert_null (try_to_open (alice, "shm0", "bar2", access));

  for (guint i = 0; i < 3; i++)
    {
      Opened *opened = lent->pdata[i];

      if (i == 0)
        g_variant_unref (world_call (world, opened->path, LEASE_INTERFACE, "Revoke",
                                     g_variant_new_parsed ("('now', @a{sv} {})")));
      else if (i == 1)
        g_free (person_call (alice, opened->path, LEASE_INTERFACE, "Release", "()"));
      person_let_go (alice, NULL, opened->fd);
      world_wait_gone (world, opened->path, 2000);
    }
  person_kill (alice);
  world_wait_no_leases (world, 2000);
  g_assert_true (process_is_running (world->regiond));
  limit (world, RLIMIT_NOFILE, RLIM_INFINITY);
  world_wait_fds (world, before + 2);
}

/* Calls come with descriptors, which there is no room for. */
static void
test_descriptors_that_come_with_calls (World *world,
                                       Person *alice,
                                       Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  guint before;

  before = process_count_fds (world->regiond);
  limit (world, RLIMIT_NOFILE, count_numbers (world));
  for (guint i = 0; i < 50; i++)
    g_free (person_fail (alice, "org.freedesktop.DBus.Error.InvalidArgs", "call", MANAGER_PATH, MANAGER_INTERFACE,
                         "AttachLease", "(handle 0, {'unheard-of': <1>})", opened->fd, NULL));
  g_assert_true (process_is_running (world->regiond));
  limit (world, RLIMIT_NOFILE, RLIM_INFINITY);
  world_wait_fds (world, before);
}

static const char both[] = "[Device]\nBackend=memory\n[Region small]\nSize=64K\n[Region large]\nSize=64M\n";

/* The kernel has memory for the first region and half of the second one. */
static void
test_no_memory_for_a_whole_device (gconstpointer access)
{
  g_autoptr (World) world = world_new_without_service ("MaxMemory=76M\nMaxMemoryPerUser=76M");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Opened) opened = NULL;
  guint before;

  service_configure_device ("both.conf", both);
  world->regiond = service_start_starved (world->root, "memory=33554432");
  world_set_rules (world, RULES_ALLOW_ALL);
  opened = person_open (alice, "shm0", "bar2", access, "{}");
  before = process_count_fds (world->regiond);

  /* What it took was given back, or the second try would hear of MaxMemory. */
  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *message = person_open_fails (alice, EXHAUSTED, "both", "small", access, "{}");

      g_assert_nonnull (strstr (message, g_strerror (ENOSPC)));
      g_assert_null (strstr (message, "MaxMemory"));
      expect_parked (world, "both");
    }
  world_wait_fds (world, before);
  g_assert_cmpuint (world_count_leases (world), ==, 1);
  person_expect_no_signal (alice);
  opened_free (opened);
  opened = person_open (alice, "big", "whole", access, "{}");
}

/* A limit on the size of files, as a unit may set it, is no reason to die. */
static void
test_files_must_be_small (gconstpointer access)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Stay) stay = NULL;
  g_autoptr (Opened) later = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  limit (world, RLIMIT_FSIZE, 2 * 1024 * 1024);
  g_free (person_open_fails (alice, EXHAUSTED, "big", "whole", access, "{}"));
  g_assert_true (process_is_running (world->regiond));
  expect_parked (world, "big");
  stay = stay_begin (alice, "shm0", "bar2", access, "{}");
  stay_expect_zeros (stay);
  limit (world, RLIMIT_FSIZE, RLIM_INFINITY);
  later = person_open (alice, "big", "whole", access, "{}");
}

/* Without a watch nobody would hear of its end: so it is not lent. */
static void
test_no_watches_are_left (gconstpointer access)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  guint before;

  world->regiond = service_start_starved (world->root, "watches");
  world_set_rules (world, RULES_ALLOW_ALL);
  g_free (person_open_fails (alice, EXHAUSTED, "shm0", "bar2", access, "{}"));
  expect_parked (world, "shm0");
  before = process_count_fds (world->regiond);
  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *message = person_open_fails (alice, EXHAUSTED, "shm0", "bar2", access, "{'exclusive': <true>}");

      g_assert_nonnull (strstr (message, "max_user_watches"));
      expect_parked (world, "shm0");
    }
  world_wait_fds (world, before);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

/* Whose reference is left cannot be told then: the one who stays loses what he shared, and gets it anew. */
static void
test_no_keyrings_are_left (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Stay) hers = NULL;
  g_autoptr (Stay) his = NULL;
  g_autoptr (Stay) again = NULL;

  world->regiond = service_start_starved (world->root, "keyrings");
  world_set_rules (world, RULES_ALLOW_ALL);
  hers = stay_begin (alice, "shm0", "bar2", "rwm", "{}");
  his = stay_begin (bob, "shm0", "bar2", "rwm", "{}");
  person_kill (alice);
  person_wait_signal (bob, his->opened->path, "Ended ('superseded',)");
  again = stay_begin (bob, "shm0", "bar2", "rwm", "{}");
  stay_expect_zeros (again);
  stay_let_go (his);
  stay_let_go (again);
  world_wait_no_leases (world, 2000);
  expect_parked (world, "shm0");
}

static guint
get_queue_size (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/sys/fs/inotify/max_queued_events", &text, NULL, NULL));
  return g_ascii_strtoull (text, NULL, 10);
}

/* An open file description of that object comes and goes. */
static void
stir (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  int more = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

  g_assert_cmpint (more, >=, 0);
  close (more);
}

/* Two files in turn: the kernel merges an event only with the last one. */
static void
fill_queue (int one,
            int other)
{
  guint most = get_queue_size ();

  for (guint i = 0; i <= most / 2 + 1; i++)
    {
      stir (one);
      stir (other);
    }
}

/*
 * regiond does not get round to reading, and the kernel stops telling: who has
 * closed in that time is found out, who has not keeps what he has.
 */
static void
test_more_ends_than_the_kernel_tells (World *world,
                                      Person *alice,
                                      Person *bob)
{
  g_autoptr (Stay) one = stay_begin (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Stay) other = stay_begin (alice, "big", "whole", "rwm", "{}");
  g_autoptr (Stay) live = stay_begin (alice, "shm0", "control", "rw", "{}");
  g_autoptr (Stay) closed = NULL, shared = NULL;
  Stay *dead[4];
  int fds[2];
  guint before;

  stay_write (one, "hers");
  stay_write (other, "theirs");
  stay_write (live, "proxied");
  before = process_count_fds (world->regiond);
  closed = stay_begin (bob, "loose", "bar2", "rwm", "{}");
  shared = stay_begin (bob, "big", "whole", "rwm", "{}");
  for (guint i = 0; i < G_N_ELEMENTS (dead); i++)
    dead[i] = stay_begin (bob, "shm0", "control", "rw", "{}");
  fds[0] = person_give (alice, one->opened->fd);
  fds[1] = person_give (alice, other->opened->fd);

  process_stop (world->regiond);
  fill_queue (fds[0], fds[1]);
  stay_let_go (closed);
  stay_let_go (shared);
  for (guint i = 0; i < G_N_ELEMENTS (dead); i++)
    stay_let_go (dead[i]);
  close (fds[0]);
  close (fds[1]);
  process_signal (world->regiond, SIGCONT);

  person_wait_signal (bob, closed->opened->path, "Ended ('released',)");
  person_wait_signal (bob, shared->opened->path, "Ended ('released',)");
  world_wait_gone (world, closed->opened->path, 2000);
  world_wait_gone (world, shared->opened->path, 2000);
  expect_parked (world, "loose");
  world_expect_string (world, one->opened->path, LEASE_INTERFACE, "State", "active");
  world_expect_string (world, other->opened->path, LEASE_INTERFACE, "State", "active");
  stay_expect_text (one, "hers");
  stay_expect_text (other, "theirs");

  for (guint i = 0; i < G_N_ELEMENTS (dead); i++)
    {
      person_wait_signal (bob, dead[i]->opened->path, "Ended ('released',)");
      stay_free (dead[i]);
    }
  world_expect_string (world, live->opened->path, LEASE_INTERFACE, "State", "active");
  stay_expect_text (live, "proxied");
  person_expect_no_signal (alice);
  world_wait_fds (world, before);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  stay_add_tests ("/scarcity/no-descriptors-are-left", test_no_descriptors_are_left);
  stay_add_tests ("/scarcity/descriptors-end-at-any-step", test_descriptors_end_at_any_step);
  stay_add_tests ("/scarcity/descriptors-end-at-the-first-call", test_descriptors_end_at_the_first_call);
  scene_add ("/scarcity/descriptors-that-come-with-calls", RULES_ALLOW_ALL, test_descriptors_that_come_with_calls);
  stay_add_tests ("/scarcity/taken-back-without-descriptors", test_taken_back_without_descriptors);
  stay_add_tests ("/scarcity/no-memory-for-a-whole-device", test_no_memory_for_a_whole_device);
  stay_add_tests ("/scarcity/files-must-be-small", test_files_must_be_small);
  stay_add_tests ("/scarcity/no-watches-are-left", test_no_watches_are_left);
  g_test_add_func ("/scarcity/no-keyrings-are-left", test_no_keyrings_are_left);
  scene_add ("/scarcity/more-ends-than-the-kernel-tells", RULES_ALLOW_ALL, test_more_ends_than_the_kernel_tells);
  return g_test_run ();
}
