/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../system/world.h"
#include "guest.h"

/* That of the kernel that run was asked for, not of what a folder happens to hold. */
static void
test_the_guest_is_as_asked (void)
{
  const char *kernel = g_getenv ("REGIOND_TEST_KERNEL");
  guint major = 7, minor = 0;

  if (sscanf (kernel, "%u.%u", &major, &minor) == 2)
    g_assert_false (guest_kernel_is_at_least (major, minor + 1));
  g_assert_true (guest_kernel_is_at_least (major, minor));
  g_assert_cmpuint (guest_cpus (), ==, atoi (g_getenv ("REGIOND_TEST_CPUS")));
}

static void
test_the_devices_are_there (void)
{
  const char *const ids[] = { GUEST_IVSHMEM, GUEST_EDU, GUEST_TESTDEV, GUEST_VGA, GUEST_NVME, GUEST_E1000E,
                              GUEST_SERIAL, GUEST_AUDIO };

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_autofree char *address = guest_find (ids[i]);

      g_assert_cmpint (guest_group (address), >=, 0);
    }
}

static void
test_each_is_bound_and_given_back (void)
{
  const char *const ids[] = { GUEST_IVSHMEM, GUEST_EDU, GUEST_TESTDEV, GUEST_NVME, GUEST_E1000E, GUEST_SERIAL };
  const char *const drivers[] = { NULL, NULL, NULL, "nvme", "e1000e", "serial" };

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_autofree char *address = guest_find (ids[i]);
      g_autofree char *before = guest_driver (address);
      g_autofree char *node = g_strdup_printf ("/dev/vfio/%d", guest_group (address));
      g_autofree char *after = NULL;

      g_assert_cmpstr (before, ==, drivers[i]);
      guest_bind (address);
      g_assert_true (g_file_test (node, G_FILE_TEST_EXISTS));
      guest_give_back (address);
      g_assert_false (g_file_test (node, G_FILE_TEST_EXISTS));
      after = guest_driver (address);
      g_assert_cmpstr (after, ==, drivers[i]);
    }
}

static void
test_neighbours_share_a_group (void)
{
  g_autofree char *serial = guest_find (GUEST_SERIAL);
  g_autofree char *audio = guest_find (GUEST_AUDIO);
  g_autofree char *alone = guest_find (GUEST_EDU);
  g_auto (GStrv) members = guest_group_members (serial);
  g_auto (GStrv) own = guest_group_members (alone);

  g_assert_cmpint (guest_group (serial), ==, guest_group (audio));
  g_assert_true (g_strv_contains ((const char *const *) members, audio));
  g_assert_true (g_strv_contains ((const char *const *) members, serial));
  g_assert_cmpuint (g_strv_length (own), ==, 1);
}

static void
test_a_device_is_plugged_in_and_out (void)
{
  g_autofree char *first = guest_find (GUEST_EDU);

  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *address = guest_plug ("edu", GUEST_EDU);
      g_auto (GStrv) left = NULL;

      g_assert_cmpstr (address, !=, first);
      guest_bind (address);
      guest_unplug ();
      left = guest_find_all (GUEST_EDU);
      g_assert_cmpuint (g_strv_length (left), ==, 1);
      g_assert_cmpstr (left[0], ==, first);
    }
}

static void
test_udev_knows_the_model (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *command = g_strdup_printf ("udevadm info --query=property /sys/bus/pci/devices/%s", address);
  g_autofree char *output = NULL;

  guest_bind (address);
  g_assert_true (g_spawn_command_line_sync (command, &output, NULL, NULL, NULL));
  guest_give_back (address);
  g_assert_nonnull (strstr (output, "ID_MODEL_FROM_DATABASE=Inter-VM shared memory"));
}

static void
test_an_ordinary_user_opens_memory (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) proxied = NULL;
  g_autofree char *map = NULL;
  g_autofree char *bytes = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  mapped = person_open (alice, "shm0", "bar2", "rwm", "{}");
  proxied = person_open (alice, "shm0", "bar2", "rw", "{}");
  world_expect_string (world, mapped->path, LEASE_INTERFACE, "Mechanism", "memfd");
  world_expect_string (world, proxied->path, LEASE_INTERFACE, "Mechanism", "proxy");
  map = person_map (alice, mapped->fd, "rw");
  person_write (alice, map, "in a guest");
  bytes = person_do (alice, "pread", proxied->fd, "0", NULL);
  g_assert_cmpstr (bytes, ==, "in a guest");
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/guest/as-asked", test_the_guest_is_as_asked);
  g_test_add_func ("/guest/devices", test_the_devices_are_there);
  g_test_add_func ("/guest/bind-and-give-back", test_each_is_bound_and_given_back);
  g_test_add_func ("/guest/group", test_neighbours_share_a_group);
  g_test_add_func ("/guest/hot-plug", test_a_device_is_plugged_in_and_out);
  g_test_add_func ("/guest/udev", test_udev_knows_the_model);
  g_test_add_func ("/guest/memory-device", test_an_ordinary_user_opens_memory);
  return g_test_run ();
}
