/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "devices.h"
#include "guest.h"

#define MOUNT_POINT "/run/mounted"

/* A grace of one second, and what a slow machine takes. */
#define SOON 10000

static void
run (const char *command)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *errors = NULL;
  int status;

  g_spawn_command_line_sync (command, NULL, &errors, &status, &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, &error))
    g_error ("%s: %s: %s", command, error->message, errors);
}

static void
assert_driver (const char *address,
               const char *driver)
{
  g_autofree char *now = guest_driver (address);

  g_assert_cmpstr (now, ==, driver);
}

static void
test_every_device_is_bound_and_given_back (void)
{
  static const char *const devices[][2] = {
    { GUEST_IVSHMEM, NULL }, { GUEST_EDU, NULL }, { GUEST_TESTDEV, NULL }, { GUEST_NVME, "nvme" }, { GUEST_E1000E, "e1000e" },
  };
  g_autoptr (World) world = world_new ("");

  for (guint i = 0; i < G_N_ELEMENTS (devices); i++)
    {
      g_autofree char *address = guest_find (devices[i][0]);
      g_autofree char *override = NULL;

      device_bind (world, address, "{}");
      assert_driver (address, "vfio-pci");
      device_bind_fails (world, ERROR ("Busy"), address, "{}", address, "already", NULL);
      device_unbind (world, address, "{}");
      assert_driver (address, devices[i][1]);
      override = guest_attribute (address, "driver_override");
      g_assert_cmpstr (override, ==, "(null)");
    }
}

static void
test_a_restart_does_not_forget_the_driver (void)
{
  g_autofree char *address = guest_find (GUEST_NVME);
  g_autoptr (World) world = world_new ("");

  device_bind (world, address, "{}");
  process_signal (world->regiond, SIGTERM);
  process_wait (world->regiond);
  process_free (world->regiond);
  world->regiond = service_start (world->root);
  device_unbind (world, address, "{}");
  assert_driver (address, "nvme");
}

static void
test_what_cannot_be_lent_is_refused (void)
{
  g_autofree char *serial = guest_find (GUEST_SERIAL);
  g_autofree char *audio = guest_find (GUEST_AUDIO);
  g_autofree char *bridge = guest_find ("8086:2918"); /* the ISA bridge of q35 */
  g_autoptr (World) world = world_new ("");

  device_bind_fails (world, INVALID, "elephant", "{}", "'elephant'", "lspci", NULL);
  device_bind_fails (world, INVALID, "0000:00:20.0", "{}", "0000:00:20.0", NULL);
  device_bind_fails (world, INVALID, "", "{}", "PCI address", NULL);
  device_bind_fails (world, INVALID, "00:10.0", "{'frobnicate': <true>}", "frobnicate", NULL);
  device_bind_fails (world, ERROR ("NotFound"), "0000:ff:1f.7", "{}", "0000:ff:1f.7", NULL);
  device_bind_fails (world, ERROR ("NotSupported"), bridge, "{}", bridge, "bridge", NULL);
  device_bind_fails (world, ERROR ("NotIsolated"), audio, "{}", serial, "serial", "'group'", NULL);
  assert_driver (audio, NULL);
  device_unbind_fails (world, ERROR ("NotFound"), "0000:ff:1f.7", "{}", "0000_ff_1f_7", NULL);
}

static void
test_a_group_is_bound_as_a_whole (void)
{
  g_autofree char *serial = guest_find (GUEST_SERIAL);
  g_autofree char *audio = guest_find (GUEST_AUDIO);
  g_autofree char *bridge = guest_find ("1b36:000e");
  g_autofree char *driver = guest_driver (bridge);
  g_autoptr (World) world = world_new ("");

  if (driver)
    device_bind_fails (world, ERROR ("NotIsolated"), audio, "{'group': <true>}", bridge, driver, "unbind", NULL);
  device_free_bridge ();
  device_bind (world, audio, "{'group': <true>}");
  assert_driver (audio, "vfio-pci");
  assert_driver (serial, "vfio-pci");
  g_assert_true (device_is_there (world, serial));
  device_unbind (world, serial, "{}");
  assert_driver (serial, "serial");
  device_unbind (world, audio, "{}");
  assert_driver (audio, NULL);
}

static void
test_a_mounted_disk_is_left_alone (void)
{
  g_autofree char *address = guest_find (GUEST_NVME);
  g_autoptr (World) world = world_new ("");

  run ("mkfs.minix /dev/nvme0n1");
  run ("mkdir -p " MOUNT_POINT);
  run ("mount -t minix /dev/nvme0n1 " MOUNT_POINT);
  device_bind_fails (world, ERROR ("Busy"), address, "{}", address, MOUNT_POINT, "'force'", NULL);
  assert_driver (address, "nvme");
  run ("umount " MOUNT_POINT);

  run ("mkswap /dev/nvme0n1");
  run ("swapon /dev/nvme0n1");
  device_bind_fails (world, ERROR ("Busy"), address, "{}", address, "swap", "'force'", NULL);
  run ("swapoff /dev/nvme0n1");
  device_bind (world, address, "{}");
  device_unbind (world, address, "{}");
}

static void
test_the_only_link_is_left_alone (void)
{
  g_autofree char *address = guest_find (GUEST_E1000E);
  g_autofree char *folder = g_strdup_printf ("/sys/bus/pci/devices/%s/net", address);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autofree char *up = g_strdup_printf ("ip link set %s up", g_dir_read_name (dir));
  g_autoptr (World) world = world_new ("");

  run (up);
  run ("udevadm settle");
  {
    gint64 start = g_get_monotonic_time ();
    gboolean is_up = FALSE;

    while (!is_up && milliseconds_since (start) < 30000)
      {
        g_autofree char *command = g_strdup_printf ("grep -qx up %s/*/operstate", folder);
        const char *const argv[] = { "sh", "-c", command, NULL };
        int status = 1;

        g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL);
        is_up = status == 0;
      }
    g_assert_true (is_up);
  }
  device_bind_fails (world, ERROR ("Busy"), address, "{}", address, "network", "'force'", NULL);
  assert_driver (address, "e1000e");
  device_bind (world, address, "{'force': <true>}");
  device_unbind (world, address, "{}");
  assert_driver (address, "e1000e");
}

static void
test_the_screen_of_the_console_is_left_alone (void)
{
  g_autofree char *address = guest_find (GUEST_VGA);
  g_autoptr (World) world = world_new ("");

  device_bind_fails (world, ERROR ("Busy"), address, "{}", address, "graphics", "'force'", NULL);
}

static void
test_what_is_leased_is_given_back_by_force (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *id = device_id (address);
  g_autofree char *map = NULL;
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Opened) opened = NULL;
  gint64 start;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  opened = person_open (alice, id, "bar2", "rwm", "{}");
  map = person_map (alice, opened->fd, "rw");
  device_unbind_fails (world, ERROR ("Busy"), address, "{}", address, "1 lease", "'force'", NULL);
  person_expect_no_signal (alice);

  /* She sleeps on, and holds up nothing beyond her grace. */
  start = g_get_monotonic_time ();
  device_unbind (world, address, "{'force': <true>}");
  g_test_message ("given back after %u ms", milliseconds_since (start));
  g_assert_cmpuint (milliseconds_since (start), <, SOON);
  person_wait_signal (alice, opened->path, "RevokeRequested ('unplugged', 1000)");
  person_wait_signal (alice, opened->path, "Ended ('unplugged',)");
  assert_driver (address, NULL);
}

static void
test_without_leave_nothing_is_bound (void)
{
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autofree char *arguments = g_strdup_printf ("('%s', @a{sv} {})", address);
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);

  g_free (person_call_fails (alice, NEEDS_PROMPT, MANAGER_PATH, MANAGER_INTERFACE, "BindDevice", arguments));
  assert_driver (address, NULL);
}

static void
expect_bound (Person *alice,
              const char *method,
              const char *device,
              const char *options,
              gboolean allowed)
{
  g_autofree char *arguments = g_strdup_printf ("(%s, %s)", device, options);

  g_free (allowed ? person_call (alice, MANAGER_PATH, MANAGER_INTERFACE, method, arguments)
                  : person_call_fails (alice, DENIED, MANAGER_PATH, MANAGER_INTERFACE, method, arguments));
}

/* Who may bind a device may not therefore bind what is beside it, nor what the machine depends on. */
static void
test_a_rule_sees_what_is_taken_along (void)
{
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autofree char *path = device_path (address);
  g_autofree char *named = g_strdup_printf ("'%s'", address), *bound = g_strdup_printf ("objectpath '%s'", path);
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);

  world_set_rules (world, RULES_DETAILS ("{ group: 'false', force: 'false' }"));
  expect_bound (alice, "BindDevice", named, "{'group': <true>}", FALSE);
  expect_bound (alice, "BindDevice", named, "{'force': <true>}", FALSE);
  expect_bound (alice, "BindDevice", named, "@a{sv} {}", TRUE);
  assert_driver (address, "vfio-pci");
  expect_bound (alice, "UnbindDevice", bound, "{'force': <true>}", FALSE);
  expect_bound (alice, "UnbindDevice", bound, "@a{sv} {}", TRUE);
  assert_driver (address, NULL);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/bind/every-device-is-bound-and-given-back", test_every_device_is_bound_and_given_back);
  g_test_add_func ("/bind/a-restart-does-not-forget-the-driver", test_a_restart_does_not_forget_the_driver);
  /* Frees the bridge, which would be named before the others that are in the way. */
  g_test_add_func ("/bind/a-group-is-bound-as-a-whole", test_a_group_is_bound_as_a_whole);
  g_test_add_func ("/bind/what-cannot-be-lent-is-refused", test_what_cannot_be_lent_is_refused);
  g_test_add_func ("/bind/a-mounted-disk-is-left-alone", test_a_mounted_disk_is_left_alone);
  g_test_add_func ("/bind/the-only-link-is-left-alone", test_the_only_link_is_left_alone);
  g_test_add_func ("/bind/the-screen-of-the-console-is-left-alone", test_the_screen_of_the_console_is_left_alone);
  g_test_add_func ("/bind/what-is-leased-is-given-back-by-force", test_what_is_leased_is_given_back_by_force);
  g_test_add_func ("/bind/without-leave-nothing-is-bound", test_without_leave_nothing_is_bound);
  g_test_add_func ("/bind/a-rule-sees-what-is-taken-along", test_a_rule_sees_what_is_taken_along);
  return g_test_run ();
}
