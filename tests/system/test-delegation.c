/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tool.h"
#include "world.h"

#define ENDED "Ended ('process-ended',)"

/* An agent, alice, who opens regions for a process of bob's. */
typedef struct
{
  World *world;
  Person *alice;
  Person *bob;
  char *pidfd; /* of bob's process, alice's */
} Scene;

static Scene
scene_set_up (const char *daemon)
{
  Scene scene;

  scene.world = world_new_allowing_all (daemon);
  scene.alice = person_new ("alice", UID_ALICE);
  scene.bob = person_new ("bob", UID_BOB);
  scene.pidfd = person_take_pidfd (scene.alice, scene.bob->process->pid);
  return scene;
}

static void
scene_clear (Scene *scene)
{
  g_free (scene->pidfd);
  g_clear_pointer (&scene->alice, person_free);
  g_clear_pointer (&scene->bob, person_free);
  world_free (scene->world);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Scene, scene_clear)

static guint
send_open (Scene *scene,
           const char *options)
{
  return person_send_open (scene->alice, "shm0", "bar2", "rwm", options, scene->pidfd);
}

#define BIND "{'bind-to': <handle 0>}"
#define DETACH "{'bind-to': <handle 0>, 'detach': <true>}"

/* What is opened is bob's from now on; the number that it has there. */
static char *
hand_over (Scene *scene,
           const char *options,
           char **path)
{
  g_autoptr (Opened) opened = person_finish_open (scene->alice, send_open (scene, options));
  char *fd = person_pass (scene->alice, opened->fd, scene->bob);

  person_let_go (scene->alice, NULL, opened->fd);
  *path = g_strdup (opened->path);
  return fd;
}

static void
test_the_lease_ends_with_the_process (void)
{
  g_autofree char *path = NULL;
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) hers = person_open (carol, "shm0", "bar2", "rm", "{}");
  g_autofree char *fd = hand_over (&scene, BIND, &path);

  world_expect_string (scene.world, path, LEASE_INTERFACE, "Owner", scene.alice->name);

  person_kill (scene.bob);
  person_wait_signal (scene.alice, path, ENDED);
  world_wait_gone (scene.world, path, 2000);
  service_wait_log ("end shm0:bar2", path, "process-ended", NULL);

  /* Nothing of it was left: the neighbour notices nothing. */
  world_expect_string (scene.world, hers->path, LEASE_INTERFACE, "State", "active");
  person_expect_no_signal (carol);
}

static void
test_without_detach_the_lease_ends_with_its_owner_too (void)
{
  g_autofree char *path = NULL;
  g_auto (Scene) scene = scene_set_up ("");
  g_autofree char *fd = hand_over (&scene, BIND, &path);

  g_clear_pointer (&scene.alice, person_free);
  world_wait_string (scene.world, path, LEASE_INTERFACE, "State", "lingering", 2000);
  service_wait_log ("end shm0:bar2", path, "disconnected", NULL);
}

static void
test_detached_it_outlives_the_agent (void)
{
  g_autofree char *path = NULL, *map = NULL;
  g_auto (Scene) scene = scene_set_up ("");
  g_autofree char *fd = hand_over (&scene, DETACH, &path);

  world_expect_string (scene.world, path, LEASE_INTERFACE, "Owner", "");
  g_assert_cmpuint (world_get_uint (scene.world, path, LEASE_INTERFACE, "Uid"), ==, UID_BOB);
  g_assert_cmpuint (world_get_uint (scene.world, path, LEASE_INTERFACE, "Pid"), ==, scene.bob->process->pid);

  g_clear_pointer (&scene.alice, person_free);
  map = person_map (scene.bob, fd, "rw");
  person_write (scene.bob, map, "still there");
  person_expect_text (scene.bob, map, "still there");
  world_expect_string (scene.world, path, LEASE_INTERFACE, "State", "active");

  person_kill (scene.bob);
  world_wait_gone (scene.world, path, 2000);
  world_wait_string (scene.world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  service_wait_log ("end shm0:bar2", path, "process-ended", NULL);
}

static void
test_a_detached_lease_is_its_users_to_release (void)
{
  g_autofree char *path = NULL;
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Person) another = person_new ("bob", UID_BOB);
  g_autofree char *fd = hand_over (&scene, DETACH, &path);

  g_free (person_call_fails (scene.alice, DENIED, path, LEASE_INTERFACE, "Release", "()"));
  world_expect_string (scene.world, path, LEASE_INTERFACE, "State", "active");
  person_let_go (scene.bob, NULL, fd);
  world_wait_gone (scene.world, path, 2000);

  g_clear_pointer (&path, g_free);
  g_clear_pointer (&fd, g_free);
  fd = hand_over (&scene, DETACH, &path);
  g_free (person_call (another, path, LEASE_INTERFACE, "Release", "()"));
  world_wait_string (scene.world, path, LEASE_INTERFACE, "State", "lingering", 2000);
}

static void
test_a_detached_lease_is_revoked_like_any_other (void)
{
  g_autofree char *path = NULL;
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Person) admin = person_new ("regions-admin", UID_ADMIN);
  g_autofree char *fd = hand_over (&scene, DETACH, &path);

  g_free (person_call (admin, path, LEASE_INTERFACE, "Revoke", "('enough', {'grace': <uint32 20>})"));
  world_wait_string (scene.world, path, LEASE_INTERFACE, "State", "lingering", 2000);
  person_let_go (scene.bob, NULL, fd);
  world_wait_gone (scene.world, path, 2000);

  /* Whoever opened it is told nothing of what is not his. */
  person_expect_no_signal (scene.alice);
  person_expect_no_signal (scene.bob);
}

static void
test_the_process_that_it_is_for_pays (void)
{
  g_autofree char *path = NULL;
  g_auto (Scene) scene = scene_set_up ("MaxLeasesPerUser=1\n");
  g_autofree char *fd = hand_over (&scene, DETACH, &path);
  g_autofree char *message = person_finish_failure (scene.alice, send_open (&scene, DETACH), ERROR ("LimitExceeded"));
  g_autoptr (Opened) hers = NULL;

  g_assert_nonnull (strstr (message, "2002"));
  g_free (person_open_fails (scene.bob, ERROR ("LimitExceeded"), "shm0", "control", "rwm", "{}"));
  hers = person_open (scene.alice, "shm0", "bar2", "rwm", "{}");
}

static void
test_an_exclusive_device_admits_no_process (void)
{
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Opened) hers = person_open (scene.alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}");

  g_free (person_finish_failure (scene.alice, send_open (&scene, DETACH), ERROR ("Busy")));
}

static void
expect_refused (Scene *scene,
                const char *options,
                const char *name,
                const char *word)
{
  g_autofree char *message = person_finish_failure (scene->alice, send_open (scene, options), name);

  if (!strstr (message, word))
    g_error ("no \"%s\" in: %s", word, message);
  g_assert_cmpuint (world_count_leases (scene->world), ==, 0);
}

static void
must_not_bind (Scene *scene,
               int fd,
               const char *name,
               const char *word)
{
  g_autofree char *own = g_steal_pointer (&scene->pidfd);

  scene->pidfd = person_do_with_fd (scene->alice, fd, "take", NULL);
  close (fd);
  expect_refused (scene, BIND, name, word);
  expect_refused (scene, DETACH, name, word);
  g_free (scene->pidfd);
  scene->pidfd = g_steal_pointer (&own);
}

static void
test_what_is_no_living_process_is_refused (void)
{
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  int dead = syscall (SYS_pidfd_open, carol->process->pid, 0);

  person_kill (carol);
  must_not_bind (&scene, dead, ERROR ("NotFound"), "has ended");
  must_not_bind (&scene, eventfd (0, EFD_CLOEXEC), INVALID, "no pidfd");
  expect_refused (&scene, "{'bind-to': <handle 1>}", INVALID, "descriptor 1");
  expect_refused (&scene, "{'bind-to': <handle -1>}", INVALID, "descriptor -1");
  expect_refused (&scene, "{'bind-to': <0>}", INVALID, "takes 'h'");
  expect_refused (&scene, "{'detach': <true>}", INVALID, "'bind-to'");
  expect_refused (&scene, "{'bind-to': <handle 0>, 'detach': <true>, 'exclusive': <true>}", ERROR ("NotSupported"),
                  "'exclusive'");
  g_free (person_open_fails (scene.alice, INVALID, "shm0", "bar2", "rwm", BIND));
  world_expect_string (scene.world, SHM0, DEVICE_INTERFACE, "State", "parked");
}

/* Yes for what is said, in JavaScript, of action and subject. */
#define RULES_WHEN(condition) \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  return " condition " ? polkit.Result.YES : polkit.Result.NO; });\n"

static void
expect_denied (Scene *scene,
               const char *rules,
               const char *options,
               const char *action)
{
  world_set_rules (scene->world, rules);
  expect_refused (scene, options, DENIED, action);
}

static void
expect_granted (Scene *scene,
                const char *rules,
                const char *options)
{
  g_autofree char *path = NULL, *fd = NULL;

  world_set_rules (scene->world, rules);
  fd = hand_over (scene, options, &path);
  person_let_go (scene->bob, NULL, fd);
  world_wait_no_leases (scene->world, 2000);
}

static void
test_to_open_for_another_is_an_action_of_its_own (void)
{
  g_auto (Scene) scene = scene_set_up ("");
  g_autofree char *target = NULL;

  expect_denied (&scene, RULES_WHEN ("action.id != 'org.regiond1.delegate'"), BIND, "org.regiond1.delegate");
  expect_denied (&scene, RULES_WHEN ("action.id == 'org.regiond1.delegate'"), BIND, ACTION_WRITE);
  target = g_strdup_printf (RULES_WHEN ("action.lookup('target_uid') == '%u' && action.lookup('target_pid') == '%d' &&"
                                        " action.lookup('target_unit') !== undefined"),
                            UID_BOB, scene.bob->process->pid);
  expect_granted (&scene, target, BIND);
  expect_granted (&scene, target, DETACH);
  expect_denied (&scene, RULES_WHEN ("action.lookup('target_uid') != '2002'"), BIND, ACTION_WRITE);
}

/* What an agent must not have itself it gets for nobody; and what it leaves with a process that process must be allowed,
   though perhaps by way of an agent only. */
static void
test_with_detach_both_must_be_allowed (void)
{
  g_auto (Scene) scene = scene_set_up ("");

  expect_denied (&scene, RULES_WHEN ("subject.user == 'alice'"), DETACH, ACTION_WRITE);
  expect_granted (&scene, RULES_WHEN ("subject.user == 'alice'"), BIND);
  expect_denied (&scene, RULES_WHEN ("subject.user == 'bob' || action.id == 'org.regiond1.delegate'"), DETACH,
                 ACTION_WRITE);
  expect_granted (&scene, RULES_WHEN ("subject.user == 'alice' || action.lookup('target_uid') == '2002'"), DETACH);
}

static void
test_a_process_that_ends_while_polkit_is_asked_gets_nothing (void)
{
  static const char *const options[] = { BIND, DETACH };

  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    {
      g_auto (Scene) scene = scene_set_up ("");
      guint serial;

      process_stop (scene.world->polkitd);
      serial = send_open (&scene, options[i]);
      g_free (person_call (scene.alice, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
      person_kill (scene.bob);
      process_signal (scene.world->polkitd, SIGCONT);
      g_free (person_finish_failure (scene.alice, serial, ERROR ("Gone")));
      g_assert_cmpuint (world_count_leases (scene.world), ==, 0);
      world_expect_string (scene.world, SHM0, DEVICE_INTERFACE, "State", "parked");
    }
}

/* A container whose init dies before it has been given what was opened for it. */
static void
test_a_process_that_ends_before_its_region_is_used_leaves_nothing_behind (void)
{
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) opened = person_finish_open (scene.alice, send_open (&scene, DETACH));
  g_autoptr (Opened) hers = NULL;
  g_autofree char *map = NULL, *her_map = NULL;

  person_kill (scene.bob);
  world_wait_string (scene.world, opened->path, LEASE_INTERFACE, "State", "lingering", 2000);
  world_wait_string (scene.world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);

  /* The agent's copy is nobody else's memory any more. */
  map = person_map (scene.alice, opened->fd, "rw");
  person_write (scene.alice, map, "nobody's");
  hers = person_open (carol, "shm0", "bar2", "rwm", "{}");
  her_map = person_map (carol, hers->fd, "rw");
  person_expect_zeros (carol, her_map);
  person_let_go (scene.alice, map, opened->fd);
  world_wait_gone (scene.world, opened->path, 2000);
}

/* Two yeses have granted it, and it ends with either. */
static void
test_it_ends_with_the_right_to_open_for_another (void)
{
  g_autofree char *path = NULL;
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Opened) own = person_open (scene.alice, "shm0", "control", "rwm", "{}");
  g_autofree char *fd = hand_over (&scene, BIND, &path);

  world_set_rules (scene.world, RULES_WHEN ("action.id != 'org.regiond1.delegate'"));
  person_wait_signal (scene.alice, path, "Ended ('withdrawn',)");
  world_expect_string (scene.world, own->path, LEASE_INTERFACE, "State", "active");
}

/* Who opened it may be gone, or be refused: the process is asked about. */
static void
test_a_detached_lease_ends_when_its_process_would_not_get_it (void)
{
  g_autofree char *path = NULL;
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Opened) hers = person_open (scene.alice, "shm0", "control", "rwm", "{}");
  g_autofree char *fd = hand_over (&scene, DETACH, &path);

  world_set_rules (scene.world, RULES_WHEN ("action.lookup('target_uid') == '2002' && subject.user == 'bob'"));
  person_wait_signal (scene.alice, hers->path, "Ended ('withdrawn',)");
  world_expect_string (scene.world, path, LEASE_INTERFACE, "State", "active");
  g_clear_pointer (&scene.alice, person_free);
  world_expect_string (scene.world, path, LEASE_INTERFACE, "State", "active");

  world_set_rules (scene.world, RULES_WHEN ("subject.user == 'alice'"));
  world_wait_string (scene.world, path, LEASE_INTERFACE, "State", "lingering", 20000);
  service_wait_log ("end shm0:bar2", path, "withdrawn", NULL);
}

/* A process in a rootless engine's container is one of its subordinate ids', which has no name. */
#define UID_NAMELESS "100001"

static gboolean
is_nameless (gpointer data)
{
  Process *process = data;
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", process->pid);
  g_autofree char *status = NULL;

  return g_file_get_contents (path, &status, NULL, NULL) && strstr (status, "\nUid:\t" UID_NAMELESS "\t");
}

static Process *
start_nameless (void)
{
  const char *const argv[] = { "/usr/bin/setpriv", "--reuid=" UID_NAMELESS, "--regid=" UID_NAMELESS, "--clear-groups",
                               "--pdeathsig=KILL", "sleep", "60", NULL };
  Process *process = process_spawn (argv, NULL, NULL, NULL);

  wait_until (is_nameless, process, 5000, "a process of a user without a name");
  return process;
}

static void
test_a_process_of_a_user_without_a_name (void)
{
  g_auto (Scene) scene = scene_set_up ("MaxLeasesPerUser=1\n");
  g_autoptr (Process) process = start_nameless ();
  g_autoptr (Result) told = NULL;
  g_autofree char *path = NULL, *fd = NULL, *message = NULL;

  g_free (scene.pidfd);
  scene.pidfd = person_take_pidfd (scene.alice, process->pid);
  expect_denied (&scene, RULES_WHEN ("action.lookup('target_uid') != '" UID_NAMELESS "'"), BIND, ACTION_WRITE);
  expect_granted (&scene, RULES_WHEN ("action.lookup('target_uid') == '" UID_NAMELESS "'"), BIND);

  /* polkit's rules see the number as the user's name. */
  expect_denied (&scene, RULES_WHEN ("subject.user == 'alice'"), DETACH, ACTION_WRITE);
  world_set_rules (scene.world, RULES_WHEN ("subject.user == 'alice' || subject.user == '" UID_NAMELESS "'"));
  fd = hand_over (&scene, DETACH, &path);
  g_assert_cmpuint (world_get_uint (scene.world, path, LEASE_INTERFACE, "Uid"), ==, atoi (UID_NAMELESS));
  message = person_finish_failure (scene.alice, send_open (&scene, DETACH), ERROR ("LimitExceeded"));
  g_assert_nonnull (strstr (message, UID_NAMELESS));
  told = tool_run (NULL, "leases", NULL);
  result_assert (told, 0);
  g_assert_nonnull (strstr (told->out, UID_NAMELESS));

  person_let_go (scene.bob, NULL, fd);
  process_signal (process, SIGKILL);
  world_wait_gone (scene.world, path, 2000);
  service_wait_log ("end shm0:bar2", path, NULL);
}

/* The super-user may do everything himself; what he leaves with bob's process is what bob may have. */
static void
test_what_root_leaves_with_a_process_that_process_must_be_allowed (void)
{
  g_auto (Scene) scene = scene_set_up ("");
  g_autoptr (Person) root = person_new ("root", 0);
  g_autofree char *pidfd = person_take_pidfd (root, scene.bob->process->pid);
  g_autoptr (Opened) opened = NULL;
  g_autofree char *message = NULL, *his = NULL;

  world_set_rules (scene.world, RULES_WHEN ("subject.user == 'alice'"));
  message = person_finish_failure (root, person_send_open (root, "shm0", "bar2", "rwm", DETACH, pidfd), DENIED);
  g_assert_nonnull (strstr (message, ACTION_WRITE));
  opened = person_finish_open (root, person_send_open (root, "shm0", "bar2", "rwm", BIND, pidfd));
  person_let_go (root, NULL, opened->fd);
  g_clear_pointer (&opened, opened_free);

  world_set_rules (scene.world, RULES_WHEN ("subject.user == 'bob' && action.lookup('target_uid') == '2002'"));
  opened = person_finish_open (root, person_send_open (root, "shm0", "bar2", "rwm", DETACH, pidfd));
  his = person_pass (root, opened->fd, scene.bob);
  g_clear_pointer (&root, person_free);
  g_assert_cmpuint (world_get_uint (scene.world, opened->path, LEASE_INTERFACE, "Uid"), ==, UID_BOB);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/delegation/the-lease-ends-with-the-process", test_the_lease_ends_with_the_process);
  g_test_add_func ("/delegation/without-detach-the-lease-ends-with-its-owner-too",
                   test_without_detach_the_lease_ends_with_its_owner_too);
  g_test_add_func ("/delegation/detached-it-outlives-the-agent", test_detached_it_outlives_the_agent);
  g_test_add_func ("/delegation/a-detached-lease-is-its-users-to-release", test_a_detached_lease_is_its_users_to_release);
  g_test_add_func ("/delegation/a-detached-lease-is-revoked-like-any-other",
                   test_a_detached_lease_is_revoked_like_any_other);
  g_test_add_func ("/delegation/the-process-that-it-is-for-pays", test_the_process_that_it_is_for_pays);
  g_test_add_func ("/delegation/an-exclusive-device-admits-no-process", test_an_exclusive_device_admits_no_process);
  g_test_add_func ("/delegation/what-is-no-living-process-is-refused", test_what_is_no_living_process_is_refused);
  g_test_add_func ("/delegation/to-open-for-another-is-an-action-of-its-own",
                   test_to_open_for_another_is_an_action_of_its_own);
  g_test_add_func ("/delegation/with-detach-both-must-be-allowed", test_with_detach_both_must_be_allowed);
  g_test_add_func ("/delegation/a-process-that-ends-while-polkit-is-asked-gets-nothing",
                   test_a_process_that_ends_while_polkit_is_asked_gets_nothing);
  g_test_add_func ("/delegation/a-process-that-ends-before-its-region-is-used-leaves-nothing-behind",
                   test_a_process_that_ends_before_its_region_is_used_leaves_nothing_behind);
  g_test_add_func ("/delegation/it-ends-with-the-right-to-open-for-another",
                   test_it_ends_with_the_right_to_open_for_another);
  g_test_add_func ("/delegation/a-detached-lease-ends-when-its-process-would-not-get-it",
                   test_a_detached_lease_ends_when_its_process_would_not_get_it);
  g_test_add_func ("/delegation/a-process-of-a-user-without-a-name", test_a_process_of_a_user_without_a_name);
  g_test_add_func ("/delegation/what-root-leaves-with-a-process-that-process-must-be-allowed",
                   test_what_root_leaves_with_a_process_that_process_must_be_allowed);
  return g_test_run ();
}
