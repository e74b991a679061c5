/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"

#define FIRST_SPARE_FD 200

static char **
make_environment (const char *const *more)
{
  char **environment = g_get_environ ();

  for (guint i = 0; more && more[i]; i++)
    {
      g_auto (GStrv) pair = g_strsplit (more[i], "=", 2);

      environment = g_environ_setenv (environment, pair[0], pair[1], TRUE);
    }
  return environment;
}

/* Between fork and exec only what is safe in a signal handler may be called. */
static void
write_number (char *to,
              guint number)
{
  char digits[16];
  int n = 0;

  do
    digits[n++] = '0' + number % 10;
  while (number /= 10);
  while (n > 0)
    *to++ = digits[--n];
  *to = '\0';
}

static void
place_fds (const ProcessFd *fds,
           const char *log)
{
  int n = 0;

  for (; fds && fds[n].fd >= 0; n++)
    dup2 (fds[n].fd, FIRST_SPARE_FD + n);
  for (int i = 0; i < n; i++)
    dup2 (FIRST_SPARE_FD + i, fds[i].number);
  if (log)
    {
      int fd = open (log, O_WRONLY | O_CREAT | O_APPEND, 0644);

      dup2 (fd, STDOUT_FILENO);
      dup2 (fd, STDERR_FILENO);
    }
}

static void
close_others (const ProcessFd *fds)
{
  guint last = STDERR_FILENO;

  for (int i = 0; fds && fds[i].fd >= 0; i++)
    last = MAX (last, (guint) fds[i].number);
  close_range (last + 1, ~0U, 0);
}

Process *
process_spawn (const char *const *argv,
               const char *const *environment,
               const ProcessFd *fds,
               const char *log)
{
  g_auto (GStrv) envp = make_environment (environment);
  char *listen_pid = NULL;
  Process *process = g_new0 (Process, 1);

  for (guint i = 0; envp[i]; i++)
    if (g_str_has_prefix (envp[i], "LISTEN_PID="))
      {
        g_free (envp[i]);
        envp[i] = g_strdup ("LISTEN_PID=xxxxxxxxxxxxxxx");
        listen_pid = envp[i] + strlen ("LISTEN_PID=");
      }

  process->pid = fork ();
  g_assert_cmpint (process->pid, >=, 0);
  if (process->pid == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      place_fds (fds, log);
      close_others (fds);
      if (listen_pid)
        write_number (listen_pid, getpid ());
      execve (argv[0], (char *const *) argv, envp);
      _exit (127);
    }
  return process;
}

gboolean
process_is_running (Process *process)
{
  if (!process->reaped && waitpid (process->pid, &process->status, WNOHANG) == process->pid)
    process->reaped = TRUE;
  return !process->reaped;
}

static gboolean
has_ended (gpointer data)
{
  return !process_is_running (data);
}

int
process_wait (Process *process)
{
  wait_until (has_ended, process, 60000, "the end of a process");
  return process->status;
}

void
process_signal (Process *process,
                int signal_number)
{
  if (process_is_running (process))
    kill (process->pid, signal_number);
}

static gboolean
all_stopped (gpointer data)
{
  Process *process = data;
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", process->pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, "stat", NULL);
      g_autofree char *text = NULL;
      const char *state;

      if (!g_file_get_contents (path, &text, NULL, NULL) || !(state = strrchr (text, ')')) || state[2] != 'T')
        return FALSE;
    }
  return dir != NULL;
}

void
process_stop (Process *process)
{
  process_signal (process, SIGSTOP);
  wait_until (all_stopped, process, 5000, "a stopped process");
}

void
process_free (Process *process)
{
  process_signal (process, SIGKILL);
  process_wait (process);
  g_free (process);
}

guint
process_count_fds (Process *process)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", process->pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n = 0;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (target && !g_str_equal (target, "anon_inode:[eventfd]"))
        n++;
    }
  return n;
}
