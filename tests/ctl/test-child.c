/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "relay.h"

static int
make_fd (const char *contents)
{
  int fd = memfd_create ("test", MFD_CLOEXEC);

  g_assert_cmpint (fd, !=, -1);
  g_assert_cmpint (pwrite (fd, contents, strlen (contents), 0), ==, strlen (contents));
  return fd;
}

static pid_t
spawn_shell (CtlRelay    *relay,
             const char  *script,
             const int   *fds,
             guint        n_fds,
             const char **names)
{
  const char *argv[] = { "sh", "-c", script, NULL };
  const CtlCommand command = { .argv = (char **) argv, .fds = fds, .n_fds = n_fds, .names = names };
  g_autoptr (GError) error = NULL;
  int status;
  pid_t pid = ctl_child_spawn (relay, &command, &status, &error);

  g_assert_no_error (error);
  g_assert_cmpint (pid, >, 0);
  return pid;
}

static int
wait_for (pid_t pid)
{
  int status;

  while (waitpid (pid, &status, 0) == -1)
    g_assert_cmpint (errno, ==, EINTR);

  return ctl_child_get_status (status);
}

static void
test_fds (void)
{
  const char *names[] = { "ring", "control" };
  const int fds[] = { make_fd ("one"), make_fd ("two") };
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  pid_t pid;

  /* It was said of somebody else. */
  g_setenv ("LISTEN_PIDFDID", "7", TRUE);
  pid = spawn_shell (relay, "test \"$LISTEN_FDS\" = 2 && test -z \"$LISTEN_PIDFDID\" && test \"$LISTEN_PID\" = $$ && "
                     "test \"$LISTEN_FDNAMES\" = ring:control && "
                     "test \"$(cat /proc/self/fd/3)\" = one && test \"$(cat /proc/self/fd/4)\" = two",
                     fds, 2, names);
  close (fds[0]);
  close (fds[1]);
  g_assert_cmpint (wait_for (pid), ==, 0);
}

/* The sources may stand where the copies go. */
static void
test_crossed_fds (void)
{
  const char *names[] = { "a", "b" };
  int first = make_fd ("one");
  int second = make_fd ("two");
  const int fds[] = { MAX (first, second), MIN (first, second) };
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  pid_t pid;

  pid = spawn_shell (relay, first > second
                       ? "test \"$(cat <&3)\" = one && test \"$(cat <&4)\" = two"
                       : "test \"$(cat <&3)\" = two && test \"$(cat <&4)\" = one",
                     fds, 2, names);
  close (first);
  close (second);
  g_assert_cmpint (wait_for (pid), ==, 0);
}

static void
test_nothing_else_leaks (void)
{
  const char *names[] = { "a" };
  const int fds[] = { make_fd ("one") };
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  pid_t pid;

  /* The third one of ls is the folder itself. */
  pid = spawn_shell (relay, "test \"$(ls /proc/self/fd | tr '\\n' ' ')\" = '0 1 2 3 4 '", fds, 1, names);
  close (fds[0]);
  g_assert_cmpint (wait_for (pid), ==, 0);
}

static void
test_status (void)
{
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  pid_t pid = spawn_shell (relay, "exit 42", NULL, 0, NULL);

  g_assert_cmpint (wait_for (pid), ==, 42);
  pid = spawn_shell (relay, "kill -KILL $$", NULL, 0, NULL);
  g_assert_cmpint (wait_for (pid), ==, 128 + SIGKILL);
}

static void
assert_not_run (const char *program,
                int         expected)
{
  const char *argv[] = { program, NULL };
  const CtlCommand command = { .argv = (char **) argv };
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_assert_cmpint (ctl_child_spawn (relay, &command, &status, &error), ==, -1);
  g_assert_nonnull (error);
  g_assert_true (g_str_has_prefix (error->message, program));
  g_assert_cmpint (status, ==, expected);
}

static void
test_no_command (void)
{
  assert_not_run ("no-such-command-anywhere", CTL_CHILD_NOT_FOUND);
  assert_not_run ("/nonexistent/command", CTL_CHILD_NOT_FOUND);
  assert_not_run ("/etc/passwd", CTL_CHILD_NOT_EXECUTABLE);
  assert_not_run ("/", CTL_CHILD_NOT_EXECUTABLE);
}

static void
test_relay (void)
{
  int ready[2];
  const char *names[] = { "ready" };
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  char byte;
  pid_t pid;

  g_assert_cmpint (pipe (ready), ==, 0);
  pid = spawn_shell (relay, "trap 'exit 7' USR1; echo >&3; while :; do sleep 0.01; done", &ready[1], 1, names);
  close (ready[1]);
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  close (ready[0]);

  raise (SIGUSR1);
  g_assert_cmpint (wait_for (pid), ==, 7);
}

/* It is the child that a signal during the start is for. */
static void
test_relay_waits (void)
{
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  pid_t pid;

  raise (SIGUSR2);
  pid = spawn_shell (relay, "while :; do sleep 1; done", NULL, 0, NULL);
  g_assert_cmpint (wait_for (pid), ==, 128 + SIGUSR2);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/child/fds-and-names", test_fds);
  g_test_add_func ("/child/crossed-fds", test_crossed_fds);
  g_test_add_func ("/child/nothing-else-leaks", test_nothing_else_leaks);
  g_test_add_func ("/child/status", test_status);
  g_test_add_func ("/child/no-command", test_no_command);
  g_test_add_func ("/relay/signals-reach-the-child", test_relay);
  g_test_add_func ("/relay/early-signals-wait", test_relay_waits);
  return g_test_run ();
}
