/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "command.h"
#include "container.h"
#include "kept.h"
#include "tool.h"

/* What docs/containers.md says, word for word where it can be. Bob keeps the
 * memory, so that what alice's programs do shows in it. */
typedef struct
{
  Kept kept;
  char *listener;
} Scene;

/* Only in the test: the machine may have both kinds of cgroups, and then crun gives up. */
static void
bring_cgroups (void)
{
  if (mount ("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) != 0)
    g_test_message ("no cgroups of its own: %s", g_strerror (errno));
}

static void
scene_set_up (Scene *scene,
              gconstpointer data)
{
  kept_set_up (&scene->kept, "shm0", RULES_ALLOW_ALL);
  scene->listener = command_publish (g_getenv ("REGIOND_TEST_LISTENER"));
}

static void
scene_tear_down (Scene *scene,
                 gconstpointer data)
{
  kept_tear_down (&scene->kept);
  g_free (scene->listener);
}

static void
assert_lines (Result *result,
              const char *lines)
{
  result_assert (result, 0);
  g_assert_cmpstr (result->out, ==, lines);
  g_assert_cmpstr (result->err, ==, "");
}

static void
test_a_service (Scene *scene,
                gconstpointer data)
{
  g_autoptr (Result) mapped = tool_run (NULL, "exec", "shm0:control:rw=registers", "shm0:bar2:rwm=ring", "--",
                                        scene->listener, "ring", "from the service", NULL);
  g_autoptr (Result) proxied = NULL;

  assert_lines (mapped, "ring is one of 2\n");
  stay_expect_text (scene->kept.stay, "from the service");
  proxied = tool_run (NULL, "exec", "shm0:bar2:rw=ring", "--", scene->listener, "ring", "without a mapping", NULL);
  assert_lines (proxied, "ring is one of 1\n");
  stay_expect_text (scene->kept.stay, "without a mapping");
}

static void
test_as_another_user (Scene *scene,
                      gconstpointer data)
{
  g_autofree char *installed = sandbox_installed ("usr/bin/regionctl");
  g_autofree char *regionctl = command_publish (installed);
  g_autofree char *output = NULL;
  g_autofree char *nobody = NULL, *bound = NULL;
  g_autoptr (Result) not_root = tool_run (NULL, "exec", "shm0:bar2:rwm", "--user", "bob", "--", "true", NULL);

  result_assert (not_root, 1);
  g_assert_nonnull (strstr (not_root->err, "Only root"));
  g_assert_cmpint (command_finish (command_start (0, regionctl, "exec", "shm0:bar2:rwm", "--user", "nobody-at-all",
                                                  "--", "true", NULL), &nobody), ==, 1);
  g_assert_nonnull (strstr (nobody, "nobody-at-all"));
  /* Nor can every root become somebody else. */
  g_assert_cmpint (command_finish (command_start (0, "/usr/bin/setpriv", "--bounding-set=-setuid", regionctl, "exec",
                                                  "shm0:bar2:rwm", "--user", "alice", "--", "true", NULL), &bound),
                   ==, 126);
  g_assert_nonnull (strstr (bound, "cannot be run as user “alice”: Operation not permitted"));

  g_assert_cmpint (command_finish (command_start (0, regionctl, "exec", "shm0:bar2:rwm=ring", "--user", "alice",
                                                  "--", "sh", "-c",
                                                  "id -u; id -G; echo $USER $LOGNAME $HOME;"
                                                  "exec 2>&1; true < /proc/self/fd/3; exec \"$@\"",
                                                  "sh", scene->listener, "ring", "hers", NULL), &output), ==, 0);
  g_assert_nonnull (strstr (output, "2001\n2001 2100\nalice alice /nonexistent\n"));
  /* What is root's to open is hers to use, and no more. */
  g_assert_nonnull (strstr (output, "Permission denied"));
  stay_expect_text (scene->kept.stay, "hers");
}

static void
test_a_container (Scene *scene,
                  gconstpointer data)
{
  g_autoptr (Result) result = NULL;

  if (!container_make ("echo $LISTEN_FDNAMES is $LISTEN_FDS of $LISTEN_PID; echo from the container >&3;"
                       "head -n 1 /proc/self/fd/3; ls /proc/self/fd | wc -l"))
    return;

  result = tool_run (NULL, "exec", "shm0:bar2:rw=ring", "--", CONTAINER_RUN, NULL);
  assert_lines (result, "ring is 1 of 1\nfrom the container\n5\n");
  stay_expect_text (scene->kept.stay, "from the container\n");
}

/* Not by a bus, not by a device node, not by a file of sysfs, and not by opening
 * what it has with more access. */
static void
test_a_container_has_nothing_else (Scene *scene,
                                   gconstpointer data)
{
  g_autoptr (Result) result = NULL;

  if (!container_make ("find / -path /proc -prune -o -type s -print -o -type b -print;"
                       "ls /dev; find / -path /proc -prune -o -name 'resource*' -print; ls -d /sys /run 2> /dev/null; grep -c / /proc/net/unix;"
                       "(mknod /dev/mem c 1 1) 2> /dev/null && echo made; (echo w > /proc/self/fd/3) 2> /dev/null && echo wrote;"
                       "head -c 5 /proc/self/fd/3"))
    return;

  stay_write (scene->kept.stay, "bob's");
  result = tool_run (NULL, "exec", "shm0:bar2:r=ring", "--", CONTAINER_RUN, NULL);
  assert_lines (result, "core\nfd\nfull\nnull\nptmx\nrandom\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n"
                        "0\nbob's");
}

static void
test_a_container_that_ends_at_once (Scene *scene,
                                    gconstpointer data)
{
  g_autoptr (Result) result = NULL;

  if (!container_make ("exit 3"))
    return;

  result = tool_run (NULL, "exec", "shm0:bar2:rwm=ring", "--", CONTAINER_RUN, NULL);
  result_assert (result, 3);
  kept_wait_alone (&scene->kept);
  person_expect_no_signal (scene->kept.bob);
  stay_write (scene->kept.stay, "still here");
  stay_expect_text (scene->kept.stay, "still here");
}

/* Who holds the lease is killed, and the container goes on without the region. */
static void
test_a_container_whose_lease_ends (Scene *scene,
                                   gconstpointer data)
{
  g_autoptr (Tool) tool = NULL;
  g_autofree char *up = NULL;
  g_autofree char *dead = NULL;

  if (!container_make ("echo up; read line; cat <&3 || echo dead"))
    return;

  tool = tool_start ("exec", "shm0:bar2:rw=ring", "--", CONTAINER_RUN, NULL);
  up = tool_read_line (tool);
  g_assert_cmpstr (up, ==, "up");
  tool_signal (tool, SIGKILL);
  service_wait_log ("end shm0:bar2 rw lease", "disconnected", NULL);
  tool_close_input (tool);
  dead = tool_read_line (tool);
  g_assert_cmpstr (dead, ==, "dead");
}

/* The region is a process's, not the command's alone: of a container, or of a
 * machine, that somebody else has started. */
static void
test_tied_to_a_process (Scene *scene,
                        gconstpointer data)
{
  const char *const sleeper[] = { "/usr/bin/setpriv", "--reuid=2001", "--regid=2001", "--clear-groups", "sleep", "60",
                                  NULL };
  g_autoptr (Process) process = process_spawn (sleeper, NULL, NULL, NULL);
  g_autofree char *pid = g_strdup_printf ("%d", process->pid);
  g_autoptr (Tool) tool = tool_start ("exec", "shm0:bar2:rw", "--bind-to", pid, "--", "sh", "-c",
                                      "echo up; read line; cat <&3 || echo dead", NULL);
  g_autofree char *up = tool_read_line (tool);
  g_autoptr (Result) result = NULL;
  g_autoptr (Result) late = NULL;
  g_autoptr (Result) nonsense = tool_run (NULL, "exec", "shm0:bar2:rw", "--bind-to", "me", "--", "true", NULL);

  result_assert (nonsense, 2);
  g_assert_cmpstr (up, ==, "up");
  process_signal (process, SIGKILL);
  process_wait (process);
  service_wait_log ("end shm0:bar2 rw lease", "process-ended", NULL);
  tool_close_input (tool);
  result = tool_finish (tool);
  g_assert_cmpstr (result->out, ==, "dead\n");
  g_assert_nonnull (strstr (result->err, "shm0:bar2 has ended: process-ended"));

  late = tool_run (NULL, "exec", "shm0:bar2:rw", "--bind-to", pid, "--", "true", NULL);
  result_assert (late, 1);
  g_assert_nonnull (strstr (late->err, "cannot be tied to process"));
  stay_expect_text (scene->kept.stay, "");
}

#define IN_BUBBLE \
  "bwrap", "--unshare-all", "--as-pid-1", "--setenv", "LISTEN_PID", "1", "--ro-bind", "/usr", "/usr", "--symlink", \
    "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--proc", "/proc", "--dev", \
    "/dev"

static void
test_bubblewrap (Scene *scene,
                 gconstpointer data)
{
  g_autoptr (Result) result = NULL;
  g_autoptr (Result) looks = NULL;

  if (!sandbox_has_program ("bwrap"))
    return;

  result = tool_run (NULL, "exec", "shm0:bar2:rwm=ring", "--", IN_BUBBLE, "--ro-bind", scene->listener, "/listener",
                     "/listener", "ring", "from the bubble", NULL);
  assert_lines (result, "ring is one of 1\n");
  stay_expect_text (scene->kept.stay, "from the bubble");

  looks = tool_run (NULL, "exec", "shm0:bar2:rm", "--", IN_BUBBLE, "sh", "-c",
                    "ls -d /run /sys /dev/vfio /dev/mem 2> /dev/null; ls -m /proc/1/fd", NULL);
  assert_lines (looks, "0, 1, 2, 3\n");
}

static void
test_a_path (Scene *scene,
             gconstpointer data)
{
  g_autoptr (Result) written = tool_run ("by its path", "exec", "shm0:bar2:rw", "--", "dd", "of=/proc/self/fd/3",
                                         "conv=notrunc", "status=none", NULL);
  g_autoptr (Result) read = tool_run (NULL, "exec", "shm0:bar2:r", "--", "head", "-c", "11", "/proc/self/fd/3", NULL);
  g_autoptr (Result) more = tool_run ("no", "exec", "shm0:bar2:r", "--", "dd", "of=/proc/self/fd/3", "conv=notrunc",
                                      NULL);
  g_autoptr (Result) memory = tool_run (NULL, "exec", "shm0:bar2:rm", "--", "head", "-c", "11", "/proc/self/fd/3",
                                        NULL);

  assert_lines (written, "");
  stay_expect_text (scene->kept.stay, "by its path");
  assert_lines (read, "by its path");
  result_assert (more, 1);
  g_assert_nonnull (strstr (more->err, "Permission denied"));
  result_assert (memory, 1);
  g_assert_nonnull (strstr (memory->err, "Permission denied"));
  stay_expect_text (scene->kept.stay, "by its path");
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  bring_cgroups ();
#define ADD(name, func) g_test_add ("/containers/" name, Scene, NULL, scene_set_up, func, scene_tear_down)
  ADD ("a-service-finds-its-regions-by-name", test_a_service);
  ADD ("root-gives-regions-to-another-users-program", test_as_another_user);
  ADD ("a-container-uses-its-region", test_a_container);
  ADD ("a-container-has-nothing-else", test_a_container_has_nothing_else);
  ADD ("a-container-that-ends-at-once-leaves-nothing", test_a_container_that_ends_at_once);
  ADD ("a-container-whose-lease-ends-has-nothing", test_a_container_whose_lease_ends);
  ADD ("a-region-is-tied-to-a-process", test_tied_to_a_process);
  ADD ("bubblewrap", test_bubblewrap);
  ADD ("a-program-that-takes-a-path", test_a_path);
  return g_test_run ();
}
