/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "command.h"
#include "tool.h"
#include "world.h"

/* Commands that regionctl runs with leases: exec opens them, attach is shown them. */

static void
test_exec_fds (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Result) result = NULL;

  result = tool_run (NULL, "exec", "shm0:bar2:rwm=ring", "shm0:control:rm", "--", "sh", "-c",
                     "echo $LISTEN_FDS $LISTEN_FDNAMES; test $LISTEN_PID = $$ && echo mine;"
                     "stat -Lc %s /proc/$$/fd/3 /proc/$$/fd/4; ls -m /proc/$$/fd; exit 5",
                     NULL);
  result_assert (result, 5);
  g_assert_cmpstr (result->out, ==, "2 ring:control\nmine\n1048576\n4096\n0, 1, 2, 3, 4\n");
  g_assert_cmpstr (result->err, ==, "");
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

static void
assert_exec_status (const char *command,
                    const char *argument1,
                    const char *argument2,
                    int status)
{
  g_autoptr (Result) result = tool_run (NULL, "exec", "shm0:bar2:rm", "--", command, argument1, argument2, NULL);

  result_assert (result, status);
}

static void
test_exec_status (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Result) refused = tool_run (NULL, "exec", "shm0:bar9:rw", "--", "true", NULL);
  g_autoptr (Result) name = tool_run (NULL, "exec", "shm0:bar2:rm=a:b", "--", "true", NULL);
  g_autoptr (Result) no_command = tool_run (NULL, "exec", "shm0:bar2:rm", NULL);

  assert_exec_status ("true", NULL, NULL, 0);
  assert_exec_status ("sh", "-c", "exit 3", 3);
  assert_exec_status ("sh", "-c", "kill -KILL $$", 128 + SIGKILL);
  assert_exec_status ("no-such-command", NULL, NULL, 127);
  assert_exec_status ("/etc/passwd", NULL, NULL, 126);
  result_assert (refused, 1);
  assert_has (refused->err, "shm0:bar9");
  result_assert (name, 2);
  result_assert (no_command, 2);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

static void
test_exec_lifetime (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) tool = tool_start ("exec", "shm0:bar2:rwm", "--", "sh", "-c",
                                      "trap 'exit 7' USR1; echo up; while :; do sleep 0.01; done", NULL);
  g_autofree char *line = tool_read_line (tool);
  g_autoptr (Result) result = NULL;

  g_assert_cmpstr (line, ==, "up");
  g_assert_cmpuint (world_count_leases (world), ==, 1);
  tool_signal (tool, SIGUSR1);
  result = tool_finish (tool);
  result_assert (result, 7);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

/* The command alone holds the region: when it lets go, nobody does. */
static void
test_exec_keeps_no_fd (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) tool = tool_start ("exec", "shm0:bar2:rwm", "--", "sh", "-c",
                                      "exec 3>&-; echo closed; read line", NULL);
  g_autofree char *line = tool_read_line (tool);
  g_autoptr (Result) result = NULL;

  g_assert_cmpstr (line, ==, "closed");
  world_wait_no_leases (world, 5000);
  tool_close_input (tool);
  result = tool_finish (tool);
  result_assert (result, 1);
  g_assert_cmpstr (result->err, ==, "");
}

static gboolean
has_one_lease (gpointer data)
{
  return world_count_leases (data) == 1;
}

/* Run by exec: what it is given it shows, and lets go. */
static void
test_attach (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autofree char *program = sandbox_installed ("usr/bin/regionctl");
  g_autoptr (Tool) tool = tool_start ("exec", "shm0:bar2:rwm", "--", program, "attach", "3:rm=ring", "--label", "hers",
                                      "--", "sh", "-c",
                                      "echo $LISTEN_FDS $LISTEN_FDNAMES; ls -m /proc/$$/fd; stat -Lc %s /proc/$$/fd/3;"
                                      "read line",
                                      NULL);
  g_autofree char *names = tool_read_line (tool), *fds = tool_read_line (tool), *size = tool_read_line (tool);
  g_autoptr (GVariant) leases = NULL;
  g_autofree const char **paths = NULL;
  g_autoptr (Result) result = NULL;

  g_assert_cmpstr (names, ==, "1 ring");
  g_assert_cmpstr (fds, ==, "0, 1, 2, 3");
  g_assert_cmpstr (size, ==, "1048576");

  /* Nobody has what was shown any more. */
  wait_until (has_one_lease, world, 5000, "only one lease being left");
  leases = world_get (world, SHM0, DEVICE_INTERFACE, "Leases");
  paths = g_variant_get_objv (leases, NULL);
  world_expect_string (world, paths[0], LEASE_INTERFACE, "Label", "hers");
  world_expect_string (world, paths[0], LEASE_INTERFACE, "Access", "rm");
  tool_close_input (tool);
  result = tool_finish (tool);
  result_assert (result, 1);
  g_assert_cmpstr (result->err, ==, "");
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

#define FLAG SANDBOX_DIR "/alice-has-left"
#define ATTACHED SANDBOX_DIR "/attached"

static gboolean
has_attached (gpointer data)
{
  g_autofree char *shown = NULL;

  return g_file_get_contents (ATTACHED, &shown, NULL, NULL) && g_str_equal (shown, "ring\n");
}

/* Without a mapping, too: hers ends with her, and his is his own. */
static void
test_attach_to_what_another_user_has (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rw", "{}");
  g_autofree char *installed = sandbox_installed ("usr/bin/regionctl");
  g_autofree char *program = command_publish (installed);
  g_autofree char *shown = NULL;
  const char *const argv[] = { "/usr/bin/setpriv", "--reuid=2002", "--regid=2002", "--init-groups", program, "attach",
                               "3=ring", "--", "sh", "-c", "echo $LISTEN_FDNAMES; until [ -e " FLAG " ]; do sleep 0.01;"
                               "done; id -u; head -c 5 /proc/self/fd/3", NULL };
  int fd = person_give (alice, hers->fd);
  g_autoptr (Process) bobs = process_spawn (argv, NULL, (const ProcessFd[]){ { fd, 3 }, { -1, 0 } }, ATTACHED);

  g_assert_cmpint (pwrite (fd, "hello", 5, 0), ==, 5);
  close (fd);
  wait_until (has_attached, NULL, 10000, "regionctl having a region of its own");
  person_kill (alice);
  world_wait_gone (world, hers->path, 5000);
  sandbox_write (FLAG, "");
  g_assert_cmpint (process_wait (bobs), ==, 0);
  g_assert_true (g_file_get_contents (ATTACHED, &shown, NULL, NULL));
  g_assert_cmpstr (shown, ==, "ring\n2002\nhello");
  world_wait_no_leases (world, 5000);
}

static void
test_attach_to_nothing (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autofree char *program = sandbox_installed ("usr/bin/regionctl");
  g_autofree char *script = g_strdup_printf ("exec %s attach 3 -- true 3</dev/null", program);
  g_autoptr (Result) nothing = tool_run (NULL, "attach", "3", "--", "true", NULL);
  g_autoptr (Result) standard = tool_run (NULL, "attach", "2", "--", "true", NULL);
  g_autoptr (Result) command = tool_run (NULL, "attach", "3", NULL);
  g_autoptr (Result) twice = tool_run (NULL, "exec", "shm0:bar2:rwm", "--", program, "attach", "3", "3=x", "--", "true", NULL);
  g_autoptr (Result) file = tool_run (NULL, "exec", "shm0:bar2:rwm", "--", "sh", "-c", script, NULL);

  result_assert (nothing, 1);
  assert_has (nothing->err, "descriptor 3");
  result_assert (standard, 2);
  result_assert (command, 2);
  assert_has (command->err, "attach: the command is missing");
  result_assert (twice, 2);
  assert_has (twice->err, "given twice");
  result_assert (file, 1);
  assert_has (file->err, "no active lease");
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

static void
test_exec_killed (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) tool = tool_start ("exec", "shm0:bar2:rwm", "--", "sh", "-c",
                                      "trap 'echo told; exit' TERM; echo up; while :; do sleep 0.01; done", NULL);
  g_autofree char *up = tool_read_line (tool);
  g_autofree char *told = NULL;

  g_assert_cmpstr (up, ==, "up");
  tool_signal (tool, SIGKILL);
  told = tool_read_line (tool);
  g_assert_cmpstr (told, ==, "told");
  world_wait_no_leases (world, 5000);
}

static gboolean
has_ended_by_sigterm (gpointer data)
{
  Tool *tool = data;

  tool_signal (tool, SIGTERM);
  return g_subprocess_get_identifier (tool->process) == NULL;
}

/* After the command nobody has its number, or somebody else. */
static void
test_exec_interrupted (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) tool = tool_start ("exec", "shm0:bar2:rm", "shm0:control:rm", "--", "sh", "-c", "echo up; read line", NULL);
  g_autofree char *up = tool_read_line (tool);
  g_autoptr (Result) result = NULL;

  process_stop (world->regiond);
  tool_close_input (tool);
  wait_until (has_ended_by_sigterm, tool, 10000, "regionctl being interrupted");
  process_signal (world->regiond, SIGCONT);
  result = tool_finish (tool);
  result_assert (result, 128 + SIGTERM);
  world_wait_no_leases (world, 5000);
}

/* A key reaches the command once, not once more through regionctl. */
static void
test_exec_key (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  Session *session = session_start (80, "exec", "shm0:bar2:rm", "--", "sh", "-c",
                                    "trap 'echo INT' INT; trap 'echo done; exit 4' USR1; echo up;"
                                    "while :; do sleep 0.01; done", NULL);
  g_autoptr (Result) result = NULL;
  const char *first;

  session_wait_for (session, "up");
  session_type (session, "\003");
  session_wait_for (session, "INT");
  kill (session->pid, SIGUSR1);
  result = session_finish (session);
  result_assert (result, 4);
  first = strstr (result->out, "INT");
  g_assert_null (strstr (first + 1, "INT"));
}

static char *
get_lease (World *world)
{
  g_autoptr (Result) leases = tool_run (NULL, "leases", "--no-legend", NULL);
  g_auto (GStrv) words = g_strsplit (g_strchug (leases->out), " ", 2);

  result_assert (leases, 0);
  g_assert_cmpuint (world_count_leases (world), ==, 1);
  return g_strdup (words[0]);
}

static void
test_exec_revoked (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) tool = tool_start ("exec", "shm0:bar2:rwm", "--", "sh", "-c", "echo up; read line; exit 6", NULL);
  g_autofree char *line = tool_read_line (tool);
  g_autofree char *lease = get_lease (world);
  g_autoptr (Result) revoke = tool_run (NULL, "revoke", lease, "maintenance", "--grace", "50ms", NULL);
  g_autofree char *path = g_strconcat ("/org/regiond1/leases/", lease, NULL);
  g_autoptr (Result) verify = NULL;
  g_autoptr (Result) result = NULL;

  g_assert_cmpstr (line, ==, "up");
  result_assert (revoke, 0);
  /* The command goes on with what it has. */
  world_wait_string (world, path, LEASE_INTERFACE, "State", "lingering", 5000);
  verify = tool_run (NULL, "verify", "shm0", "--json", NULL);
  result_assert (verify, 1);
  assert_has (verify->out, "\"released\" : false");
  tool_close_input (tool);
  result = tool_finish (tool);
  result_assert (result, 6);
  assert_has (result->err, "will end in 50 ms: maintenance");
  assert_has (result->err, "shm0:bar2 has ended: revoked");
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/regionctl/exec/fds", test_exec_fds);
  g_test_add_func ("/regionctl/exec/status", test_exec_status);
  g_test_add_func ("/regionctl/attach", test_attach);
  g_test_add_func ("/regionctl/attach/to-what-another-user-has", test_attach_to_what_another_user_has);
  g_test_add_func ("/regionctl/attach/to-nothing", test_attach_to_nothing);
  g_test_add_func ("/regionctl/exec/lifetime", test_exec_lifetime);
  g_test_add_func ("/regionctl/exec/keeps-no-fd", test_exec_keeps_no_fd);
  g_test_add_func ("/regionctl/exec/killed", test_exec_killed);
  g_test_add_func ("/regionctl/exec/interrupted", test_exec_interrupted);
  g_test_add_func ("/regionctl/exec/key", test_exec_key);
  g_test_add_func ("/regionctl/exec/revoked", test_exec_revoked);
  return g_test_run ();
}
