/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../vm/fusefile.h"
#include "world.h"

#define LOOSE "loose"

/* Alice opens, and bob has a copy of what she got. */
typedef struct
{
  World *world;
  Person *alice;
  Person *bob;
  Opened *hers;
  char *shown; /* the number that it has with bob */
} Scene;

static void
scene_init (Scene *scene,
            const char *daemon)
{
  scene->world = world_new (daemon);
  scene->alice = person_new ("alice", UID_ALICE);
  scene->bob = person_new ("bob", UID_BOB);
  world_set_rules (scene->world, RULES_ALLOW_ALL);
}

static void
pass_open (Scene *scene,
           const char *region,
           const char *access,
           const char *options)
{
  scene->hers = person_open (scene->alice, "shm0", region, access, options);
  scene->shown = person_pass (scene->alice, scene->hers->fd, scene->bob);
}

static void
scene_clear (Scene *scene)
{
  g_clear_pointer (&scene->hers, opened_free);
  g_free (scene->shown);
  g_clear_pointer (&scene->alice, person_free);
  g_clear_pointer (&scene->bob, person_free);
  g_clear_pointer (&scene->world, world_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Scene, scene_clear)

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
test_the_region_outlives_its_first_owner (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) his = NULL, later = NULL;
  g_autofree char *map = NULL, *later_map = NULL;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{'label': <'hers'>}");
  his = person_attach (scene.bob, scene.shown, "{'label': <'his'>}");
  g_assert_cmpstr (his->path, !=, scene.hers->path);
  world_expect_string (scene.world, his->path, LEASE_INTERFACE, "Owner", scene.bob->name);
  world_expect_string (scene.world, his->path, LEASE_INTERFACE, "Access", "rwm");
  world_expect_string (scene.world, his->path, LEASE_INTERFACE, "Label", "his");
  g_assert_true (person_shares (scene.alice, scene.hers->fd, scene.bob, his->fd));

  map = person_map (scene.bob, his->fd, "rw");
  person_write (scene.bob, map, "handed on");
  person_let_go (scene.bob, NULL, scene.shown);
  person_kill (scene.alice);
  world_wait_gone (scene.world, scene.hers->path, 2000);
  world_expect_string (scene.world, SHM0, DEVICE_INTERFACE, "State", "leased");

  /* Nothing was reset between. */
  later = person_open (scene.world->witness, "shm0", "bar2", "rm", "{}");
  later_map = person_map (scene.world->witness, later->fd, "r");
  person_expect_text (scene.world->witness, later_map, "handed on");
  person_expect_no_signal (scene.bob);
  person_let_go (scene.world->witness, later_map, later->fd);
  person_let_go (scene.bob, map, his->fd);
  world_wait_string (scene.world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
}

static void
test_what_is_shown_goes_with_its_own_lease (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) his = NULL;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  his = person_attach (scene.bob, scene.shown, "{}");
  person_kill (scene.alice);

  /* He still has her copy: that is a leak of hers, and the memory is taken from all. */
  person_wait_signal (scene.bob, his->path, "Ended ('superseded',)");
}

static void
test_revoking_one_mapping_takes_it_from_the_other (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) his = NULL;
  g_autofree char *map = NULL;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  map = person_map (scene.alice, scene.hers->fd, "rw");
  his = person_attach (scene.bob, scene.shown, "{}");
  g_free (person_call (scene.world->witness, scene.hers->path, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  person_wait_signal (scene.alice, scene.hers->path, "Ended ('revoked',)");
  person_wait_signal (scene.bob, his->path, "Ended ('superseded',)");

  /* Both were fds of an active lease once. */
  expect_refused (scene.bob, his->fd, "{}", ERROR ("NotFound"), "active lease");
  expect_refused (scene.alice, scene.hers->fd, "{}", ERROR ("NotFound"), "active lease");
}

static void
test_revoking_one_proxied_lease_leaves_the_other (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) his = NULL;
  g_autofree char *text = NULL;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rw", "{'offset': <uint64 4>, 'length': <uint64 12>}");
  g_free (person_do (scene.alice, "pwrite", scene.hers->fd, "0", "twelve bytes", NULL));
  his = person_attach (scene.bob, scene.shown, "{}");
  world_expect_string (scene.world, his->path, LEASE_INTERFACE, "Access", "rw");
  g_assert_cmpuint (world_get_uint64 (scene.world, his->path, LEASE_INTERFACE, "Offset"), ==, 4);
  g_assert_cmpuint (world_get_uint64 (scene.world, his->path, LEASE_INTERFACE, "Size"), ==, 12);

  g_free (person_call (scene.world->witness, scene.hers->path, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  g_free (person_fail (scene.alice, "ENOTCONN", "pread", scene.hers->fd, "0", NULL));
  g_free (person_fail (scene.bob, "ENOTCONN", "pread", scene.shown, "0", NULL));
  expect_refused (scene.bob, scene.shown, "{}", ERROR ("NotFound"), "active lease");
  text = person_do (scene.bob, "pread", his->fd, "0", NULL);
  g_assert_cmpstr (text, ==, "twelve bytes");
  person_expect_no_signal (scene.bob);
}

static void
expect_access (Scene *scene,
               int fd,
               const char *options,
               const char *access)
{
  g_autofree char *number = person_do_with_fd (scene->bob, fd, "take", NULL);
  g_autoptr (Opened) his = NULL;

  close (fd);
  his = person_attach (scene->bob, number, options);
  world_expect_string (scene->world, his->path, LEASE_INTERFACE, "Access", access);
  person_let_go (scene->bob, NULL, number);
  person_let_go (scene->bob, NULL, his->fd);
  world_wait_gone (scene->world, his->path, 2000);
}

static void
test_a_read_only_copy_gets_no_more_than_that (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) read = NULL, proxied = NULL;
  g_autofree char *copy = NULL;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  expect_access (&scene, open_again (scene.alice, scene.hers->fd, O_RDONLY), "{}", "rm");
  expect_access (&scene, person_give (scene.alice, scene.hers->fd), "{}", "rwm");

  /* Less may be asked for, more may not. */
  expect_access (&scene, person_give (scene.alice, scene.hers->fd), "{'access': <'r'>}", "r");
  read = person_open (scene.alice, "shm0", "control", "rm", "{}");
  expect_access (&scene, person_give (scene.alice, read->fd), "{}", "rm");
  copy = person_pass (scene.alice, read->fd, scene.bob);
  expect_refused (scene.bob, copy, "{'access': <'rwm'>}", ERROR ("NotSupported"), "more than what was shown, 'rm'");

  proxied = person_open (scene.alice, "shm0", "bar2", "rw", "{}");
  expect_access (&scene, open_again (scene.alice, proxied->fd, O_RDONLY), "{}", "r");
  expect_access (&scene, person_give (scene.alice, proxied->fd), "{}", "rw");
}

/* A description that may write shows nothing of that where nobody has a lease to. */
static void
test_more_than_any_lease_allows_is_not_had (void)
{
  g_auto (Scene) scene = { 0 };

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rm", "{}");
  expect_access (&scene, open_again (scene.alice, scene.hers->fd, O_RDWR), "{}", "rm");
}

static void
test_what_anybody_can_open_is_refused (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) written = NULL;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  expect_nothing_shown (scene.bob, open_again (scene.alice, scene.hers->fd, O_PATH), INVALID, "O_PATH");
  written = person_open (scene.alice, "shm0", "bar2", "w", "{}");
  expect_refused (scene.alice, written->fd, "{}", INVALID, "cannot be read");

  expect_nothing_shown (scene.bob, memfd_create ("regiond:bar2", MFD_CLOEXEC), ERROR ("NotFound"), "active lease");
  expect_nothing_shown (scene.bob, open ("/dev/null", O_RDWR | O_CLOEXEC), ERROR ("NotFound"), "active lease");
  expect_nothing_shown (scene.bob, open ("/", O_RDONLY | O_CLOEXEC), ERROR ("NotFound"), "active lease");
  g_assert_cmpuint (world_count_leases (scene.world), ==, 2);
}

static void
test_a_call_that_shows_nothing_is_refused (void)
{
  g_auto (Scene) scene = { 0 };

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  expect_refused (scene.bob, "", "{}", INVALID, "descriptor 0 of the message, which has 0");
  expect_refused (scene.bob, scene.shown, "{'exclusive': <true>}", INVALID, "Unknown option");
  expect_refused (scene.bob, scene.shown, "{'access': <'rx'>}", INVALID, "'rx' is no access");
  expect_refused (scene.bob, scene.shown, "{'revocation': <'now'>}", INVALID, "'now' is no revocation");
  expect_refused (scene.bob, scene.shown, "{'revocation': <'immediate'>}", ERROR ("NotSupported"), "ask for less");
  expect_refused (scene.bob, scene.shown, "{'label': <'a\\nb'>}", INVALID, "printable");
  g_assert_cmpuint (world_count_leases (scene.world), ==, 1);
}

static void
test_a_closed_lease_is_none (void)
{
  g_auto (Scene) scene = { 0 };

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  g_free (person_call (scene.alice, scene.hers->path, LEASE_INTERFACE, "Release", "()"));
  expect_refused (scene.bob, scene.shown, "{}", ERROR ("NotFound"), "active lease");
  expect_refused (scene.alice, scene.hers->fd, "{}", ERROR ("NotFound"), "active lease");
}

static void
test_an_exclusive_device_is_not_shared (void)
{
  g_auto (Scene) scene = { 0 };

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{'exclusive': <true>}");
  expect_refused (scene.bob, scene.shown, "{}", ERROR ("Busy"), scene.alice->name);
  expect_refused (scene.alice, scene.hers->fd, "{}", ERROR ("Busy"), "exclusively");
}

static void
test_where_leaks_are_tolerated_an_fd_proves_nothing (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) hers = NULL;

  scene_init (&scene, "");
  hers = person_open (scene.alice, LOOSE, "bar2", "rwm", "{}");
  expect_refused (scene.alice, hers->fd, "{}", ERROR ("NotSupported"), "Linger=tolerate");
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
test_another_services_region_is_none_of_this_ones (void)
{
  g_auto (Scene) scene = { 0 };
  g_auto (Abroad) abroad = { 0 };
  Trip trip = { &abroad, -1 };

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  abroad_init (&abroad);
  wait_until (can_open, &trip, 10000, "another regiond");
  expect_nothing_shown (scene.bob, trip.fd, ERROR ("NotFound"), "active lease");
}

/* Nobody waits for a file system that never answers but the one who shows it; and he for so long only. */
static void
test_a_hung_file_system_shuts_nobody_else_out (void)
{
  enum { SHOWN = 4 };
  g_auto (Scene) scene = { 0 };
  g_auto (FuseFile) hung = { 0 };
  g_autofree char *number = NULL;
  guint fds, serials[SHOWN], refused = 0, limited = 0;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  fds = process_count_fds (scene.world->regiond);
  fuse_file_init_asking (&hung);
  hung.seen->victim = scene.world->regiond->pid;
  number = person_do_with_fd (scene.alice, hung.fd, "take", NULL);

  for (guint i = 0; i < SHOWN; i++)
    serials[i] = person_send_attach (scene.alice, number, "{}");
  for (guint i = 0; i < 3; i++)
    {
      gint64 start = g_get_monotonic_time ();
      g_autoptr (Opened) his = person_attach (scene.bob, scene.shown, "{}");

      g_assert_cmpuint (milliseconds_since (start), <, 2500);
      person_let_go (scene.bob, NULL, his->fd);
      world_wait_gone (scene.world, his->path, 2000);
    }
  for (guint i = 0; i < SHOWN; i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) strings = person_finish (scene.alice, serials[i], &error);

      g_assert_null (strings);
      refused += g_str_has_prefix (error->message, ERROR ("NotFound"));
      limited += g_str_has_prefix (error->message, ERROR ("LimitExceeded"));
    }
  g_assert_cmpuint (hung.seen->stalled, ==, 2);
  g_assert_cmpuint (refused, ==, 2);
  g_assert_cmpuint (limited, ==, SHOWN - 2);

  fuse_file_cut (&hung);
  world_wait_fds (scene.world, fds);
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
test_a_descriptor_that_cannot_be_closed_stops_nobody (void)
{
  g_auto (Scene) scene = { 0 };
  g_auto (FuseFile) hung = { 0 };
  g_autoptr (Opened) opened = NULL;
  g_autofree char *nowhere = NULL, *unfit = NULL, *unasked = NULL;
  GDBusConnection *root;
  guint fds;

  scene_init (&scene, "");
  root = scene.world->root;
  fds = process_count_fds (scene.world->regiond);
  fuse_file_init_asking (&hung);
  hung.seen->victim = scene.world->regiond->pid;

  unasked = send_with_fd (root, SHM0, DEVICE_INTERFACE, "Verify", hung.fd);
  g_assert_cmpstr (unasked, ==, "org.freedesktop.DBus.Error.AccessDenied");
  g_assert_cmpuint (hung.seen->stalled, ==, 0);
  unfit = send_with_fd (root, SHM0, DEVICE_INTERFACE, "OpenRegion", hung.fd);
  g_assert_cmpstr (unfit, ==, "org.freedesktop.DBus.Error.InvalidArgs");
  nowhere = send_with_fd (root, DEVICE_PREFIX "nowhere", DEVICE_INTERFACE, "OpenRegion", hung.fd);
  g_assert_nonnull (nowhere);

  opened = person_open (scene.bob, "shm0", "bar2", "rwm", "{}");
  person_let_go (scene.bob, NULL, opened->fd);
  world_wait_gone (scene.world, opened->path, 5000);
  wait_until (has_stalled, &hung, 5000, "regiond to close what came");
  fuse_file_cut (&hung);
  world_wait_fds (scene.world, fds);
}

#define RULES_PROOF \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  return subject.user == 'alice' || (action.lookup('proof') == 'fd' && action.lookup('access') == 'rm')" \
  "         ? polkit.Result.YES : polkit.Result.NO; });\n"

static void
test_polkit_is_told_of_the_proof (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) his = NULL;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  world_set_rules (scene.world, RULES_PROOF);
  g_free (person_open_fails (scene.bob, DENIED, "shm0", "bar2", "rm", "{}"));
  expect_refused (scene.bob, scene.shown, "{}", DENIED, ACTION_WRITE);
  g_assert_cmpuint (world_count_leases (scene.world), ==, 1);
  his = person_attach (scene.bob, scene.shown, "{'access': <'rm'>}");
}

static void
test_an_attached_lease_counts (void)
{
  g_auto (Scene) scene = { 0 };
  g_autoptr (Opened) his = NULL;

  scene_init (&scene, "MaxLeasesPerUser=1\n");
  pass_open (&scene, "bar2", "rwm", "{}");
  his = person_attach (scene.bob, scene.shown, "{}");
  expect_refused (scene.bob, scene.shown, "{}", ERROR ("LimitExceeded"), "2002");
}

static void
test_what_ends_while_polkit_is_asked_is_not_had (void)
{
  g_auto (Scene) scene = { 0 };
  guint serial;

  scene_init (&scene, "");
  pass_open (&scene, "bar2", "rwm", "{}");
  process_stop (scene.world->polkitd);
  serial = person_send_attach (scene.bob, scene.shown, "{}");
  service_wait_log (scene.bob->name, "has shown", scene.hers->path, NULL);
  g_free (person_call (scene.alice, scene.hers->path, LEASE_INTERFACE, "Release", "()"));
  process_signal (scene.world->polkitd, SIGCONT);
  g_free (person_finish_failure (scene.bob, serial, ERROR ("Gone")));
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/attach/the-region-outlives-its-first-owner", test_the_region_outlives_its_first_owner);
  g_test_add_func ("/attach/what-is-shown-goes-with-its-own-lease", test_what_is_shown_goes_with_its_own_lease);
  g_test_add_func ("/attach/revoking-one-mapping-takes-it-from-the-other",
                   test_revoking_one_mapping_takes_it_from_the_other);
  g_test_add_func ("/attach/revoking-one-proxied-lease-leaves-the-other",
                   test_revoking_one_proxied_lease_leaves_the_other);
  g_test_add_func ("/attach/a-read-only-copy-gets-no-more-than-that", test_a_read_only_copy_gets_no_more_than_that);
  g_test_add_func ("/attach/more-than-any-lease-allows-is-not-had", test_more_than_any_lease_allows_is_not_had);
  g_test_add_func ("/attach/what-anybody-can-open-is-refused", test_what_anybody_can_open_is_refused);
  g_test_add_func ("/attach/a-call-that-shows-nothing-is-refused", test_a_call_that_shows_nothing_is_refused);
  g_test_add_func ("/attach/a-closed-lease-is-none", test_a_closed_lease_is_none);
  g_test_add_func ("/attach/an-exclusive-device-is-not-shared", test_an_exclusive_device_is_not_shared);
  g_test_add_func ("/attach/where-leaks-are-tolerated-an-fd-proves-nothing",
                   test_where_leaks_are_tolerated_an_fd_proves_nothing);
  g_test_add_func ("/attach/another-services-region-is-none-of-this-ones",
                   test_another_services_region_is_none_of_this_ones);
  g_test_add_func ("/attach/a-hung-file-system-shuts-nobody-else-out", test_a_hung_file_system_shuts_nobody_else_out);
  g_test_add_func ("/attach/a-descriptor-that-cannot-be-closed-stops-nobody",
                   test_a_descriptor_that_cannot_be_closed_stops_nobody);
  g_test_add_func ("/attach/polkit-is-told-of-the-proof", test_polkit_is_told_of_the_proof);
  g_test_add_func ("/attach/an-attached-lease-counts", test_an_attached_lease_counts);
  g_test_add_func ("/attach/what-ends-while-polkit-is-asked-is-not-had", test_what_ends_while_polkit_is_asked_is_not_had);
  return g_test_run ();
}
