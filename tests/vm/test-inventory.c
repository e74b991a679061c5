/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "devices.h"
#include "guest.h"

static const char *const all[] = { GUEST_IVSHMEM, GUEST_EDU, GUEST_TESTDEV, GUEST_NVME, GUEST_E1000E };

static void
test_devices_come_and_go_with_their_driver (void)
{
  g_autoptr (World) world = world_new ("");

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      g_autofree char *address = guest_find (all[i]);

      g_assert_false (device_is_there (world, address));
      guest_bind (address);
      device_wait (world, address);
      guest_give_back (address);
      device_wait_gone (world, address);
    }
}

static void
test_what_is_bound_before_is_there_at_once (void)
{
  g_autofree char *address = guest_find (GUEST_EDU);

  guest_bind (address);
  {
    g_autoptr (World) world = world_new_without_service ("");

    world->regiond = service_start (world->root);
    g_assert_true (device_is_there (world, address));
  }
  guest_give_back (address);
}

static void
test_all_that_lspci_says_is_there (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *path = device_path (address);
  g_autofree char *description = NULL;
  g_autoptr (World) world = world_new ("");

  guest_bind (address);
  device_wait (world, address);
  world_expect_string (world, path, DEVICE_INTERFACE, "Id", address);
  world_expect_string (world, path, DEVICE_INTERFACE, "Address", address);
  world_expect_string (world, path, DEVICE_INTERFACE, "Backend", "vfio");
  world_expect_string (world, path, DEVICE_INTERFACE, "Driver", "vfio-pci");
  world_expect_string (world, path, DEVICE_INTERFACE, "State", "parked");
  g_assert_cmphex (world_get_uint (world, path, DEVICE_INTERFACE, "VendorId"), ==, 0x1af4);
  g_assert_cmphex (world_get_uint (world, path, DEVICE_INTERFACE, "DeviceId"), ==, 0x1110);
  g_assert_cmphex (world_get_uint (world, path, DEVICE_INTERFACE, "SubsystemVendorId"), ==, 0x1af4);
  g_assert_cmphex (world_get_uint (world, path, DEVICE_INTERFACE, "SubsystemId"), ==, 0x1100);
  g_assert_cmphex (world_get_uint (world, path, DEVICE_INTERFACE, "Class") >> 8, ==, 0x0500);
  description = world_get_string (world, path, DEVICE_INTERFACE, "Description");
  g_assert_nonnull (strstr (description, "Inter-VM shared memory"));
  guest_give_back (address);
  device_wait_gone (world, address);
}

static gboolean
lists (World *world,
       const char *path,
       const char *member)
{
  g_autoptr (GVariant) value = world_get (world, path, DEVICE_INTERFACE, "GroupDevices");
  g_autofree const char **members = g_variant_get_strv (value, NULL);

  return g_strv_contains (members, member);
}

static void
test_who_shares_a_group_is_named (void)
{
  g_autofree char *serial = guest_find (GUEST_SERIAL);
  g_autofree char *audio = guest_find (GUEST_AUDIO);
  g_autofree char *path = device_path (audio);
  g_autofree char *id = device_id (audio);
  g_autofree char *message = NULL;
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);

  world_set_rules (world, RULES_ALLOW_ALL);
  device_free_bridge ();
  guest_bind (audio);
  device_wait (world, audio);
  g_assert_true (lists (world, path, serial));
  g_assert_true (lists (world, path, audio));
  world_expect_string (world, path, DEVICE_INTERFACE, "State", "parked");

  /* The serial port has its own driver. */
  message = person_open_fails (alice, ERROR ("NotIsolated"), id, "config", "r", "{}");
  g_assert_nonnull (strstr (message, serial));
  world_expect_string (world, path, DEVICE_INTERFACE, "State", "parked");

  guest_bind (serial);
  device_wait (world, serial);
  {
    g_autoptr (Opened) opened = person_open (alice, id, "config", "r", "{}");

    person_let_go (alice, NULL, opened->fd);
  }
  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 20000);
  guest_give_back (serial);
  guest_give_back (audio);
}

static void
test_plugged_in_again_it_is_another_device (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);

  world_set_rules (world, RULES_ALLOW_ALL);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *address = guest_plug ("rtl8139", "10ec:8139");
      g_autofree char *id = device_id (address);
      g_autofree char *path = device_path (address);
      g_autoptr (Opened) opened = NULL;

      guest_bind (address);
      device_wait (world, address);
      g_assert_cmpuint (world_get_uint (world, path, DEVICE_INTERFACE, "Lingering"), ==, 0);
      opened = person_open (alice, id, "config", "r", "{}");
      person_let_go (alice, NULL, opened->fd);
      world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 20000);
      guest_unplug ();
      device_wait_gone (world, address);
    }
}

/* Not as if it had no file, by which it may not be had so easily. */
static void
test_a_device_whose_file_has_a_mistake_is_left_out (void)
{
  g_autofree char *faulty = guest_find (GUEST_IVSHMEM);
  g_autofree char *other = guest_find (GUEST_EDU);
  g_autoptr (World) world = world_new_without_service ("");

  service_configure_device ("ring.conf", "[Device]\nBackend=vfio\nMatch=" GUEST_IVSHMEM "\nMinimumRevocation=imediate\n");
  guest_bind (other);
  world->regiond = service_start (world->root);
  device_bind_fails (world, ERROR ("Failed"), faulty, "{}", "ring.conf", "imediate", NULL);
  guest_bind (faulty);
  service_wait_log (faulty, "left out", "ring.conf", NULL);
  g_assert_false (device_is_there (world, faulty));
  g_assert_true (device_is_there (world, other));
  guest_give_back (faulty);
  guest_give_back (other);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/inventory/devices-come-and-go-with-their-driver", test_devices_come_and_go_with_their_driver);
  g_test_add_func ("/inventory/what-is-bound-before-is-there-at-once", test_what_is_bound_before_is_there_at_once);
  g_test_add_func ("/inventory/all-that-lspci-says-is-there", test_all_that_lspci_says_is_there);
  g_test_add_func ("/inventory/who-shares-a-group-is-named", test_who_shares_a_group_is_named);
  g_test_add_func ("/inventory/plugged-in-again-it-is-another-device", test_plugged_in_again_it_is_another_device);
  g_test_add_func ("/inventory/a-device-whose-file-has-a-mistake-is-left-out", test_a_device_whose_file_has_a_mistake_is_left_out);
  return g_test_run ();
}
