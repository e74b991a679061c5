/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"
#include "hang.h"

/* Of an nvme: what a reset clears, and nobody else writes (INTMS, which interrupts are masked). */
#define REGISTER (0xc / 4)
#define MARK 0x00030003

/* Of an e1000e: what opening and closing it leaves (VET), and the size of its first BAR. */
#define E1000E_REGISTER (0x38 / 4)
#define E1000E_MARK "0x1234"
#define E1000E_SIZE "131072"

#define SOON 20000

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

/* It is not lent again, since what its file demands is not known; what was lent is taken all the same. */
static void
test_what_a_crash_has_left_is_cut_of_a_device_that_is_left_out (void)
{
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *id = device_id (address);
  g_autofree char *map = NULL;
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Opened) opened = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  device_bind (world, address, "{}");
  opened = person_open (alice, id, "bar2", "rwm", "{}");
  map = person_map (alice, opened->fd, "rw");
  crash (world);
  service_configure_device ("ring.conf", "[Device]\nBackend=vfio\nMatch=" GUEST_IVSHMEM "\nColour=red\n");
  start_again (world);
  g_assert_false (device_is_there (world, address));
  expect_bus_error (alice, map);
  /* Nobody else is to have that file. */
  crash (world);
  guest_give_back (address);
}

/* Its first BAR, decoded, as the test's own. */
static volatile guint32 *
map_registers (const char *address)
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
  registers = map_registers (disk);
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

/* A load does not come back with anything: the mapping was taken, and is not just dark. */
static gboolean
is_taken (gpointer data)
{
  Person *person = data;
  guint serial = person_send (person, "load", "0", "0", "4", NULL);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) value = person_finish (person, serial, &error);

  return value == NULL && strstr (error->message, "SIGBUS") != NULL;
}

/* Whose group it is then is let be, until he lets go. */
static void
test_what_is_somebody_elses_is_claimed_when_he_lets_go (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar2", "rwm", "{}");
  g_autofree char *map = person_do (bench->alice, "map-bar", opened->fd, "rw", "4194304", NULL);
  g_autofree char *node = g_strdup_printf ("/dev/vfio/%d", guest_group (bench->address));
  int group;

  g_assert_cmpstr (map, ==, "0");
  crash (bench->world);
  group = open (node, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (group, >=, 0);
  start_again (bench->world);
  g_assert_cmpuint (world_get_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering"), ==, 1);
  g_usleep (2 * G_USEC_PER_SEC);
  g_assert_false (is_taken (bench->alice));
  g_free (person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, "config", "r", "{}"));

  close (group);
  wait_until (is_taken, bench->alice, SOON, "what was lent is taken");
  person_kill (bench->alice);
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
}

/* A device that keeps its state when it is opened and closed. */
static void
test_what_was_left_in_it_is_not_lent_again (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_E1000E);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  g_autofree char *map = person_do (bench->alice, "map-bar", opened->fd, "rw", E1000E_SIZE, NULL);
  g_autofree char *hers = NULL, *his = NULL, *his_map = NULL;
  g_autoptr (Opened) later = NULL;
  volatile guint32 *registers;

  g_free (person_do (bench->alice, "store", map, "56", E1000E_MARK, NULL));
  hers = person_do (bench->alice, "load", map, "56", "4", NULL);
  g_assert_cmpstr (hers, ==, E1000E_MARK);
  crash (bench->world);
  start_again (bench->world);
  person_kill (bench->alice);
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);

  /* It has been reset, and is once more for its first lease. */
  registers = map_registers (bench->address);
  g_assert_cmphex (registers[E1000E_REGISTER], !=, 0x1234);
  registers[E1000E_REGISTER] = 0x1234;
  g_assert_cmphex (registers[E1000E_REGISTER], ==, 0x1234);
  later = person_open (bench->bob, bench->id, "bar0", "rwm", "{}");
  his_map = person_do (bench->bob, "map-bar", later->fd, "rw", E1000E_SIZE, NULL);
  his = person_do (bench->bob, "load", his_map, "56", "4", NULL);
  g_assert_cmpstr (his, !=, E1000E_MARK);
  munmap ((void *) registers, 4096);
}

/* The service starts, and serves what does not hang. */
static void
test_a_device_that_hangs (void)
{
  g_autofree char *other = guest_find (GUEST_IVSHMEM);
  g_autofree char *other_id = device_id (other);
  g_autoptr (Bench) bench = bench_new (GUEST_E1000E);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  g_autofree char *map = person_do (bench->alice, "map-bar", opened->fd, "rw", E1000E_SIZE, NULL);
  g_autofree char *seen = NULL;
  g_autoptr (Opened) mapped = NULL;
  Hang hang;

  device_bind (bench->world, other, "{}");
  g_free (person_do (bench->alice, "store", map, "56", E1000E_MARK, NULL));
  crash (bench->world);
  hang_start (&hang, bench->address, "power/control");
  start_again (bench->world);
  mapped = person_open (bench->bob, other_id, "bar2", "rwm", "{}");
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "failed", SOON);

  /* It is not claimed, and does not decode. */
  seen = person_do (bench->alice, "load", map, "56", "4", NULL);
  g_assert_cmpstr (seen, !=, E1000E_MARK);
  person_let_go (bench->bob, NULL, mapped->fd);
  hang_end (&hang, NULL);
  person_kill (bench->alice);
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  device_mend (bench->world, bench->address);
  device_unbind (bench->world, other, "{'force': <true>}");
}

/* The reset is by flr alone while it lasts. */
static gboolean
is_narrow (gpointer address)
{
  g_autofree char *methods = guest_attribute (address, "reset_method");

  return g_strcmp0 (methods, "flr") == 0;
}

static gboolean
is_wide (gpointer address)
{
  g_autofree char *methods = guest_attribute (address, "reset_method");

  return g_strcmp0 (methods, "flr bus") == 0;
}

static void
test_killed_in_a_reset (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_NVME);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{'exclusive': <true>}");
  Hang hang;

  hang_start (&hang, bench->address, "reset");
  person_send (bench->alice, "call", bench->path, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)", "", NULL);
  wait_until (is_narrow, bench->address, SOON, "it is being reset");
  crash (bench->world);
  hang_stop (&hang);
  person_kill (bench->alice);
  g_assert_true (is_narrow (bench->address));
  start_again (bench->world);
  wait_until (is_wide, bench->address, SOON, "the methods are what they were");
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/crash/what-is-left-is-cut-and-lent-when-it-is-gone",
                   test_what_a_crash_has_left_is_cut_and_lent_when_it_is_gone);
  g_test_add_func ("/crash/what-is-left-is-cut-of-a-device-that-is-left-out",
                   test_what_a_crash_has_left_is_cut_of_a_device_that_is_left_out);
  g_test_add_func ("/crash/what-was-not-lent-is-not-touched", test_what_was_not_lent_is_not_touched);
  g_test_add_func ("/crash/who-dies-with-the-service-holds-up-nobody", test_who_dies_with_the_service_holds_up_nobody);
  g_test_add_func ("/crash/what-is-somebody-elses-is-claimed-when-he-lets-go",
                   test_what_is_somebody_elses_is_claimed_when_he_lets_go);
  g_test_add_func ("/crash/what-was-left-in-it-is-not-lent-again", test_what_was_left_in_it_is_not_lent_again);
  g_test_add_func ("/crash/device-that-hangs-holds-up-neither-others-nor-the-service", test_a_device_that_hangs);
  g_test_add_func ("/crash/killed-in-a-reset-its-methods-are-what-they-were", test_killed_in_a_reset);
  g_test_add_func ("/crash/nothing-left-is-forgotten", test_nothing_left_after_a_crash_is_forgotten);
  return g_test_run ();
}
