/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "guest.h"

/* One with a BAR that can be mapped, of which the guest has no other. */
#define MODEL "qemu-xhci"
#define MODEL_ID "1b36:000d"

#define SOON 20000

/* The kernel asks again for what it waits for after ten seconds: who has let go
 * before has heard it the first time. The grace is one of them. */
#define HEARD_AT_ONCE 8000

#define ASKED "/dev/shm/asked"
#define RULES_SLOW \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return polkit.Result.NOT_HANDLED;" \
  "  if (action.id.indexOf('-region') > 0) polkit.spawn(['/bin/sh', '-c', 'touch " ASKED "; sleep 1']);" \
  "  return polkit.Result.YES; });\n"

/* A device that will leave, and those who use it. */
typedef struct
{
  World *world;
  char *address;
  char *device;
  char *path;
  Person *alice;
  Person *bob;
} Scene;

static void
rescan (void)
{
  int fd = open ("/sys/bus/pci/rescan", O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (write (fd, "1", 1), ==, 1);
  close (fd);
}

static void
scene_init (Scene *self,
            const char *id)
{
  self->world = world_new ("");
  self->address = g_str_equal (id, MODEL_ID) ? guest_plug (MODEL, MODEL_ID) : guest_find (id);
  self->device = device_id (self->address);
  self->path = device_path (self->address);
  self->alice = person_new ("alice", UID_ALICE);
  self->bob = person_new ("bob", UID_BOB);
  world_set_rules (self->world, RULES_ALLOW_ALL);
  device_bind (self->world, self->address, "{'force': <true>}");
}

static void
scene_clear (Scene *self)
{
  g_autofree char *driver = guest_driver (self->address);

  person_free (self->alice);
  person_free (self->bob);
  if (g_strcmp0 (driver, "vfio-pci") == 0)
    guest_give_back (self->address);
  world_free (self->world);
  g_free (self->address);
  g_free (self->device);
  g_free (self->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Scene, scene_clear)

static Opened *
scene_open (Scene *self,
            Person *person,
            const char *region,
            const char *access)
{
  return person_open (person, self->device, region, access, "{}");
}

/* By sysfs; how long the kernel took, in ms. */
static guint
scene_remove (Scene *self)
{
  gint64 start = g_get_monotonic_time ();

  guest_set_attribute (self->address, "remove", "1");
  g_test_message ("removed after %u ms", milliseconds_since (start));
  return milliseconds_since (start);
}

static gboolean
hangs_nowhere (gpointer data)
{
  Process *process = data;
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", process->pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, "stat", NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL) && strstr (text, ") D "))
        return FALSE;
    }
  return TRUE;
}

/* It is off the bus, with all its leases, and regiond serves the others. */
static void
expect_gone (Scene *self)
{
  g_autoptr (Opened) opened = NULL;

  device_wait_gone (self->world, self->address);
  wait_until (hangs_nowhere, self->world->regiond, SOON, "no thread of regiond waits for the kernel");
  opened = person_open (self->bob, "shm0", "bar2", "rwm", "{}");
  person_let_go (self->bob, NULL, opened->fd);
}

/* First the warning, and then the end. */
static void
expect_heard (Person *person,
              Opened *opened)
{
  g_autofree char *warning = g_strconcat (opened->path, " RevokeRequested ('unplugged', ", NULL);
  g_autofree char *end = g_strconcat (opened->path, " Ended ('unplugged',)", NULL);
  g_autofree char *signals = NULL;

  person_wait_signal (person, opened->path, "Ended ('unplugged',)");
  signals = person_signals (person);
  g_assert_nonnull (strstr (signals, warning));
  g_assert_true (strstr (signals, warning) < strstr (signals, end));
}

static void
unbind (Scene *scene)
{
  guest_set_attribute (scene->address, "driver/unbind", scene->address);
}

static void
take_away (Scene *scene)
{
  scene_remove (scene);
}

static void
unplug (Scene *scene)
{
  guest_unplug ();
}

static void
check_heard (const char *id,
             const char *region,
             void (*leave) (Scene *scene))
{
  g_auto (Scene) scene = { NULL };
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) proxied = NULL;
  g_autofree char *map = NULL;

  scene_init (&scene, id);
  mapped = scene_open (&scene, scene.alice, region, "rwm");
  map = person_map (scene.alice, mapped->fd, "rw");
  proxied = scene_open (&scene, scene.bob, "config", "r");
  leave (&scene);
  expect_heard (scene.alice, mapped);
  expect_heard (scene.bob, proxied);
  expect_gone (&scene);
}

static void
test_it_is_heard_first (void)
{
  check_heard (GUEST_EDU, "bar0", unbind);
  check_heard (GUEST_EDU, "bar0", take_away);
  rescan ();
  check_heard (MODEL_ID, "bar0", unplug);
}

typedef struct
{
  Person *person;
  const char *map;
  guint loads;
} Taken;

static gboolean
is_taken (gpointer data)
{
  Taken *self = data;
  g_auto (GStrv) value = person_finish (self->person, person_send (self->person, "load", self->map, "0", "4", NULL), NULL);

  if (value)
    self->loads++;
  return !value;
}

/* What she has left keeps the BAR claimed, for which VFIO's fd is open: for that the
 * kernel waits. */
static void
test_the_kernel_waits_for_the_grace_and_no_longer (void)
{
  g_auto (Scene) scene = { NULL };
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) proxied = NULL;
  g_autofree char *map = NULL;
  Taken taken;
  gint64 start;

  scene_init (&scene, GUEST_IVSHMEM);
  mapped = scene_open (&scene, scene.alice, "bar2", "rwm");
  map = person_do (scene.alice, "map-bar", mapped->fd, "rw", "4194304", NULL);
  proxied = scene_open (&scene, scene.bob, "bar2", "rw");
  g_variant_unref (world_call (scene.world, mapped->path, LEASE_INTERFACE, "Revoke",
                               g_variant_new_parsed ("('test', @a{sv} {})")));
  person_wait_signal (scene.alice, mapped->path, "Ended ('revoked',)");
  world_wait_string (scene.world, mapped->path, LEASE_INTERFACE, "State", "lingering", SOON);
  person_expect_no_signal (scene.bob);
  taken = (Taken){ scene.alice, map, 0 };
  wait_until (is_taken, &taken, SOON, "it is cut");
  g_test_message ("cut after %u loads", taken.loads);

  start = g_get_monotonic_time ();
  unbind (&scene);
  g_test_message ("unbound after %u ms", milliseconds_since (start));
  g_assert_cmpuint (milliseconds_since (start), <, HEARD_AT_ONCE);
  person_wait_signal (scene.bob, proxied->path, "RevokeRequested ('unplugged', 1000)");
  expect_heard (scene.bob, proxied);
  expect_gone (&scene);
}

/* To where the kernel puts it, which is not where it was at first: there it comes
 * to be every time. */
static void
put_anew (const char *id)
{
  g_autofree char *address = guest_find (id);

  guest_set_attribute (address, "remove", "1");
  rescan ();
}

/* Plugged in again at the same place: a new one. */
static void
test_nothing_of_the_old_one_is_valid (void)
{
  g_auto (Scene) scene = { NULL };
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autofree char *map = NULL;
  g_autofree char *bytes = NULL;
  g_autoptr (Person) carol = NULL;
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) proxied = NULL;
  g_autoptr (Opened) fresh = NULL;

  put_anew (GUEST_IVSHMEM);
  scene_init (&scene, GUEST_IVSHMEM);
  carol = person_new ("carol", UID_CAROL);
  before = guest_attribute (scene.address, "resource");
  mapped = scene_open (&scene, scene.alice, "bar2", "rwm");
  map = person_do (scene.alice, "map-bar", mapped->fd, "rw", "4194304", NULL);
  proxied = scene_open (&scene, scene.bob, "bar2", "rw");
  scene_remove (&scene);
  expect_heard (scene.alice, mapped);
  expect_heard (scene.bob, proxied);
  expect_gone (&scene);

  /* While she has that mapping nobody gets the new one. */
  rescan ();
  device_bind (scene.world, scene.address, "{}");
  after = guest_attribute (scene.address, "resource");
  g_assert_cmpstr (after, ==, before);
  g_free (person_open_fails (carol, ERROR ("Lingering"), scene.device, "bar2", "rw", "{}"));
  g_free (person_fail (scene.alice, "SIGBUS", "load", map, "0", "4", NULL));
  g_free (person_fail (scene.alice, "SIGBUS", "store", map, "0", "1", NULL));
  g_free (person_fail (scene.alice, "ENODEV", "map", mapped->fd, "rw", NULL));
  g_free (person_call_fails (scene.alice, ERROR ("Gone"), mapped->path, LEASE_INTERFACE, "Release", "()"));
  person_kill (scene.alice);
  world_wait_uint (scene.world, scene.path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  device_wait_mappable (scene.world, scene.address);

  fresh = person_open (carol, scene.device, "bar2", "rw", "{}");
  g_assert_cmpstr (fresh->path, !=, proxied->path);
  g_free (person_do (carol, "pwrite", fresh->fd, "0", "fresh", NULL));
  g_free (person_fail (scene.bob, "ENOTCONN", "pread", proxied->fd, "0", NULL));
  g_free (person_fail (scene.bob, "ENOTCONN", "pwrite", proxied->fd, "0", "stale", NULL));
  bytes = person_do (carol, "pread", fresh->fd, "0", NULL);
  /* What other tests have left there follows. */
  g_assert_true (g_str_has_prefix (bytes, "fresh"));
  person_let_go (carol, NULL, fresh->fd);
  world_wait_string (scene.world, scene.path, DEVICE_INTERFACE, "State", "parked", SOON);
}

static gboolean
has_asked (gpointer data)
{
  return access (ASKED, F_OK) == 0;
}

static void
test_while_leave_is_asked_for (void)
{
  g_auto (Scene) scene = { NULL };
  guint serial;

  unlink (ASKED);
  scene_init (&scene, GUEST_EDU);
  world_set_rules (scene.world, RULES_SLOW);
  serial = person_send_open (scene.alice, scene.device, "bar0", "rwm", "{}", "");
  wait_until (has_asked, NULL, SOON, "polkit is asked");
  scene_remove (&scene);
  device_wait_gone (scene.world, scene.address);
  g_assert_false (person_has_answer (scene.alice, serial));
  g_free (person_finish_failure (scene.alice, serial, ERROR ("Gone")));
  g_assert_cmpuint (world_count_leases (scene.world), ==, 0);
  world_set_rules (scene.world, RULES_ALLOW_ALL);
  expect_gone (&scene);
  rescan ();
}

/* It is answered, one way or the other. */
static void
expect_answer (Scene *scene,
               guint serial)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (scene->alice, serial, &error);

  g_test_message ("%s", error ? error->message : "done");
  if (!strings)
    g_assert_nonnull (strstr (error->message, "org.regiond1.Error."));
}

static void
test_while_it_is_being_opened (void)
{
  g_auto (Scene) scene = { NULL };
  guint serial;

  scene_init (&scene, GUEST_NVME);
  serial = person_send_open (scene.alice, scene.device, "bar0", "rwm", "{}", "");
  world_wait_string (scene.world, scene.path, DEVICE_INTERFACE, "State", "resetting", SOON);
  g_assert_cmpuint (scene_remove (&scene), <, SOON);
  expect_answer (&scene, serial);
  expect_gone (&scene);
  world_wait_no_leases (scene.world, SOON);
  rescan ();
}

/* By the bus, for which the kernel takes a second. */
static void
test_while_it_is_being_reset (void)
{
  g_auto (Scene) scene = { NULL };
  g_autoptr (Opened) opened = NULL;
  guint serials[3];

  scene_init (&scene, GUEST_E1000E);
  opened = person_open (scene.alice, scene.device, "bar0", "rwm", "{'exclusive': <true>}");
  for (guint i = 0; i < G_N_ELEMENTS (serials); i++)
    serials[i] = person_send (scene.alice, "call", scene.path, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)", "", NULL);
  world_wait_string (scene.world, scene.path, DEVICE_INTERFACE, "State", "resetting", SOON);
  g_assert_cmpuint (scene_remove (&scene), <, SOON);
  for (guint i = 0; i < G_N_ELEMENTS (serials); i++)
    expect_answer (&scene, serials[i]);
  expect_heard (scene.alice, opened);
  expect_gone (&scene);
  rescan ();
}

/* Reads as fast as it can, until that fails. */
typedef struct
{
  int fd;
  int count; /* atomic */
  int error; /* atomic: errno in the end */
} Reader;

static gpointer
read_on (gpointer data)
{
  Reader *self = data;
  guint32 value;

  while (pread (self->fd, &value, sizeof value, 0) == sizeof value)
    g_atomic_int_inc (&self->count);
  g_atomic_int_set (&self->error, errno);
  return NULL;
}

static gboolean
reads (gpointer data)
{
  Reader *self = data;

  return g_atomic_int_get (&self->count) > 10;
}

static gboolean
has_failed (gpointer data)
{
  Reader *self = data;

  return g_atomic_int_get (&self->error) != 0;
}

static void
test_while_it_is_read (void)
{
  g_auto (Scene) scene = { NULL };
  Reader readers[4] = { { 0 } };
  GThread *threads[4];
  const char *const regions[] = { "bar0", "bar2", "config", "bar2" };

  scene_init (&scene, GUEST_IVSHMEM);
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    {
      g_autoptr (Opened) opened = scene_open (&scene, scene.alice, regions[i], "r");

      readers[i].fd = person_give (scene.alice, opened->fd);
      threads[i] = g_thread_new ("reader", read_on, &readers[i]);
      wait_until (reads, &readers[i], SOON, "it is read");
    }
  g_assert_cmpuint (scene_remove (&scene), <, SOON);
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    {
      wait_until (has_failed, &readers[i], SOON, "an error, where nothing is left to read");
      g_thread_join (threads[i]);
      g_test_message ("%s after %d reads", g_strerror (readers[i].error), readers[i].count);
      close (readers[i].fd);
    }
  expect_gone (&scene);
  rescan ();
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/leaving/nothing-of-the-old-one-is-valid", test_nothing_of_the_old_one_is_valid);
  g_test_add_func ("/leaving/while-leave-is-asked-for", test_while_leave_is_asked_for);
  g_test_add_func ("/leaving/while-it-is-being-opened", test_while_it_is_being_opened);
  g_test_add_func ("/leaving/while-it-is-being-reset", test_while_it_is_being_reset);
  g_test_add_func ("/leaving/while-it-is-read", test_while_it_is_read);
  g_test_add_func ("/leaving/kernel-waits-for-the-grace-and-no-longer",
                   test_the_kernel_waits_for_the_grace_and_no_longer);
  g_test_add_func ("/leaving/is-heard-first", test_it_is_heard_first);
  return g_test_run ();
}
