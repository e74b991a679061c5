/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two devices in one IOMMU group, which the IOMMU does not keep apart. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

#define SOON 20000

/* Nobody has the group: who opens it gets it. */
static gboolean
is_free (gpointer data)
{
  g_autofree char *node = g_strdup_printf ("/dev/vfio/%d", guest_group (data));
  int fd = open (node, O_RDWR | O_CLOEXEC);

  if (fd < 0)
    {
      g_assert_cmpint (errno, ==, EBUSY);
      return FALSE;
    }
  close (fd);
  return TRUE;
}

static void
expect_busy (Person *person,
             const char *device,
             const char *options,
             const char *neighbour)
{
  g_autofree char *why = person_open_fails (person, ERROR ("Busy"), device, "config", "r", options);

  g_assert_nonnull (strstr (why, neighbour));
}

/* Held from the first lease on either to the last, and by one user at a time. */
static void
test_the_group_is_held_for_both (void)
{
  g_autofree char *serial = guest_find (GUEST_SERIAL);
  g_autofree char *serial_id = device_id (serial);
  g_autofree char *serial_path = device_path (serial);
  g_autoptr (Bench) bench = NULL;
  g_autoptr (Person) again = NULL;
  g_autoptr (Opened) audio_lease = NULL;
  g_autoptr (Opened) serial_lease = NULL;
  g_autoptr (Opened) his = NULL;

  device_free_bridge ();
  guest_bind (serial);
  bench = bench_new (GUEST_AUDIO);
  device_wait (bench->world, serial);
  g_assert_true (is_free (bench->address));

  audio_lease = person_open (bench->alice, bench->id, "config", "r", "{}");
  serial_lease = person_open (bench->alice, serial_id, "config", "r", "{}");
  g_assert_false (is_free (bench->address));
  expect_busy (bench->bob, serial_id, "{}", bench->address);
  person_let_go (bench->alice, NULL, audio_lease->fd);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);

  /* The one that is left keeps both from others, and from being had alone. */
  g_assert_false (is_free (bench->address));
  g_free (person_do (bench->alice, "pcount", serial_lease->fd, "0", "4", NULL));
  expect_busy (bench->bob, bench->id, "{}", serial);
  again = person_new ("alice", UID_ALICE);
  expect_busy (again, bench->id, "{'exclusive': <true>}", serial);

  person_let_go (bench->alice, NULL, serial_lease->fd);
  world_wait_string (bench->world, serial_path, DEVICE_INTERFACE, "State", "parked", SOON);
  wait_until (is_free, bench->address, SOON, "the group to be let go of");
  his = person_open (bench->bob, serial_id, "config", "r", "{}");
  person_let_go (bench->bob, NULL, his->fd);
  world_wait_string (bench->world, serial_path, DEVICE_INTERFACE, "State", "parked", SOON);
  guest_give_back (serial);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/neighbours/group-is-held-for-both", test_the_group_is_held_for_both);
  return g_test_run ();
}
