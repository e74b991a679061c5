/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>

#include "scene.h"

#define BAR2_SIZE 1048576

static void
test_two_people_share_one_memory (World *world,
                                  Person *alice,
                                  Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) his = person_open (bob, "shm0", "bar2", "rm", "{}");
  g_autofree char *her_map = person_map (alice, hers->fd, "rw");
  g_autofree char *his_map = person_map (bob, his->fd, "r");

  person_expect_zeros (bob, his_map);
  person_write (alice, her_map, "from alice");
  person_expect_text (bob, his_map, "from alice");
  g_assert_true (person_shares (alice, hers->fd, bob, his->fd));
}

static void
test_regions_are_separate_and_of_exact_size (World *world,
                                             Person *alice,
                                             Person *bob)
{
  g_autoptr (Opened) bar2 = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) control = person_open (alice, "shm0", "control", "rwm", "{}");
  g_autofree char *size = person_do (alice, "stat", bar2->fd, "size", NULL);
  g_autofree char *allocated = person_do (alice, "stat", bar2->fd, "allocated", NULL);
  g_autofree char *small = person_do (alice, "stat", control->fd, "size", NULL);

  g_assert_cmpstr (size, ==, "1048576");
  g_assert_cmpstr (small, ==, "4096");
  /* Not only reserved: a page that is not there would be a SIGBUS later. */
  g_assert_cmpstr (allocated, ==, "1048576");
  g_assert_false (person_shares (alice, bar2->fd, alice, control->fd));
}

static void
test_each_lease_has_its_own_description (World *world,
                                         Person *alice,
                                         Person *bob)
{
  g_autoptr (Opened) one = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) two = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *moved = NULL, *still = NULL;

  g_assert_cmpstr (one->path, !=, two->path);
  moved = person_do (alice, "seek", one->fd, "100", NULL);
  still = person_do (alice, "seek", two->fd, "", NULL);
  g_assert_cmpstr (moved, ==, "100");
  g_assert_cmpstr (still, ==, "0");
}

static void
expect_failure (Person *person,
                const char *name,
                const char *command,
                const char *first,
                const char *second)
{
  g_autofree char *message = person_fail (person, name, command, first, second, NULL);
}

static void
test_nobody_changes_the_size_or_runs_it (World *world,
                                         Person *alice,
                                         Person *bob)
{
  const int seals[] = { F_SEAL_WRITE, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL, F_SEAL_GROW };
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");

  expect_failure (alice, "EPERM", "truncate", opened->fd, "0");
  expect_failure (alice, "EPERM", "truncate", opened->fd, "4096");
  expect_failure (alice, "EPERM", "truncate", opened->fd, "2097152");
  for (guint i = 0; i < G_N_ELEMENTS (seals); i++)
    {
      g_autofree char *number = g_strdup_printf ("%d", seals[i]);

      expect_failure (alice, "EPERM", "seal", opened->fd, number);
    }
  expect_failure (alice, "EACCES", "execute", opened->fd, NULL);
  expect_failure (alice, "EACCES", "reopen", opened->fd, "rw");
  expect_failure (alice, "EACCES", "reopen", opened->fd, "r");
}

static void
test_read_only_stays_read_only (World *world,
                                Person *alice,
                                Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rm", "{}");
  g_autofree char *map = person_map (alice, opened->fd, "r");

  expect_failure (alice, "EACCES", "map", opened->fd, "rw");
  expect_failure (alice, "EACCES", "protect", map, NULL);
  expect_failure (alice, "EACCES", "reopen", opened->fd, "rw");
  expect_failure (alice, "EPERM", "seal", opened->fd, "16");
  expect_failure (alice, "EBADF", "punch", opened->fd, NULL);
  expect_failure (alice, "EACCES", "execute", opened->fd, NULL);
}

static void
test_a_lease_says_what_it_is (World *world,
                              Person *alice,
                              Person *bob)
{
  gint64 before = g_get_real_time ();
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{'label': <'my word'>}");
  guint64 created;

  world_expect_string (world, opened->path, LEASE_INTERFACE, "Device", SHM0);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Region", "bar2");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Access", "rwm");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Owner", alice->name);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Label", "my word");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Mechanism", "memfd");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Revocation", "detached");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "active");
  g_assert_cmpuint (world_get_uint (world, opened->path, LEASE_INTERFACE, "Uid"), ==, UID_ALICE);
  g_assert_cmpuint (world_get_uint (world, opened->path, LEASE_INTERFACE, "Pid"), ==, alice->process->pid);
  g_assert_cmpuint (world_get_uint64 (world, opened->path, LEASE_INTERFACE, "Offset"), ==, 0);
  g_assert_cmpuint (world_get_uint64 (world, opened->path, LEASE_INTERFACE, "Size"), ==, BAR2_SIZE);
  created = world_get_uint64 (world, opened->path, LEASE_INTERFACE, "Created");
  g_assert_cmpuint (created, >=, before);
  g_assert_cmpuint (created, <=, g_get_real_time ());
}

static void
test_a_device_says_what_it_is (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (GVariant) regions = NULL;
  g_autoptr (GVariant) bar2 = NULL;
  g_autoptr (GVariant) group = NULL;
  const char *kind, *access, *revocation;
  guint64 size;

  world_expect_string (world, SHM0, DEVICE_INTERFACE, "Id", "shm0");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "Backend", "memory");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "Description", "Sensor ring");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "Isolation", "not-applicable");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "Exclusive", "");
  group = world_get (world, SHM0, DEVICE_INTERFACE, "IommuGroup");
  g_assert_cmpint (g_variant_get_int32 (group), ==, -1);

  regions = world_get (world, SHM0, DEVICE_INTERFACE, "Regions");
  g_assert_cmpuint (g_variant_n_children (regions), ==, 2);
  bar2 = g_variant_lookup_value (regions, "bar2", NULL);
  g_assert_true (g_variant_lookup (bar2, "size", "t", &size));
  g_assert_true (g_variant_lookup (bar2, "kind", "&s", &kind));
  g_assert_true (g_variant_lookup (bar2, "access", "&s", &access));
  g_assert_true (g_variant_lookup (bar2, "revocation", "&s", &revocation));
  g_assert_cmpuint (size, ==, BAR2_SIZE);
  g_assert_cmpstr (kind, ==, "memory");
  g_assert_cmpstr (access, ==, "rwm");
  g_assert_cmpstr (revocation, ==, "detached");
}

/* What is let go of is closed a moment later. */
static guint
count_least_fds (World *world)
{
  guint least = G_MAXUINT;

  for (guint i = 0; i < 20; i++)
    {
      least = MIN (least, process_count_fds (world->regiond));
      g_usleep (10 * 1000);
    }
  return least;
}

static void
test_an_unused_device_holds_nothing (World *world,
                                     Person *alice,
                                     Person *bob)
{
  guint before = 0;
  g_autoptr (GVariant) leases = NULL;

  /* Once round: what is made once for all is there then. */
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");

      if (i == 1)
        g_assert_cmpuint (process_count_fds (world->regiond), >, before);
      world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "leased");
      person_let_go (alice, NULL, opened->fd);
      world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
      world_wait_no_leases (world, 2000);
      if (i == 0)
        before = count_least_fds (world);
    }
  world_wait_fds (world, before);
  leases = world_get (world, SHM0, DEVICE_INTERFACE, "Leases");
  g_assert_cmpuint (g_variant_n_children (leases), ==, 0);
}

static void
expect_open_error (Person *person,
                   const char *name,
                   const char *access,
                   const char *options)
{
  g_autofree char *message = person_open_fails (person, name, "shm0", "bar2", access, options);
}

static void
test_what_cannot_be_had_is_not_supported (World *world,
                                          Person *alice,
                                          Person *bob)
{
  g_autoptr (Opened) opened = NULL;

  expect_open_error (alice, ERROR ("NotSupported"), "rwm", "{'offset': <uint64 4096>}");
  expect_open_error (alice, ERROR ("NotSupported"), "rwm", "{'length': <uint64 4096>}");
  expect_open_error (alice, ERROR ("NotSupported"), "rwm", "{'revocation': <'immediate'>}");
  opened = person_open (alice, "shm0", "bar2", "rwm", "{'revocation': <'detached'>}");
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/open/two-people-share-one-memory", RULES_ALLOW_ALL, test_two_people_share_one_memory);
  scene_add ("/open/regions-are-separate-and-of-exact-size", RULES_ALLOW_ALL,
             test_regions_are_separate_and_of_exact_size);
  scene_add ("/open/each-lease-has-its-own-description", RULES_ALLOW_ALL, test_each_lease_has_its_own_description);
  scene_add ("/open/nobody-changes-the-size-or-runs-it", RULES_ALLOW_ALL, test_nobody_changes_the_size_or_runs_it);
  scene_add ("/open/read-only-stays-read-only", RULES_ALLOW_ALL, test_read_only_stays_read_only);
  scene_add ("/open/a-lease-says-what-it-is", RULES_ALLOW_ALL, test_a_lease_says_what_it_is);
  g_test_add_func ("/open/a-device-says-what-it-is", test_a_device_says_what_it_is);
  scene_add ("/open/an-unused-device-holds-nothing", RULES_ALLOW_ALL, test_an_unused_device_holds_nothing);
  scene_add ("/open/what-cannot-be-had-is-not-supported", RULES_ALLOW_ALL, test_what_cannot_be_had_is_not_supported);
  return g_test_run ();
}
