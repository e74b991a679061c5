/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices.h"
#include "guest.h"

/* Of an nvme: what a reset clears, and nobody else writes (AQA). */
#define REGISTER (0x24 / 4)
#define MARK 0x00030003

static void
crash (World *world)
{
  process_signal (world->regiond, SIGKILL);
  process_wait (world->regiond);
  process_free (world->regiond);
  world->regiond = NULL;
}

static void
start_again (World *world)
{
  world->regiond = service_start (world->root);
}

/* The person touches a mapping that has been cut. */
static void
expect_bus_error (Person *person,
                  const char *map)
{
  int status;

  person_send (person, "read", map, "0", NULL);
  status = process_wait (person->process);
  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpint (WTERMSIG (status), ==, SIGBUS);
}

static void
test_what_a_crash_has_left_is_cut_and_lent_when_it_is_gone (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *id = device_id (address);
  g_autofree char *path = device_path (address);
  g_autofree char *map = NULL;
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) opened = NULL;
  g_autoptr (Opened) later = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  opened = person_open (alice, id, "bar2", "rwm", "{}");
  map = person_map (alice, opened->fd, "rw");
  person_write (alice, map, "before");
  crash (world);
  person_expect_text (alice, map, "before");

  start_again (world);
  g_assert_cmpuint (world_get_uint (world, path, DEVICE_INTERFACE, "Lingering"), ==, 1);
  g_free (person_open_fails (bob, ERROR ("Lingering"), id, "bar2", "rwm", "{}"));
  expect_bus_error (alice, map);

  world_wait_uint (world, path, DEVICE_INTERFACE, "Lingering", 0, 20000);
  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 20000);
  device_wait_mappable (world, address);
  later = person_open (bob, id, "bar2", "rwm", "{}");
  person_let_go (bob, NULL, later->fd);
  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 20000);
  device_unbind (world, address, "{}");
}

/* Its first BAR, decoded, as the test's own. */
static volatile guint32 *
map_disk (const char *address)
{
  g_autofree char *folder = g_strdup_printf ("/sys/bus/pci/devices/%s", address);
  g_autofree char *bar = g_build_filename (folder, "resource0", NULL);
  g_autofree char *config = g_build_filename (folder, "config", NULL);
  guint16 command = GUINT16_TO_LE (2);
  int fd;
  void *at;

  guest_set_attribute (address, "power/control", "on");
  fd = open (config, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (pwrite (fd, &command, sizeof command, 4), ==, sizeof command);
  close (fd);
  fd = open (bar, O_RDWR | O_CLOEXEC);
  at = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close (fd);
  g_assert_true (at != MAP_FAILED);
  return at;
}

/* A mapping that was cut gives EFAULT to the kernel, where it would give SIGBUS to the test. */
static gboolean
is_mapped (volatile guint32 *word)
{
  int fds[2];
  gssize written;

  g_assert_cmpint (pipe (fds), ==, 0);
  written = write (fds[1], (const void *) word, sizeof *word);
  close (fds[0]);
  close (fds[1]);
  return written == sizeof *word;
}

static void
test_what_was_not_lent_is_not_touched (void)
{
  g_autofree char *address = guest_find (GUEST_EDU);
  g_autofree char *disk = guest_find (GUEST_NVME);
  g_autofree char *id = device_id (address);
  g_autofree char *disk_id = device_id (disk);
  g_autofree char *disk_path = device_path (disk);
  g_autofree char *map = NULL;
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) opened = NULL;
  g_autoptr (Opened) proxied = NULL;
  volatile guint32 *registers;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  device_bind (world, disk, "{}");
  registers = map_disk (disk);
  registers[REGISTER] = MARK;
  g_assert_cmphex (registers[REGISTER], ==, MARK);

  opened = person_open (alice, id, "bar0", "rwm", "{}");
  map = person_map (alice, opened->fd, "rw");
  crash (world);
  start_again (world);
  expect_bus_error (alice, map);

  /* Neither claimed nor reset; its first lease does the one, and would do the other. */
  g_assert_true (is_mapped (&registers[REGISTER]));
  g_assert_cmphex (registers[REGISTER], ==, MARK);
  proxied = person_open (bob, disk_id, "config", "r", "{}");
  g_assert_false (is_mapped (&registers[REGISTER]));
  person_let_go (bob, NULL, proxied->fd);
  munmap ((void *) registers, 4096);
  world_wait_string (world, disk_path, DEVICE_INTERFACE, "State", "parked", 20000);
  device_unbind (world, disk, "{'force': <true>}");
  device_unbind (world, address, "{'force': <true>}");
}

static void
test_nothing_left_after_a_crash_is_forgotten (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *id = device_id (address);
  g_autofree char *path = device_path (address);
  g_autofree char *record = g_strdup_printf ("/run/regiond/lent/%s", address);
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Opened) opened = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  opened = person_open (alice, id, "bar2", "rm", "{}");
  g_assert_true (g_file_test (record, G_FILE_TEST_EXISTS));
  crash (world);
  person_kill (alice);

  /* The kernel's news of it comes late (mechanisms/witness.h). */
  g_usleep (G_USEC_PER_SEC);
  start_again (world);
  g_assert_cmpuint (world_get_uint (world, path, DEVICE_INTERFACE, "Lingering"), ==, 0);
  world_expect_string (world, path, DEVICE_INTERFACE, "State", "parked");
  g_assert_false (g_file_test (record, G_FILE_TEST_EXISTS));
  device_unbind (world, address, "{}");
}

/* The service is back before the kernel's news of that is. */
static void
test_who_dies_with_the_service_holds_up_nobody (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *id = device_id (address);
  g_autofree char *path = device_path (address);
  g_autofree char *record = g_strdup_printf ("/run/regiond/lent/%s", address);
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) opened = NULL, later = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  opened = person_open (alice, id, "bar2", "rwm", "{}");
  crash (world);
  person_kill (alice);
  start_again (world);
  world_wait_uint (world, path, DEVICE_INTERFACE, "Lingering", 0, 20000);
  device_wait_mappable (world, address);
  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 20000);
  later = person_open (bob, id, "bar2", "rwm", "{}");
  person_let_go (bob, NULL, later->fd);
  world_wait_string (world, path, DEVICE_INTERFACE, "State", "parked", 20000);
  g_assert_false (g_file_test (record, G_FILE_TEST_EXISTS));
  device_unbind (world, address, "{}");
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/crash/what-is-left-is-cut-and-lent-when-it-is-gone",
                   test_what_a_crash_has_left_is_cut_and_lent_when_it_is_gone);
  g_test_add_func ("/crash/what-was-not-lent-is-not-touched", test_what_was_not_lent_is_not_touched);
  g_test_add_func ("/crash/who-dies-with-the-service-holds-up-nobody", test_who_dies_with_the_service_holds_up_nobody);
  g_test_add_func ("/crash/nothing-left-is-forgotten", test_nothing_left_after_a_crash_is_forgotten);
  return g_test_run ();
}
