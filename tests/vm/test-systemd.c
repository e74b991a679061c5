/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../system/world.h"
#include "devices.h"
#include "guest.h"

/*
 * regiond as the unit runs it, started by the first call: in its sandbox, under a
 * real systemd, with the machine's own bus and polkitd. The cases are in order: the
 * last one takes away what cannot be brought back.
 */
#define RULES \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id == 'org.regiond1.delegate' && action.lookup('target_unit') != 'worker.service')" \
  "    return polkit.Result.NO;" \
  "  if (action.id.indexOf('org.regiond1.') == 0 && subject.isInGroup('regions')) return polkit.Result.YES; });\n"
#define SHM0_CONF "[Device]\nBackend=memory\n[Region bar2]\nSize=1M\n"
#define SOON 20000
/* nvme's interrupt mask: it keeps what is written until it is reset. */
#define NVME_INTMS 0x0c

/* The bus and nothing else: what there is is systemd's. */
static World machine;

static char *
output_of (const char *format,
           ...)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *command = NULL;
  char *output = NULL;
  va_list args;
  int status;

  va_start (args, format);
  command = g_strdup_vprintf (format, args);
  va_end (args);
  g_spawn_command_line_sync (command, &output, NULL, &status, &error);
  g_assert_no_error (error);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
  return g_strchomp (output);
}

static char *
unit_property (const char *name)
{
  return output_of ("systemctl show --value --property %s regiond.service", name);
}

static void
expect_unit (const char *name,
             const char *value)
{
  g_autofree char *found = unit_property (name);

  g_assert_cmpstr (found, ==, value);
}

static GPid
main_pid (void)
{
  g_autofree char *number = unit_property ("MainPID");

  return atoi (number);
}

/* What regiond itself has told since it was started first, from warnings on. */
static char *
read_warnings (void)
{
  g_free (output_of ("journalctl --sync"));
  return output_of ("journalctl --quiet --output=cat --priority=warning _SYSTEMD_UNIT=regiond.service");
}

static void
bind_as (Person *person,
         const char *address)
{
  g_autofree char *arguments = g_strdup_printf ("('%s', @a{sv} {})", address);
  g_autofree char *driver = NULL;

  g_free (person_call (person, MANAGER_PATH, MANAGER_INTERFACE, "BindDevice", arguments));
  driver = guest_driver (address);
  g_assert_cmpstr (driver, ==, "vfio-pci");
}

static void
unbind_as (Person *person,
           const char *address,
           const char *former)
{
  g_autofree char *path = device_path (address);
  g_autofree char *arguments = g_strdup_printf ("(objectpath '%s', @a{sv} {})", path);
  g_autofree char *driver = NULL;

  world_wait_string (&machine, path, DEVICE_INTERFACE, "State", "parked", SOON);
  g_free (person_call (person, MANAGER_PATH, MANAGER_INTERFACE, "UnbindDevice", arguments));
  driver = guest_driver (address);
  g_assert_cmpstr (driver, ==, former);
}

static void
release (Person *person,
         Opened *opened)
{
  g_free (person_call (person, opened->path, LEASE_INTERFACE, "Release", "()"));
  g_free (person_do (person, "close", opened->fd, NULL));
}

static guint32
read_word (Person *person,
           Opened *opened,
           off_t offset)
{
  int fd = person_give (person, opened->fd);
  guint32 word;

  g_assert_cmpint (pread (fd, &word, sizeof word, offset), ==, sizeof word);
  close (fd);
  return word;
}

/* Whoever touches a mapping that was taken from him dies of it. */
static void
expect_cut (Person *person,
            const char *mapping)
{
  int status;

  person_send (person, "read", mapping, "0", NULL);
  status = process_wait (person->process);
  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpint (WTERMSIG (status), ==, SIGBUS);
}

static void
test_the_first_call_starts_it (void)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) stranger = person_new ("witness", UID_WITNESS);
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) proxied = NULL;
  g_autofree char *mapping = NULL;
  g_autofree char *text = NULL;

  expect_unit ("ActiveState", "inactive");
  mapped = person_open (alice, "shm0", "bar2", "rwm", "{}");
  expect_unit ("ActiveState", "active");
  proxied = person_open (alice, "shm0", "bar2", "rw", "{}");
  world_expect_string (&machine, mapped->path, LEASE_INTERFACE, "Mechanism", "memfd");
  world_expect_string (&machine, proxied->path, LEASE_INTERFACE, "Mechanism", "proxy");
  mapping = person_map (alice, mapped->fd, "rw");
  person_write (alice, mapping, "under systemd");
  text = person_do (alice, "pread", proxied->fd, "0", NULL);
  g_assert_cmpstr (text, ==, "under systemd");
  g_free (person_open_fails (stranger, NEEDS_PROMPT, "shm0", "bar2", "rw", "{}"));
}

static void
test_a_device_is_bound_and_mapped (void)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *id = device_id (address);
  g_autofree char *mapping = NULL;
  g_autoptr (Opened) bar = NULL;
  g_autoptr (Opened) config = NULL;

  bind_as (alice, address);
  bar = person_open (alice, id, "bar2", "rwm", "{'revocation': <'immediate'>}");
  config = person_open (alice, id, "config", "r", "{}");
  world_expect_string (&machine, bar->path, LEASE_INTERFACE, "Mechanism", "bar");
  mapping = person_map (alice, bar->fd, "rw");
  person_write (alice, mapping, "in the device");
  person_expect_text (alice, mapping, "in the device");
  g_assert_cmphex (read_word (alice, config, 0), ==, 0x11101af4);
  g_free (person_do (alice, "unmap", mapping, NULL));
  release (alice, bar);
  release (alice, config);
  unbind_as (alice, address, NULL);
}

static void
test_a_disk_is_reset_and_given_back (void)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autofree char *address = guest_find (GUEST_NVME);
  g_autofree char *id = device_id (address);
  g_autofree char *path = device_path (address);
  g_autoptr (Opened) registers = NULL;
  const guint32 mask = 0x5a5a5a5a;
  int fd;

  bind_as (alice, address);
  registers = person_open (alice, id, "bar0", "rw", "{'exclusive': <true>}");
  fd = person_give (alice, registers->fd);
  g_assert_cmpint (pwrite (fd, &mask, sizeof mask, NVME_INTMS), ==, sizeof mask);
  g_assert_cmphex (read_word (alice, registers, NVME_INTMS), ==, mask);
  g_free (person_call (alice, path, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"));
  g_assert_cmphex (read_word (alice, registers, NVME_INTMS), ==, 0);
  close (fd);
  release (alice, registers);
  unbind_as (alice, address, "nvme");
}

/* The sandbox lets it see that no mapping has escaped: else the device would stay switched off. */
static void
test_a_neighbour_goes_on_after_a_cut (void)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *id = device_id (address);
  g_autofree char *mapping = NULL;
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) proxied = NULL;
  g_autofree char *text = NULL;

  bind_as (alice, address);
  mapped = person_open (alice, id, "bar2", "rwm", "{}");
  proxied = person_open (bob, id, "bar2", "rw", "{}");
  mapping = person_map (alice, mapped->fd, "rw");
  person_write (alice, mapping, "cut, and lent on");
  g_variant_unref (world_call (&machine, mapped->path, LEASE_INTERFACE, "Revoke",
                               g_variant_new_parsed ("('', @a{sv} {})")));
  text = person_do (bob, "pread", proxied->fd, "0", NULL);
  g_assert_cmpstr (text, ==, "cut, and lent on");
  expect_cut (alice, mapping);
  release (bob, proxied);
  unbind_as (bob, address, NULL);
}

#define PRODUCER "/run/systemd/system/producer.service"

/* As docs/containers.md has it: a service of alice's is started with its region. */
static void
test_a_service_is_given_its_region (void)
{
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) kept = person_open (bob, "shm0", "bar2", "rwm", "{}");
  g_autofree char *mapping = person_map (bob, kept->fd, "rw");
  g_autofree char *unit = NULL;

  unit = g_strdup_printf ("[Service]\nType=oneshot\nUser=alice\n"
                          "ExecStart=/usr/bin/regionctl --no-ask-password exec shm0:bar2:rwm=ring -- "
                          "%s ring from-a-unit\n", g_getenv ("REGIOND_TEST_LISTENER"));
  g_assert_cmpint (g_mkdir_with_parents ("/run/systemd/system", 0755), ==, 0);
  sandbox_write (PRODUCER, unit);
  g_free (output_of ("systemctl daemon-reload"));
  g_free (output_of ("systemctl start producer.service"));
  person_expect_text (bob, mapping, "from-a-unit");
  g_free (person_do (bob, "unmap", mapping, NULL));
  release (bob, kept);
  g_unlink (PRODUCER);
}

#define DETACH "{'bind-to': <handle 0>, 'detach': <true>}"

/* An agent may open for one service of bob's, and for no other process of his. */
static void
test_a_region_is_tied_to_a_service (void)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) opened = NULL;
  g_autofree char *stranger = person_take_pidfd (alice, bob->process->pid);
  g_autofree char *number = NULL, *worker = NULL, *why = NULL;

  /* Started is that it is bob's. */
  g_free (output_of ("systemd-run --quiet --unit=worker --uid=bob --property=Type=exec sleep infinity"));
  number = output_of ("systemctl show --value --property MainPID worker.service");
  worker = person_take_pidfd (alice, atoi (number));
  why = person_finish_failure (alice, person_send_open (alice, "shm0", "bar2", "rwm", DETACH, stranger), DENIED);
  g_assert_nonnull (strstr (why, "org.regiond1.delegate"));
  opened = person_finish_open (alice, person_send_open (alice, "shm0", "bar2", "rwm", DETACH, worker));
  g_assert_cmpuint (world_get_uint (&machine, opened->path, LEASE_INTERFACE, "Uid"), ==, UID_BOB);
  g_free (output_of ("systemctl stop worker.service"));
  world_wait_string (&machine, opened->path, LEASE_INTERFACE, "State", "lingering", SOON);
  /* Without her copy it would have ended by itself. */
  g_free (person_do (alice, "close", opened->fd, NULL));
  world_wait_gone (&machine, opened->path, SOON);
}

static void
test_nothing_is_wrong_in_the_journal (void)
{
  g_autofree char *warnings = read_warnings ();

  g_assert_cmpstr (warnings, ==, "");
  expect_unit ("NRestarts", "0");
}

static gboolean
is_back (gpointer data)
{
  const GPid *former = data;
  GPid now = main_pid ();

  return now != 0 && now != *former;
}

typedef struct
{
  Person *person;
  const char *id;
} Attempt;

/* The claim is let go some time after the last reference. */
static gboolean
can_map (gpointer data)
{
  Attempt *attempt = data;
  guint serial = person_send_open (attempt->person, attempt->id, "bar2", "rwm", "{}", "");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) reply = person_finish (attempt->person, serial, &error);

  return reply != NULL;
}

static void
test_a_killed_service_is_back_and_has_cut (void)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *id = device_id (address);
  g_autofree char *path = device_path (address);
  g_autofree char *mapping = NULL;
  g_autofree char *warnings = NULL;
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) proxied = NULL;
  Attempt next = { bob, id };
  GPid former;

  bind_as (alice, address);
  mapped = person_open (alice, id, "bar2", "rwm", "{}");
  proxied = person_open (bob, id, "bar2", "rw", "{}");
  mapping = person_map (alice, mapped->fd, "rw");
  person_write (alice, mapping, "before");
  former = main_pid ();
  g_assert_cmpint (former, >, 0);
  kill (former, SIGKILL);
  wait_until (is_back, &former, SOON, "the service's return");
  expect_unit ("NRestarts", "1");

  g_assert_cmpuint (world_get_uint (&machine, path, DEVICE_INTERFACE, "Lingering"), ==, 1);
  g_free (person_fail (bob, "ENOTCONN", "pread", proxied->fd, "0", NULL));
  g_free (person_fail (alice, "EINVAL", "map", mapped->fd, "rw", NULL));
  expect_cut (alice, mapping);
  world_wait_uint (&machine, path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  wait_until (can_map, &next, SOON, "the claim's end");
  person_kill (bob);
  unbind_as (carol, address, NULL);
  warnings = read_warnings ();
  g_assert_cmpstr (warnings, ==, "");
}

static void
remove_modules (void)
{
  const char *const names[] = { "vfio_pci", "vfio_pci_core", "vfio_iommu_type1", "vfio_virqfd", "vfio" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (syscall (SYS_delete_module, names[i], O_NONBLOCK) != 0 && errno != ENOENT)
      g_error ("the module %s stays: %s", names[i], g_strerror (errno));
}

static void
test_it_does_what_it_can_without_modules (void)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autofree char *address = guest_find (GUEST_IVSHMEM);
  g_autofree char *arguments = g_strdup_printf ("('%s', @a{sv} {})", address);
  g_autofree char *proxied = NULL;
  g_autofree char *bound = NULL;
  g_autofree char *warnings = NULL;
  g_autoptr (Opened) mapped = NULL;

  g_free (output_of ("systemctl stop regiond.service"));
  remove_modules ();
  g_assert_cmpint (g_unlink ("/dev/fuse"), ==, 0);
  mapped = person_open (alice, "shm0", "bar2", "rwm", "{}");
  proxied = person_open_fails (alice, ERROR ("NotSupported"), "shm0", "bar2", "rw", "{}");
  g_assert_nonnull (strstr (proxied, "/dev/fuse"));
  bound = person_call_fails (alice, ERROR ("NotSupported"), MANAGER_PATH, MANAGER_INTERFACE, "BindDevice", arguments);
  g_assert_nonnull (strstr (bound, "modprobe vfio-pci"));
  warnings = read_warnings ();
  g_assert_nonnull (strstr (warnings, "FUSE"));
  g_assert_null (strchr (warnings, '\n'));
}

static void
prepare_machine (void)
{
  sandbox_bring_people ();
  sandbox_write ("/etc/polkit-1/rules.d/10-test.rules", RULES);
  sandbox_write ("/etc/regiond/devices.d/shm0.conf", SHM0_CONF);
  machine.root = bus_connect ();
  g_assert_nonnull (machine.root);
}

int
main (int argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (g_strcmp0 (g_getenv ("REGIOND_TEST_GUEST"), "systemd") != 0)
    {
      g_printerr ("tests of the unit are run by tests/vm/run --systemd: skipped\n");
      return 77;
    }
  prepare_machine ();
  g_test_add_func ("/systemd/first-call-starts-it", test_the_first_call_starts_it);
  g_test_add_func ("/systemd/device-is-bound-and-mapped", test_a_device_is_bound_and_mapped);
  g_test_add_func ("/systemd/disk-is-reset-and-given-back", test_a_disk_is_reset_and_given_back);
  g_test_add_func ("/systemd/neighbour-goes-on-after-a-cut", test_a_neighbour_goes_on_after_a_cut);
  g_test_add_func ("/systemd/a-service-is-given-its-region", test_a_service_is_given_its_region);
  g_test_add_func ("/systemd/a-region-is-tied-to-a-service", test_a_region_is_tied_to_a_service);
  g_test_add_func ("/systemd/nothing-wrong-in-the-journal", test_nothing_is_wrong_in_the_journal);
  g_test_add_func ("/systemd/killed-service-is-back-and-has-cut", test_a_killed_service_is_back_and_has_cut);
  g_test_add_func ("/systemd/without-modules", test_it_does_what_it_can_without_modules);
  return g_test_run ();
}
