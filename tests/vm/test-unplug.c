/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices.h"
#include "guest.h"

/* One with a BAR that can be mapped, of which the guest has no other. */
#define MODEL "qemu-xhci"
#define MODEL_ID "1b36:000d"

/* What the kernel waits for at the most, with the time that a slow machine takes. */
#define SOON 10000

/* Somebody who has it mapped, and sleeps. */
typedef struct
{
  Person *person;
  Opened *opened;
  char *map;
} Sleeper;

static void
sleeper_init (Sleeper *self,
              const char *address,
              const char *region)
{
  g_autofree char *id = device_id (address);

  self->person = person_new ("alice", UID_ALICE);
  self->opened = person_open (self->person, id, region, "rwm", "{}");
  self->map = person_map (self->person, self->opened->fd, "rw");
}

static void
sleeper_clear (Sleeper *self)
{
  g_free (self->map);
  opened_free (self->opened);
  person_free (self->person);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Sleeper, sleeper_clear)

static void
sleeper_expect_end (Sleeper *self)
{
  person_wait_signal (self->person, self->opened->path, "Ended ('unplugged',)");
}

/* Touching it now is the end. */
static void
sleeper_expect_bus_error (Sleeper *self)
{
  int status;

  person_send (self->person, "read", self->map, "0", NULL);
  status = process_wait (self->person->process);
  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpint (WTERMSIG (status), ==, SIGBUS);
}

static void
test_a_sleeper_does_not_hold_up_unplugging (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *address = guest_plug (MODEL, MODEL_ID);
  g_auto (Sleeper) sleeper = { NULL };
  gint64 start;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  sleeper_init (&sleeper, address, "bar0");
  start = g_get_monotonic_time ();
  guest_unplug ();
  g_test_message ("unplugged after %u ms", milliseconds_since (start));
  device_wait_gone (world, address);
  sleeper_expect_end (&sleeper);
}

static void
test_what_is_mapped_reaches_nothing_that_comes_after_it (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *neighbour = guest_find (GUEST_EDU);
  g_autofree char *path = device_path (address);
  g_autofree char *before = guest_attribute (address, "resource");
  g_autofree char *after = NULL;
  g_auto (Sleeper) sleeper = { NULL };
  gint64 start;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  sleeper_init (&sleeper, address, "bar2");

  start = g_get_monotonic_time ();
  guest_set_attribute (address, "remove", "1");
  g_assert_cmpuint (milliseconds_since (start), <, SOON);
  device_wait_gone (world, address);
  sleeper_expect_end (&sleeper);

  guest_set_attribute (neighbour, "rescan", "1");
  g_free (guest_find (GUEST_IVSHMEM));
  guest_bind (address);
  device_wait (world, address);
  g_assert_cmpuint (world_get_uint (world, path, DEVICE_INTERFACE, "Lingering"), ==, 1);

  /* The kernel may have put it elsewhere. */
  after = guest_attribute (address, "resource");
  g_test_message ("%s", g_str_equal (before, after) ? "at the same place" : "at another place");
  if (g_str_equal (before, after))
    sleeper_expect_bus_error (&sleeper);
  else
    person_kill (sleeper.person);
  world_wait_uint (world, path, DEVICE_INTERFACE, "Lingering", 0, 20000);
  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 20000);
  guest_give_back (address);
  device_wait_gone (world, address);
}

static guint16
read_command (const char *address)
{
  g_autofree char *config = g_strdup_printf ("/sys/bus/pci/devices/%s/config", address);
  int fd = open (config, O_RDONLY | O_CLOEXEC);
  guint16 command = 0xffff;

  g_assert_cmpint (pread (fd, &command, sizeof command, 4), ==, sizeof command);
  close (fd);
  return GUINT16_FROM_LE (command);
}

static gboolean
is_switched_off (gpointer data)
{
  return (read_command (data) & 7) == 0;
}

static void
test_taken_by_hand_it_is_switched_off (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autofree char *path = device_path (address);
  g_auto (Sleeper) sleeper = { NULL };
  gint64 start;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  sleeper_init (&sleeper, address, "bar0");
  g_assert_cmphex (read_command (address) & 2, ==, 2);

  start = g_get_monotonic_time ();
  guest_set_attribute (address, "driver/unbind", address);
  g_assert_cmpuint (milliseconds_since (start), <, SOON);
  device_wait_gone (world, address);
  sleeper_expect_end (&sleeper);
  wait_until (is_switched_off, address, SOON, "the device to be switched off");

  /* Bound again, its group is another one, of the same number: it is claimed. */
  guest_bind (address);
  device_wait (world, address);
  g_assert_cmpuint (world_get_uint (world, path, DEVICE_INTERFACE, "Lingering"), ==, 1);
  sleeper_expect_bus_error (&sleeper);
  world_wait_uint (world, path, DEVICE_INTERFACE, "Lingering", 0, 20000);
  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 20000);
  guest_give_back (address);
  device_wait_gone (world, address);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/unplug/a-sleeper-does-not-hold-it-up", test_a_sleeper_does_not_hold_up_unplugging);
  g_test_add_func ("/unplug/what-is-mapped-reaches-nothing-that-comes-after",
                   test_what_is_mapped_reaches_nothing_that_comes_after_it);
  g_test_add_func ("/unplug/taken-by-hand-it-is-switched-off", test_taken_by_hand_it_is_switched_off);
  return g_test_run ();
}
