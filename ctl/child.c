/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* All that the child needs, made before the fork: other threads may hold the
 * allocator's lock then. */
typedef struct
{
  CtlRelay *relay;
  const CtlUser *user;
  sigset_t signals; /* that were blocked before the fork */
  char *program;
  char **argv;
  char **environment;
  char *pid_digits; /* in LISTEN_PID, with room for any number */
  int *fds;         /* copies out of the way of 3, 4, … */
  guint n_fds;
  pid_t parent;
  int report; /* takes a Failure when there is nothing to execute */
} Plan;

typedef struct
{
  gboolean is_user; /* who was not to be become; else it is the program */
  int reason;       /* errno */
} Failure;

static void
plan_clear (Plan *plan)
{
  for (guint i = 0; i < plan->n_fds; i++)
    if (plan->fds[i] != -1)
      close (plan->fds[i]);
  g_free (plan->fds);
  g_free (plan->program);
  g_strfreev (plan->environment);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Plan, plan_clear)

static void
set_environment (Plan        *plan,
                 const char **names)
{
  g_autofree char *count = g_strdup_printf ("%u", plan->n_fds);
  g_autofree char *joined = NULL;
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  guint last;

  for (guint i = 0; i < plan->n_fds; i++)
    g_ptr_array_add (list, (gpointer) names[i]);
  g_ptr_array_add (list, NULL);
  joined = g_strjoinv (":", (char **) list->pdata);

  /* Whoever started us by a socket may have said these of us. */
  plan->environment = g_environ_unsetenv (g_get_environ (), "LISTEN_PID");
  plan->environment = g_environ_unsetenv (plan->environment, "LISTEN_PIDFDID");
  if (plan->user != NULL)
    plan->environment = ctl_user_set_environment (plan->user, plan->environment);
  plan->environment = g_environ_setenv (plan->environment, "LISTEN_FDS", count, TRUE);
  plan->environment = g_environ_setenv (plan->environment, "LISTEN_FDNAMES", joined, TRUE);
  plan->environment = g_environ_setenv (plan->environment, "LISTEN_PID", "00000000000", TRUE);
  last = g_strv_length (plan->environment) - 1;
  plan->pid_digits = strchr (plan->environment[last], '=') + 1;
}

/* Not left to execvpe: that says EACCES for what is nowhere when a folder of
 * PATH is closed to us. */
static gboolean
find_program (Plan    *plan,
              int     *status,
              GError **error)
{
  const char *name = plan->argv[0];

  plan->program = strchr (name, '/') == NULL ? g_find_program_in_path (name) : g_strdup (name);
  if (plan->program != NULL)
    return TRUE;

  *status = CTL_CHILD_NOT_FOUND;
  g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "%s: There is no such command", name);
  return FALSE;
}

static gboolean
copy_fds (Plan      *plan,
          const int *fds,
          guint      n_fds,
          GError   **error)
{
  plan->fds = g_new (int, n_fds);
  for (plan->n_fds = 0; plan->n_fds < n_fds; plan->n_fds++)
    {
      plan->fds[plan->n_fds] = fcntl (fds[plan->n_fds], F_DUPFD_CLOEXEC, FIRST_FD + n_fds);
      if (plan->fds[plan->n_fds] == -1)
        {
          g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "Too many regions: %s", g_strerror (errno));
          return FALSE;
        }
    }

  return TRUE;
}

/* From here to exec only what is safe after a fork with threads. */

static void
write_pid (char  *digits,
           pid_t  pid)
{
  char reversed[12];
  int length = 0;

  for (; pid > 0; pid /= 10)
    reversed[length++] = '0' + pid % 10;
  while (length > 0)
    *digits++ = reversed[--length];
  *digits = '\0';
}

static void
give_up (const Plan *plan,
         gboolean    is_user)
{
  const Failure failure = { is_user, errno };

  if (write (plan->report, &failure, sizeof (failure)) == -1)
    _exit (CTL_CHILD_NOT_FOUND);
  _exit (CTL_CHILD_NOT_EXECUTABLE);
}

static void
run (const Plan *plan)
{
  /* First: the kernel takes the next thing back from who becomes somebody else. */
  if (plan->user != NULL && !ctl_user_become (plan->user))
    give_up (plan, TRUE);
  prctl (PR_SET_PDEATHSIG, SIGTERM);
  /* Too late to be told when it is gone already. */
  if (getppid () != plan->parent)
    _exit (128 + SIGTERM);

  ctl_relay_leave (plan->relay);
  sigprocmask (SIG_SETMASK, &plan->signals, NULL);

  for (guint i = 0; i < plan->n_fds; i++)
    if (dup2 (plan->fds[i], FIRST_FD + i) == -1)
      give_up (plan, FALSE);

  write_pid (plan->pid_digits, getpid ());
  execvpe (plan->program, plan->argv, plan->environment);
  give_up (plan, FALSE);
}

static pid_t
start (Plan    *plan,
       GError **error)
{
  sigset_t all;
  pid_t pid;

  /* What comes to the child before it has let go of the relay waits. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &plan->signals);
  pid = fork ();
  if (pid == 0)
    run (plan);

  if (pid == -1)
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "No process: %s", g_strerror (errno));
  else
    ctl_relay_set_child (plan->relay, pid);
  pthread_sigmask (SIG_SETMASK, &plan->signals, NULL);
  return pid;
}

static gboolean
hear_of_failure (int         report,
                 pid_t       pid,
                 const Plan *plan,
                 int        *status,
                 GError    **error)
{
  Failure failure;
  gssize length;

  do
    length = read (report, &failure, sizeof (failure));
  while (length == -1 && errno == EINTR);

  /* A successful exec closes the pipe. */
  if (length != sizeof (failure))
    return FALSE;

  while (waitpid (pid, NULL, 0) == -1 && errno == EINTR)
    continue;
  *status = failure.reason == ENOENT ? CTL_CHILD_NOT_FOUND : CTL_CHILD_NOT_EXECUTABLE;
  if (failure.is_user)
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "A command cannot be run as user “%s”: %s", plan->user->name,
                 g_strerror (failure.reason));
  else
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "%s: %s", plan->argv[0], g_strerror (failure.reason));
  return TRUE;
}

pid_t
ctl_child_spawn (CtlRelay         *relay,
                 const CtlCommand *command,
                 int              *status,
                 GError          **error)
{
  g_auto (Plan) plan = { .relay = relay, .user = command->user, .argv = command->argv, .parent = getpid () };
  int report[2];
  gboolean failed;
  pid_t pid;

  *status = CTL_STATUS_FAILED;
  if (!find_program (&plan, status, error) || !copy_fds (&plan, command->fds, command->n_fds, error))
    return -1;
  set_environment (&plan, command->names);

  if (pipe2 (report, O_CLOEXEC) == -1)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "No pipe: %s", g_strerror (errno));
      return -1;
    }
  /* Out of the way as well. */
  plan.report = fcntl (report[1], F_DUPFD_CLOEXEC, FIRST_FD + command->n_fds);
  close (report[1]);

  pid = start (&plan, error);
  close (plan.report);
  failed = pid == -1 || hear_of_failure (report[0], pid, &plan, status, error);
  close (report[0]);
  return failed ? -1 : pid;
}

int
ctl_child_get_status (int wait_status)
{
  return WIFSIGNALED (wait_status) ? 128 + WTERMSIG (wait_status) : WEXITSTATUS (wait_status);
}
