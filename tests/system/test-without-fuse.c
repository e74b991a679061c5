/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "stay.h"
#include "world.h"

static World *
world_new_wrapped (const char *const *wrapper)
{
  World *world = world_new_without_service ("");

  world->regiond = service_start_wrapped (world->root, wrapper);
  world_set_rules (world, RULES_ALLOW_ALL);
  return world;
}

static void
expect_mechanisms (World *world,
                   const char *const *expected)
{
  g_autoptr (GVariant) regions = world_get (world, SHM0, DEVICE_INTERFACE, "Regions");
  g_autoptr (GVariant) bar2 = g_variant_lookup_value (regions, "bar2", NULL);
  g_autofree const char **mechanisms = NULL;

  g_assert_true (g_variant_lookup (bar2, "mechanisms", "^a&s", &mechanisms));
  g_assert_true (g_strv_equal (mechanisms, expected));
}

/* It says why, at the start and to everybody who asks; what needs no FUSE is there. */
static void
expect_mappings_only (World *world,
                      const char *reason)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  const char *const memfd[] = { "memfd", NULL };
  const char *const accesses[] = { "r", "w", "rw" };
  g_autoptr (Stay) mapped = NULL;

  service_wait_log ("WARNING", "FUSE", reason, NULL);
  expect_mechanisms (world, memfd);
  for (guint i = 0; i < G_N_ELEMENTS (accesses); i++)
    {
      g_autofree char *message =
        person_open_fails (alice, ERROR ("NotSupported"), "shm0", "bar2", accesses[i], "{}");

      g_assert_nonnull (strstr (message, reason));
      g_assert_nonnull (strstr (message, "'rm'"));
    }
  g_free (person_open_fails (alice, ERROR ("NotSupported"), "shm0", "bar2", "r", "{'offset': <uint64 8>}"));
  mapped = stay_begin (alice, "shm0", "bar2", "rwm", "{}");
  stay_write (mapped, "as ever");
  stay_expect_text (mapped, "as ever");
}

static void
test_no_device (void)
{
  const char *const wrapper[] = { "/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
                                  "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec \"$@\"", "sh",
                                  NULL };
  g_autoptr (World) world = world_new_wrapped (wrapper);

  expect_mappings_only (world, "Cannot open /dev/fuse: No such file or directory");
}

static void
test_no_permission (void)
{
  const char *const wrapper[] = { "/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs",
                                  NULL };
  g_autoptr (World) world = world_new_wrapped (wrapper);

  expect_mappings_only (world, "Cannot mount a FUSE file system: Operation not permitted");
}

static void
test_no_new_mounts (void)
{
  const char *const wrapper[] = { g_getenv ("REGIOND_TEST_STARVE"), "mounts", NULL };
  g_autoptr (World) world = world_new_wrapped (wrapper);

  expect_mappings_only (world, "Cannot mount a FUSE file system: Function not implemented");
}

/* The capability that the unit leaves it, and no other, is enough for all it does. */
static void
test_one_capability (void)
{
  const char *const wrapper[] = { "/usr/bin/setpriv", "--bounding-set=-all,+sys_admin", "--inh-caps=-all",
                                  "--no-new-privs", NULL };
  g_autoptr (World) world = world_new_wrapped (wrapper);
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  const char *const both[] = { "memfd", "proxy", NULL };
  const char *const accesses[] = { "r", "w", "rm" };
  g_autoptr (Stay) hers = NULL;
  g_autoptr (Stay) his = NULL;
  g_autofree char *again = NULL;

  expect_mechanisms (world, both);
  for (guint i = 0; i < G_N_ELEMENTS (accesses); i++)
    opened_free (person_open (alice, "shm0", "bar2", accesses[i], "{}"));
  hers = stay_begin (alice, "shm0", "bar2", "rw", "{}");
  his = stay_begin (bob, "shm0", "bar2", "rwm", "{}");
  stay_write (hers, "confined");
  stay_expect_text (his, "confined");
  again = person_do (alice, "open-again", hers->opened->fd, "rw", NULL);
  g_free (person_call (bob, hers->opened->path, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  stay_expect_cut_off (hers, NULL);
  g_free (person_call (alice, SHM0, DEVICE_INTERFACE, "Verify", "({'timeout': <uint32 2000>},)"));
  person_kill (alice);
  person_kill (bob);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  world_wait_no_leases (world, 2000);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/without-fuse/no-device", test_no_device);
  g_test_add_func ("/without-fuse/no-permission-to-mount", test_no_permission);
  g_test_add_func ("/without-fuse/a-kernel-without-new-mounts", test_no_new_mounts);
  g_test_add_func ("/without-fuse/one-capability-is-enough", test_one_capability);
  return g_test_run ();
}
