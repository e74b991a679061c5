/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../vm/fusefile.h"
#include "scene.h"
#include "stay.h"

#define LOOSE "loose"

/* Alice opens, and bob has a copy of what she got: what is shown. */
static void
expect_refused (Person *person,
                const char *fd,
                const char *options,
                const char *name,
                const char *word)
{
  g_autofree char *message = person_finish_failure (person, person_send_attach (person, fd, options), name);

  if (!strstr (message, word))
    g_error ("no \"%s\" in: %s", word, message);
}

/* PERSON gets what the test has, and shows it. */
static void
expect_nothing_shown (Person *person,
                      int fd,
                      const char *name,
                      const char *word)
{
  g_autofree char *number = person_do_with_fd (person, fd, "take", NULL);

  close (fd);
  expect_refused (person, number, "{}", name, word);
  g_free (person_do (person, "close", number, NULL));
}

/* Another description of what PERSON has: root may open anything. */
static int
open_again (Person *person,
            const char *number,
            int flags)
{
  int fd = person_give (person, number), again;
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

  again = open (path, flags | O_CLOEXEC);
  g_assert_cmpint (again, >=, 0);
  close (fd);
  return again;
}

static void
test_the_region_outlives_its_first_owner (World *world,
                                          Person *alice,
                                          Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{'label': <'hers'>}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autoptr (Opened) his = person_attach (bob, shown, "{'label': <'his'>}");
  g_autoptr (Opened) later = NULL;
  g_autofree char *map = NULL, *later_map = NULL;

  g_assert_cmpstr (his->path, !=, hers->path);
  world_expect_string (world, his->path, LEASE_INTERFACE, "Owner", bob->name);
  world_expect_string (world, his->path, LEASE_INTERFACE, "Access", "rwm");
  world_expect_string (world, his->path, LEASE_INTERFACE, "Label", "his");
  g_assert_true (person_shares (alice, hers->fd, bob, his->fd));

  map = person_map (bob, his->fd, "rw");
  person_write (bob, map, "handed on");
  person_let_go (bob, NULL, shown);
  person_kill (alice);
  world_wait_gone (world, hers->path, 2000);
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "leased");

  /* Nothing was reset between. */
  later = person_open (world->witness, "shm0", "bar2", "rm", "{}");
  later_map = person_map (world->witness, later->fd, "r");
  person_expect_text (world->witness, later_map, "handed on");
  person_expect_no_signal (bob);
  person_let_go (world->witness, later_map, later->fd);
  person_let_go (bob, map, his->fd);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
}

static void
test_what_is_shown_goes_with_its_own_lease (World *world,
                                            Person *alice,
                                            Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autoptr (Opened) his = person_attach (bob, shown, "{}");

  person_kill (alice);

  /* He still has her copy: that is a leak of hers, and the memory is taken from all. */
  person_wait_signal (bob, his->path, "Ended ('superseded',)");
}

static void
test_revoking_one_mapping_takes_it_from_the_other (World *world,
                                                   Person *alice,
                                                   Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autofree char *map = person_map (alice, hers->fd, "rw");
  g_autoptr (Opened) his = person_attach (bob, shown, "{}");

  g_free (person_call (world->witness, hers->path, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  person_wait_signal (alice, hers->path, "Ended ('revoked',)");
  person_wait_signal (bob, his->path, "Ended ('superseded',)");

  /* Both were fds of an active lease once. */
  expect_refused (bob, his->fd, "{}", ERROR ("NotFound"), "active lease");
  expect_refused (alice, hers->fd, "{}", ERROR ("NotFound"), "active lease");
}

static void
test_revoking_one_proxied_lease_leaves_the_other (World *world,
                                                  Person *alice,
                                                  Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rw", "{'offset': <uint64 4>, 'length': <uint64 12>}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autoptr (Opened) his = NULL;
  g_autofree char *text = NULL;

  g_free (person_do (alice, "pwrite", hers->fd, "0", "twelve bytes", NULL));
  his = person_attach (bob, shown, "{}");
  world_expect_string (world, his->path, LEASE_INTERFACE, "Access", "rw");
  g_assert_cmpuint (world_get_uint64 (world, his->path, LEASE_INTERFACE, "Offset"), ==, 4);
  g_assert_cmpuint (world_get_uint64 (world, his->path, LEASE_INTERFACE, "Size"), ==, 12);

  g_free (person_call (world->witness, hers->path, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  g_free (person_fail (alice, "ENOTCONN", "pread", hers->fd, "0", NULL));
  g_free (person_fail (bob, "ENOTCONN", "pread", shown, "0", NULL));
  expect_refused (bob, shown, "{}", ERROR ("NotFound"), "active lease");
  text = person_do (bob, "pread", his->fd, "0", NULL);
  g_assert_cmpstr (text, ==, "twelve bytes");
  person_expect_no_signal (bob);
}

static void
expect_access (World *world,
               Person *bob,
               int fd,
               const char *options,
               const char *access)
{
  g_autofree char *number = person_do_with_fd (bob, fd, "take", NULL);
  g_autoptr (Opened) his = NULL;

  close (fd);
  his = person_attach (bob, number, options);
  world_expect_string (world, his->path, LEASE_INTERFACE, "Access", access);
  person_let_go (bob, NULL, number);
  person_let_go (bob, NULL, his->fd);
  world_wait_gone (world, his->path, 2000);
}

static void
test_a_read_only_copy_gets_no_more_than_that (World *world,
                                              Person *alice,
                                              Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autoptr (Opened) read = NULL, proxied = NULL;
  g_autofree char *copy = NULL;

  expect_access (world, bob, open_again (alice, hers->fd, O_RDONLY), "{}", "rm");
  expect_access (world, bob, person_give (alice, hers->fd), "{}", "rwm");

  /* Less may be asked for, more may not. */
  expect_access (world, bob, person_give (alice, hers->fd), "{'access': <'r'>}", "r");
  read = person_open (alice, "shm0", "control", "rm", "{}");
  expect_access (world, bob, person_give (alice, read->fd), "{}", "rm");
  copy = person_pass (alice, read->fd, bob);
  expect_refused (bob, copy, "{'access': <'rwm'>}", ERROR ("NotSupported"), "more than what was shown, 'rm'");

  proxied = person_open (alice, "shm0", "bar2", "rw", "{}");
  expect_access (world, bob, open_again (alice, proxied->fd, O_RDONLY), "{}", "r");
  expect_access (world, bob, person_give (alice, proxied->fd), "{}", "rw");
}

/* A description that may write shows nothing of that where nobody has a lease to. */
static void
test_more_than_any_lease_allows_is_not_had (World *world,
                                            Person *alice,
                                            Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);

  expect_access (world, bob, open_again (alice, hers->fd, O_RDWR), "{}", "rm");
}

static void
test_what_anybody_can_open_is_refused (World *world,
                                       Person *alice,
                                       Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autoptr (Opened) written = NULL;

  expect_nothing_shown (bob, open_again (alice, hers->fd, O_PATH), INVALID, "O_PATH");
  written = person_open (alice, "shm0", "bar2", "w", "{}");
  expect_refused (alice, written->fd, "{}", INVALID, "cannot be read");

  expect_nothing_shown (bob, memfd_create ("regiond:bar2", MFD_CLOEXEC), ERROR ("NotFound"), "active lease");
  expect_nothing_shown (bob, open ("/dev/null", O_RDWR | O_CLOEXEC), ERROR ("NotFound"), "active lease");
  expect_nothing_shown (bob, open ("/", O_RDONLY | O_CLOEXEC), ERROR ("NotFound"), "active lease");
  g_assert_cmpuint (world_count_leases (world), ==, 2);
}

static void
test_a_call_that_shows_nothing_is_refused (World *world,
                                           Person *alice,
                                           Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);

  expect_refused (bob, "", "{}", INVALID, "descriptor 0 of the message, which has 0");
  expect_refused (bob, shown, "{'exclusive': <true>}", INVALID, "Unknown option");
  expect_refused (bob, shown, "{'access': <'rx'>}", INVALID, "'rx' is no access");
  expect_refused (bob, shown, "{'revocation': <'now'>}", INVALID, "'now' is no revocation");
  expect_refused (bob, shown, "{'revocation': <'immediate'>}", ERROR ("NotSupported"), "ask for less");
  expect_refused (bob, shown, "{'label': <'a\\nb'>}", INVALID, "printable");
  g_assert_cmpuint (world_count_leases (world), ==, 1);
}

static void
test_a_closed_lease_is_none (World *world,
                             Person *alice,
                             Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);

  g_free (person_call (alice, hers->path, LEASE_INTERFACE, "Release", "()"));
  expect_refused (bob, shown, "{}", ERROR ("NotFound"), "active lease");
  expect_refused (alice, hers->fd, "{}", ERROR ("NotFound"), "active lease");
}

static void
test_an_exclusive_device_is_not_shared (World *world,
                                        Person *alice,
                                        Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);

  expect_refused (bob, shown, "{}", ERROR ("Busy"), alice->name);
  expect_refused (alice, hers->fd, "{}", ERROR ("Busy"), "exclusively");
}

static void
test_where_leaks_are_tolerated_an_fd_proves_nothing (World *world,
                                                     Person *alice,
                                                     Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, LOOSE, "bar2", "rwm", "{}");

  expect_refused (alice, hers->fd, "{}", ERROR ("NotSupported"), "Linger=tolerate");
}

/* A second bus with a polkitd and a regiond of its own. */
typedef struct
{
  Process *bus;
  Process *polkitd;
  Process *regiond;
  GDBusConnection *root;
} Abroad;

#define ABROAD "unix:path=" SANDBOX_DIR "/abroad"

static gboolean
can_connect (gpointer data)
{
  Abroad *abroad = data;

  abroad->root = g_dbus_connection_new_for_address_sync (ABROAD, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                         NULL, NULL, NULL);
  return abroad->root != NULL;
}

static void
abroad_init (Abroad *abroad)
{
  const char *const bus[] = { "/usr/bin/dbus-daemon", "--config-file=" SANDBOX_DIR "/abroad.conf", "--nofork",
                              "--nopidfile", NULL };
  const char *const polkitd[] = { "/usr/lib/polkit-1/polkitd", "--no-debug", NULL };
  const char *const environment[] = { "DBUS_SYSTEM_BUS_ADDRESS=" ABROAD, NULL };
  g_autofree char *program = sandbox_installed ("usr/libexec/regiond");
  const char *const regiond[] = { program, "--config", SERVICE_CONFIG, "--address", ABROAD, NULL };

  sandbox_write (SANDBOX_DIR "/abroad.conf",
                 "<busconfig><listen>" ABROAD "</listen><auth>EXTERNAL</auth><policy context='default'>"
                 "<allow user='*'/><allow own='*'/><allow send_destination='*'/><allow receive_sender='*'/>"
                 "</policy></busconfig>");
  abroad->bus = process_spawn (bus, NULL, NULL, NULL);
  wait_until (can_connect, abroad, 10000, "another bus");
  abroad->polkitd = process_spawn (polkitd, environment, NULL, NULL);
  abroad->regiond = process_spawn (regiond, NULL, NULL, NULL);
}

static void
abroad_clear (Abroad *abroad)
{
  process_free (abroad->regiond);
  process_free (abroad->polkitd);
  g_dbus_connection_close_sync (abroad->root, NULL, NULL);
  g_object_unref (abroad->root);
  process_free (abroad->bus);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Abroad, abroad_clear)

/* -1 until everybody there is up. */
typedef struct
{
  Abroad *abroad;
  int fd;
} Trip;

static gboolean
can_open (gpointer data)
{
  Trip *trip = data;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) reply = NULL;

  reply = g_dbus_connection_call_with_unix_fd_list_sync (trip->abroad->root, "org.regiond1", SHM0, DEVICE_INTERFACE,
                                                         "OpenRegion", g_variant_new ("(ssa{sv})", "bar2", "rwm", NULL),
                                                         NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &fds, NULL, NULL);
  if (reply)
    trip->fd = g_unix_fd_list_get (fds, 0, NULL);
  return reply != NULL;
}

static void
test_another_services_region_is_none_of_this_ones (World *world,
                                                   Person *alice,
                                                   Person *bob)
{
  g_auto (Abroad) abroad = { 0 };
  Trip trip = { &abroad, -1 };
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);

  abroad_init (&abroad);
  wait_until (can_open, &trip, 10000, "another regiond");
  expect_nothing_shown (bob, trip.fd, ERROR ("NotFound"), "active lease");
}

/* Nobody waits for a file system that never answers but the one who shows it; and he for so long only. */
static void
test_a_hung_file_system_shuts_nobody_else_out (World *world,
                                               Person *alice,
                                               Person *bob)
{
  enum { SHOWN = 4 };
  g_auto (FuseFile) hung = { 0 };
  guint serials[SHOWN], refused = 0, limited = 0;
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  guint fds = process_count_fds (world->regiond);
  g_autofree char *number = NULL;

  fuse_file_init_asking (&hung);
  hung.seen->victim = world->regiond->pid;
  number = person_do_with_fd (alice, hung.fd, "take", NULL);

  for (guint i = 0; i < SHOWN; i++)
    serials[i] = person_send_attach (alice, number, "{}");
  for (guint i = 0; i < 3; i++)
    {
      gint64 start = g_get_monotonic_time ();
      g_autoptr (Opened) his = person_attach (bob, shown, "{}");

      g_assert_cmpuint (milliseconds_since (start), <, 2500);
      person_let_go (bob, NULL, his->fd);
      world_wait_gone (world, his->path, 2000);
    }
  for (guint i = 0; i < SHOWN; i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) strings = person_finish (alice, serials[i], &error);

      g_assert_null (strings);
      refused += g_str_has_prefix (error->message, ERROR ("NotFound"));
      limited += g_str_has_prefix (error->message, ERROR ("LimitExceeded"));
    }
  g_assert_cmpuint (hung.seen->stalled, ==, 2);
  g_assert_cmpuint (refused, ==, 2);
  g_assert_cmpuint (limited, ==, SHOWN - 2);

  fuse_file_cut (&hung);
  world_wait_fds (world, fds);
}

static gboolean
has_stalled (gpointer data)
{
  return __atomic_load_n (&((FuseFile *) data)->seen->stalled, __ATOMIC_ACQUIRE) == 2;
}

/* What root's connection sends with a descriptor of the file, and what answers. */
static char *
send_with_fd (GDBusConnection *root,
              const char *path,
              const char *interface,
              const char *member,
              int fd)
{
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  g_unix_fd_list_append (fds, fd, &error);
  g_assert_no_error (error);
  reply = g_dbus_connection_call_with_unix_fd_list_sync (root, "org.regiond1", path, interface, member, NULL, NULL,
                                                         G_DBUS_CALL_FLAGS_NONE, 5000, fds, NULL, NULL, &error);
  g_assert_null (reply);
  return g_dbus_error_get_remote_error (error);
}

/* Whoever lets go of a message closes what came with it: nothing of the service may hang in that. */
static void
test_a_descriptor_that_cannot_be_closed_stops_nobody (World *world,
                                                      Person *alice,
                                                      Person *bob)
{
  GDBusConnection *root = world->root;
  guint fds = process_count_fds (world->regiond);
  g_auto (FuseFile) hung = { 0 };
  g_autoptr (Opened) opened = NULL;
  g_autofree char *nowhere = NULL, *unfit = NULL, *unasked = NULL;

  fuse_file_init_asking (&hung);
  hung.seen->victim = world->regiond->pid;

  unasked = send_with_fd (root, SHM0, DEVICE_INTERFACE, "Verify", hung.fd);
  g_assert_cmpstr (unasked, ==, "org.freedesktop.DBus.Error.AccessDenied");
  g_assert_cmpuint (hung.seen->stalled, ==, 0);
  unfit = send_with_fd (root, SHM0, DEVICE_INTERFACE, "OpenRegion", hung.fd);
  g_assert_cmpstr (unfit, ==, "org.freedesktop.DBus.Error.InvalidArgs");
  nowhere = send_with_fd (root, DEVICE_PREFIX "nowhere", DEVICE_INTERFACE, "OpenRegion", hung.fd);
  g_assert_nonnull (nowhere);

  opened = person_open (bob, "shm0", "bar2", "rwm", "{}");
  person_let_go (bob, NULL, opened->fd);
  world_wait_gone (world, opened->path, 5000);
  wait_until (has_stalled, &hung, 5000, "regiond to close what came");
  fuse_file_cut (&hung);
  world_wait_fds (world, fds);
}

#define RULES_PROOF \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  return subject.user == 'alice' || (action.lookup('proof') == 'fd' && action.lookup('access') == 'rm')" \
  "         ? polkit.Result.YES : polkit.Result.NO; });\n"

static void
test_polkit_is_told_of_the_proof (World *world,
                                  Person *alice,
                                  Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autoptr (Opened) his = NULL;

  world_set_rules (world, RULES_PROOF);
  g_free (person_open_fails (bob, DENIED, "shm0", "bar2", "rm", "{}"));
  expect_refused (bob, shown, "{}", DENIED, ACTION_WRITE);
  g_assert_cmpuint (world_count_leases (world), ==, 1);
  his = person_attach (bob, shown, "{'access': <'rm'>}");
}

/* Asked again it is asked about as it was then: what was opened beside it is another question. */
static void
test_a_change_of_policy_tells_it_from_an_open (World *world,
                                               Person *alice,
                                               Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rw", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autoptr (Opened) his = person_attach (bob, shown, "{}");
  g_autoptr (Opened) opened = person_open (bob, "shm0", "bar2", "rw", "{}");

  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;"
                          "  return action.lookup('proof') == 'fd' ? polkit.Result.NO : polkit.Result.YES; });");
  person_wait_signal (bob, his->path, "Ended ('withdrawn',)");
  person_wait_cut (bob, his->fd);
  g_free (person_do (bob, "pread", opened->fd, "0", NULL));
  g_free (person_do (alice, "pread", hers->fd, "0", NULL));
  person_expect_no_signal (alice);
}

static void
test_an_attached_lease_counts (void)
{
  g_autoptr (World) world = world_new ("MaxLeasesPerUser=1\n");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) his = NULL;
  g_autoptr (Opened) hers = NULL;
  g_autofree char *shown = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  shown = person_pass (alice, hers->fd, bob);
  his = person_attach (bob, shown, "{}");
  expect_refused (bob, shown, "{}", ERROR ("LimitExceeded"), "2002");
}

static void
test_what_ends_while_polkit_is_asked_is_not_had (World *world,
                                                 Person *alice,
                                                 Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  guint serial;

  process_stop (world->polkitd);
  serial = person_send_attach (bob, shown, "{}");
  service_wait_log (bob->name, "has shown", hers->path, NULL);
  g_free (person_call (alice, hers->path, LEASE_INTERFACE, "Release", "()"));
  process_signal (world->polkitd, SIGCONT);
  g_free (person_finish_failure (bob, serial, ERROR ("Gone")));
}

/* Descriptions of one memfd look alike: which lease hers is of is not known. */
static void
test_others_may_leave_while_polkit_is_asked (World *world,
                                             Person *alice,
                                             Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *shown = person_pass (alice, hers->fd, bob);
  g_autoptr (Opened) his = NULL;
  g_autoptr (GPtrArray) others = g_ptr_array_new_with_free_func ((GDestroyNotify) stay_free);
  guint serial;

  for (guint i = 0; i < 10; i++)
    g_ptr_array_add (others, stay_begin (alice, "shm0", "bar2", "rwm", "{}"));
  process_stop (world->polkitd);
  serial = person_send_attach (bob, shown, "{}");
  service_wait_log (bob->name, "has shown", NULL);
  for (guint i = 0; i < others->len; i++)
    {
      Stay *other = others->pdata[i];

      stay_let_go (other);
      service_wait_log ("end", other->opened->path, "released", NULL);
    }
  process_signal (world->polkitd, SIGCONT);
  his = person_finish_open (bob, serial);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/attach/the-region-outlives-its-first-owner", RULES_ALLOW_ALL, test_the_region_outlives_its_first_owner);
  scene_add ("/attach/what-is-shown-goes-with-its-own-lease", RULES_ALLOW_ALL,
             test_what_is_shown_goes_with_its_own_lease);
  scene_add ("/attach/revoking-one-mapping-takes-it-from-the-other", RULES_ALLOW_ALL,
             test_revoking_one_mapping_takes_it_from_the_other);
  scene_add ("/attach/revoking-one-proxied-lease-leaves-the-other", RULES_ALLOW_ALL,
             test_revoking_one_proxied_lease_leaves_the_other);
  scene_add ("/attach/a-read-only-copy-gets-no-more-than-that", RULES_ALLOW_ALL,
             test_a_read_only_copy_gets_no_more_than_that);
  scene_add ("/attach/more-than-any-lease-allows-is-not-had", RULES_ALLOW_ALL,
             test_more_than_any_lease_allows_is_not_had);
  scene_add ("/attach/what-anybody-can-open-is-refused", RULES_ALLOW_ALL, test_what_anybody_can_open_is_refused);
  scene_add ("/attach/a-call-that-shows-nothing-is-refused", RULES_ALLOW_ALL,
             test_a_call_that_shows_nothing_is_refused);
  scene_add ("/attach/a-closed-lease-is-none", RULES_ALLOW_ALL, test_a_closed_lease_is_none);
  scene_add ("/attach/an-exclusive-device-is-not-shared", RULES_ALLOW_ALL, test_an_exclusive_device_is_not_shared);
  scene_add ("/attach/where-leaks-are-tolerated-an-fd-proves-nothing", RULES_ALLOW_ALL,
             test_where_leaks_are_tolerated_an_fd_proves_nothing);
  scene_add ("/attach/another-services-region-is-none-of-this-ones", RULES_ALLOW_ALL,
             test_another_services_region_is_none_of_this_ones);
  scene_add ("/attach/a-hung-file-system-shuts-nobody-else-out", RULES_ALLOW_ALL,
             test_a_hung_file_system_shuts_nobody_else_out);
  scene_add ("/attach/a-descriptor-that-cannot-be-closed-stops-nobody", RULES_ALLOW_ALL,
             test_a_descriptor_that_cannot_be_closed_stops_nobody);
  scene_add ("/attach/polkit-is-told-of-the-proof", RULES_ALLOW_ALL, test_polkit_is_told_of_the_proof);
  scene_add ("/attach/a-change-of-policy-tells-it-from-an-open", RULES_ALLOW_ALL,
             test_a_change_of_policy_tells_it_from_an_open);
  g_test_add_func ("/attach/an-attached-lease-counts", test_an_attached_lease_counts);
  scene_add ("/attach/what-ends-while-polkit-is-asked-is-not-had", RULES_ALLOW_ALL,
             test_what_ends_while_polkit_is_asked_is_not_had);
  scene_add ("/attach/others-may-leave-while-polkit-is-asked", RULES_ALLOW_ALL,
             test_others_may_leave_while_polkit_is_asked);
  return g_test_run ();
}
