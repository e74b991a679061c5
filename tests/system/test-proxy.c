/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "scene.h"
#include "stay.h"

#define BAR2_SIZE 1048576

static void
expect (Person *person,
        const char *answer,
        const char *command,
        const char *first,
        const char *second,
        const char *third)
{
  g_autofree char *found = person_do (person, command, first, second, third, NULL);

  g_assert_cmpstr (found, ==, answer);
}

static void
expect_errno (Person *person,
              const char *name,
              const char *command,
              const char *first,
              const char *second,
              const char *third)
{
  g_free (person_fail (person, name, command, first, second, third, NULL));
}

static void
expect_lease (World *world,
              Person *person,
              Opened *opened,
              const char *access)
{
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Device", SHM0);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Region", "bar2");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Access", access);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Owner", person->name);
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Mechanism", "proxy");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "Revocation", "immediate");
  world_expect_string (world, opened->path, LEASE_INTERFACE, "State", "active");
  g_assert_cmpuint (world_get_uint64 (world, opened->path, LEASE_INTERFACE, "Offset"), ==, 0);
  g_assert_cmpuint (world_get_uint64 (world, opened->path, LEASE_INTERFACE, "Size"), ==, BAR2_SIZE);
}

static void
test_a_reader (World *world,
               Person *alice,
               Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "r", "{}");

  expect_lease (world, alice, opened, "r");
  expect (alice, "100400 2001 1048576", "facts", opened->fd, NULL, NULL);
  expect (alice, "yes", "pzeros", opened->fd, NULL, NULL);
  expect_errno (alice, "EBADF", "pwrite", opened->fd, "0", "no");
  expect_errno (alice, "ENODEV", "map", opened->fd, "r", NULL);
  expect_errno (alice, "EINVAL", "truncate", opened->fd, "0", NULL);
  expect_errno (alice, "EBADF", "punch", opened->fd, NULL, NULL);
  expect_errno (alice, "EACCES", "execute", opened->fd, NULL, NULL);
}

static void
test_a_writer (World *world,
               Person *alice,
               Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "w", "{}");
  g_autoptr (Stay) reader = NULL;

  expect_lease (world, alice, opened, "w");
  expect (alice, "100200 2001 1048576", "facts", opened->fd, NULL, NULL);
  expect_errno (alice, "EBADF", "pread", opened->fd, "0", NULL);
  expect_errno (alice, "EACCES", "map", opened->fd, "r", NULL);
  expect (alice, "7", "pwrite", opened->fd, "0", "written");
  reader = stay_begin (bob, "shm0", "bar2", "r", "{}");
  stay_expect_text (reader, "written");
}

static void
test_both (World *world,
           Person *alice,
           Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rw", "{}");

  expect_lease (world, alice, opened, "rw");
  expect (alice, "100600 2001 1048576", "facts", opened->fd, NULL, NULL);
  expect (alice, "4", "pwrite", opened->fd, "1000", "here");
  expect (alice, "here", "pread", opened->fd, "1000", NULL);
  expect (alice, "3", "pwrite", opened->fd, "1048573", "across");
  expect (alice, "3", "pcount", opened->fd, "1048573", "100");
  expect (alice, "0", "pcount", opened->fd, "1048576", "100");
  expect_errno (alice, "ENOSPC", "pwrite", opened->fd, "1048576", "x");
  expect_errno (alice, "ENODEV", "map", opened->fd, "rw", NULL);
  expect_errno (alice, "EPERM", "truncate", opened->fd, "0", NULL);
  expect_errno (alice, "EOPNOTSUPP", "punch", opened->fd, NULL, NULL);
}

static void
test_a_device_says_so (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (GVariant) regions = world_get (world, SHM0, DEVICE_INTERFACE, "Regions");
  g_autoptr (GVariant) bar2 = g_variant_lookup_value (regions, "bar2", NULL);
  g_autofree const char **mechanisms = NULL;
  const char *revocation;

  g_assert_true (g_variant_lookup (bar2, "mechanisms", "^a&s", &mechanisms));
  g_assert_cmpuint (g_strv_length ((char **) mechanisms), ==, 2);
  g_assert_true (g_strv_contains (mechanisms, "memfd"));
  g_assert_true (g_strv_contains (mechanisms, "proxy"));
  /* The best that can be had with 'm'. */
  g_assert_true (g_variant_lookup (bar2, "revocation", "&s", &revocation));
  g_assert_cmpstr (revocation, ==, "detached");
}

static void
test_revocation_at_once_can_be_demanded (World *world,
                                         Person *alice,
                                         Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rw", "{'revocation': <'immediate'>}");
  g_autofree char *message = NULL;

  message = person_open_fails (alice, ERROR ("NotSupported"), "shm0", "bar2", "rwm", "{'revocation': <'immediate'>}");
  g_assert_nonnull (strstr (message, "'detached'"));
}

static void
test_a_part (World *world,
             Person *alice,
             Person *bob)
{
  g_autoptr (Stay) whole = stay_begin (bob, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) part = NULL, last = NULL;

  stay_write (whole, "0123456789");
  part = person_open (alice, "shm0", "bar2", "rw", "{'offset': <uint64 3>, 'length': <uint64 4>}");
  g_assert_cmpuint (world_get_uint64 (world, part->path, LEASE_INTERFACE, "Offset"), ==, 3);
  g_assert_cmpuint (world_get_uint64 (world, part->path, LEASE_INTERFACE, "Size"), ==, 4);
  expect (alice, "100600 2001 4", "facts", part->fd, NULL, NULL);
  expect (alice, "3456", "pread", part->fd, "0", NULL);
  expect (alice, "6", "pread", part->fd, "3", NULL);
  expect (alice, "", "pread", part->fd, "4", NULL);
  expect (alice, "2", "pwrite", part->fd, "2", "xyz");
  expect_errno (alice, "ENOSPC", "pwrite", part->fd, "4", "z");
  stay_expect_text (whole, "01234xy789");

  last = person_open (alice, "shm0", "bar2", "r", "{'offset': <uint64 1048575>}");
  g_assert_cmpuint (world_get_uint64 (world, last->path, LEASE_INTERFACE, "Size"), ==, 1);
  expect (alice, "1", "pcount", last->fd, "0", "100");
}

static void
test_what_is_no_part (World *world,
                      Person *alice,
                      Person *bob)
{
  const char *const bad[] = {
    "{'offset': <uint64 1048576>}",
    "{'offset': <uint64 18446744073709551615>}",
    "{'length': <uint64 0>}",
    "{'length': <uint64 1048577>}",
    "{'offset': <uint64 1048000>, 'length': <uint64 577>}",
    "{'offset': <uint64 2>, 'length': <uint64 18446744073709551614>}",
    "{'offset': <uint32 1>}",
    "{'length': <'1'>}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_free (person_open_fails (alice, INVALID, "shm0", "bar2", "rw", bad[i]));
  g_free (person_open_fails (alice, ERROR ("NotSupported"), "shm0", "bar2", "rwm", "{'offset': <uint64 4096>}"));
  g_free (person_open_fails (alice, ERROR ("NotSupported"), "shm0", "bar2", "rm", "{'length': <uint64 4096>}"));
  world_wait_no_leases (world, 2000);
}

static void
test_rules_see_what_is_asked_for (World *world,
                                  Person *alice,
                                  Person *bob)
{
  g_autoptr (Opened) opened = NULL;

  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (action.id == 'org.regiond1.read-region' && action.lookup('access') == 'r' &&"
                          "      action.lookup('mechanism') == 'proxy' && action.lookup('revocation') == 'immediate' &&"
                          "      Number(action.lookup('offset')) >= 16 && Number(action.lookup('length')) <= 32)"
                          "    return polkit.Result.YES;"
                          "  return polkit.Result.NO; });\n");
  opened = person_open (alice, "shm0", "bar2", "r", "{'offset': <uint64 16>, 'length': <uint64 32>}");
  g_free (person_open_fails (alice, DENIED, "shm0", "bar2", "r", "{'offset': <uint64 15>, 'length': <uint64 32>}"));
  g_free (person_open_fails (alice, DENIED, "shm0", "bar2", "r", "{'offset': <uint64 16>, 'length': <uint64 33>}"));
  g_free (person_open_fails (alice, DENIED, "shm0", "bar2", "rw", "{'offset': <uint64 16>, 'length': <uint64 32>}"));
  g_free (person_open_fails (alice, DENIED, "shm0", "bar2", "rm", "{}"));
}

static void
test_rules_see_what_is_taken_back (World *world,
                                   Person *alice,
                                   Person *bob)
{
  const char *const arguments = "('enough', @a{sv} {})";
  g_autoptr (Opened) part = NULL, whole = NULL;

  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (action.id != 'org.regiond1.revoke-lease' || action.lookup('mechanism') == 'proxy' &&"
                          "      action.lookup('revocation') == 'immediate' && action.lookup('access') == 'rw' &&"
                          "      action.lookup('offset') == '3' && action.lookup('length') == '4')"
                          "    return polkit.Result.YES;"
                          "  return polkit.Result.NO; });\n");
  part = person_open (alice, "shm0", "bar2", "rw", "{'offset': <uint64 3>, 'length': <uint64 4>}");
  whole = person_open (alice, "shm0", "bar2", "rw", "{}");
  g_free (person_call_fails (bob, DENIED, whole->path, LEASE_INTERFACE, "Revoke", arguments));
  g_free (person_call (bob, part->path, LEASE_INTERFACE, "Revoke", arguments));
  g_free (person_fail (alice, "ENOTCONN", "pread", part->fd, "0", NULL));
  expect (alice, "yes", "pzeros", whole->fd, NULL, NULL);
}

static void
test_shared_with_those_who_map (World *world,
                                Person *alice,
                                Person *bob)
{
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Stay) hers = stay_begin (alice, "shm0", "bar2", "rw", "{}");
  g_autoptr (Stay) his = stay_begin (bob, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Stay) third = stay_begin (carol, "shm0", "bar2", "r", "{}");

  stay_write (hers, "proxied");
  stay_expect_text (his, "proxied");
  stay_expect_text (third, "proxied");
  stay_write (his, "through a mapping");
  stay_expect_text (hers, "through a mapping");
}

/* Programs that want a path get one. */
static void
test_opened_again (World *world,
                   Person *alice,
                   Person *bob)
{
  g_autoptr (Stay) both = stay_begin (alice, "shm0", "bar2", "rw", "{}");
  g_autoptr (Stay) reader = NULL;
  g_autofree char *again = NULL, *passed = NULL;

  stay_write (both, "by a path");
  reader = stay_begin (alice, "shm0", "bar2", "r", "{}");
  expect_errno (alice, "EACCES", "open-again", reader->opened->fd, "rw", NULL);
  expect_errno (alice, "EACCES", "open-again", reader->opened->fd, "w", NULL);

  again = person_do (alice, "open-again", both->opened->fd, "r", NULL);
  expect_errno (alice, "EBADF", "pwrite", again, "0", "no");
  passed = person_pass (alice, both->opened->fd, bob);
  expect (bob, "by a path", "pread", passed, "0", NULL);
  expect_errno (bob, "EACCES", "open-again", passed, "r", NULL);
  g_free (person_do (bob, "close", passed, NULL));

  /* It is a reference like any other. */
  stay_let_go (both);
  expect (alice, "by a path", "pread", again, "0", NULL);
  world_expect_string (world, both->opened->path, LEASE_INTERFACE, "State", "active");
  g_free (person_do (alice, "close", again, NULL));
  world_wait_gone (world, both->opened->path, 2000);
}

static void
test_exclusive (World *world,
                Person *alice,
                Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "r", "{'exclusive': <true>}");

  g_free (person_open_fails (bob, ERROR ("Busy"), "shm0", "control", "r", "{}"));
  person_let_go (alice, NULL, opened->fd);
  world_wait_gone (world, opened->path, 2000);
  opened_free (person_open (bob, "shm0", "control", "r", "{}"));
  g_free (person_open_fails (alice, ERROR ("Busy"), "shm0", "bar2", "rw", "{'exclusive': <true>}"));
}

static void
test_reset_leaves_it (World *world,
                      Person *alice,
                      Person *bob)
{
  g_autoptr (Stay) hers = stay_begin (alice, "shm0", "bar2", "rw", "{}");

  g_assert_true (stay_fill (hers));
  g_free (person_call (alice, SHM0, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"));
  stay_expect_zeros (hers);
  world_expect_string (world, hers->opened->path, LEASE_INTERFACE, "State", "active");
  stay_write (hers, "and on");
  stay_expect_text (hers, "and on");
}

static void
leave (World *world,
       const char *device,
       const char *text)
{
  g_autoptr (Person) person = person_new ("alice", UID_ALICE);
  g_autoptr (Stay) stay = stay_begin (person, device, "bar2", "w", "{}");

  stay_write (stay, text);
  stay_let_go (stay);
  world_wait_no_leases (world, 2000);
}

static void
test_what_is_left_behind (World *world,
                          Person *alice,
                          Person *bob)
{
  g_autoptr (Stay) fresh = NULL, kept = NULL;

  leave (world, "shm0", "secret");
  leave (world, "kept", "kept for you");
  fresh = stay_begin (bob, "shm0", "bar2", "r", "{}");
  kept = stay_begin (bob, "kept", "bar2", "r", "{}");
  stay_expect_zeros (fresh);
  stay_expect_text (kept, "kept for you");
}

static char *
read_mounts (GPid pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/mountinfo", pid);
  char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static void
test_nobody_sees_a_mount (World *world,
                          Person *alice,
                          Person *bob)
{
  g_autofree char *before = read_mounts (world->regiond->pid);
  g_autofree char *meanwhile = NULL, *hers = NULL, *after = NULL, *killed = NULL;

  for (guint i = 0; i < 5; i++)
    opened_free (person_open (alice, "shm0", "bar2", i % 2 ? "r" : "rw", "{}"));
  g_assert_cmpuint (world_count_leases (world), ==, 5);
  meanwhile = read_mounts (world->regiond->pid);
  hers = read_mounts (alice->process->pid);
  g_assert_cmpstr (meanwhile, ==, before);
  g_assert_cmpstr (hers, ==, before);

  process_free (g_steal_pointer (&world->regiond));
  killed = read_mounts (alice->process->pid);
  g_assert_cmpstr (killed, ==, before);
  world->regiond = service_start (world->root);
  after = read_mounts (world->regiond->pid);
  g_assert_cmpstr (after, ==, before);
}

static void
test_a_client_without_room_for_an_fd (World *world,
                                      Person *alice,
                                      Person *bob)
{
  guint before;

  opened_free (person_open (bob, "shm0", "bar2", "r", "{}"));
  before = world_count_leases (world);
  g_free (person_do (alice, "no-more-fds", NULL));
  person_send_open (alice, "shm0", "bar2", "r", "{}", "");
  service_wait_log ("grant shm0:bar2 r ", "uid 2001", NULL);
  service_wait_log ("end shm0:bar2 r ", "uid 2001", NULL);
  g_assert_cmpuint (world_count_leases (world), ==, before);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/proxy/a-reader-reads-and-nothing-else", RULES_ALLOW_ALL, test_a_reader);
  scene_add ("/proxy/a-writer-writes-and-nothing-else", RULES_ALLOW_ALL, test_a_writer);
  scene_add ("/proxy/who-has-both-ends-where-the-region-ends", RULES_ALLOW_ALL, test_both);
  g_test_add_func ("/proxy/a-device-says-so", test_a_device_says_so);
  scene_add ("/proxy/revocation-at-once-can-be-demanded", RULES_ALLOW_ALL, test_revocation_at_once_can_be_demanded);
  scene_add ("/proxy/a-part-to-the-byte", RULES_ALLOW_ALL, test_a_part);
  scene_add ("/proxy/what-is-no-part-is-refused", RULES_ALLOW_ALL, test_what_is_no_part);
  scene_add ("/proxy/rules-see-what-is-asked-for", "", test_rules_see_what_is_asked_for);
  scene_add ("/proxy/rules-see-what-is-taken-back", "", test_rules_see_what_is_taken_back);
  scene_add ("/proxy/shared-with-those-who-map", RULES_ALLOW_ALL, test_shared_with_those_who_map);
  scene_add ("/proxy/opened-again-by-its-path", RULES_ALLOW_ALL, test_opened_again);
  scene_add ("/proxy/exclusive", RULES_ALLOW_ALL, test_exclusive);
  scene_add ("/proxy/a-reset-empties-it-and-leaves-it", RULES_ALLOW_ALL, test_reset_leaves_it);
  scene_add ("/proxy/what-is-left-behind", RULES_ALLOW_ALL, test_what_is_left_behind);
  scene_add ("/proxy/nobody-sees-a-mount", RULES_ALLOW_ALL, test_nobody_sees_a_mount);
  scene_add ("/proxy/a-client-without-room-for-an-fd", RULES_ALLOW_ALL, test_a_client_without_room_for_an_fd);
  return g_test_run ();
}
