/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox.h"

#define DEADLINE (20 * 1000)

/* Takes PROGRAM. */
static GPtrArray *
make_argv (char *program,
           const char *argument,
           va_list args)
{
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (argv, g_strdup ("/usr/bin/setpriv"));
  g_ptr_array_add (argv, g_strdup_printf ("--reuid=%d", UID_ALICE));
  g_ptr_array_add (argv, g_strdup_printf ("--regid=%d", UID_ALICE));
  g_ptr_array_add (argv, g_strdup ("--init-groups"));
  g_ptr_array_add (argv, program);
  for (; argument; argument = va_arg (args, const char *))
    g_ptr_array_add (argv, g_strdup (argument));
  g_ptr_array_add (argv, NULL);
  return argv;
}

static GSubprocess *
spawn (GPtrArray *argv,
       GSubprocessFlags flags)
{
  g_autoptr (GError) error = NULL;
  GSubprocess *process;

  process = g_subprocess_newv ((const char *const *) argv->pdata, flags, &error);
  g_assert_no_error (error);
  return process;
}

static int
get_status (int wait_status)
{
  return WIFSIGNALED (wait_status) ? 128 + WTERMSIG (wait_status) : WEXITSTATUS (wait_status);
}

/* Without bytes, as after an error, it is empty. */
static char *
get_text (GBytes *bytes)
{
  gsize size = bytes ? g_bytes_get_size (bytes) : 0;

  return size ? g_strndup (g_bytes_get_data (bytes, NULL), size) : g_strdup ("");
}

Result *
tool_run (const char *input,
          const char *argument,
          ...)
{
  g_autoptr (GPtrArray) argv = NULL;
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GBytes) given = input ? g_bytes_new (input, strlen (input)) : NULL;
  g_autoptr (GBytes) out = NULL;
  g_autoptr (GBytes) err = NULL;
  g_autoptr (GError) error = NULL;
  Result *result = g_new0 (Result, 1);
  va_list args;

  va_start (args, argument);
  argv = make_argv (sandbox_installed ("usr/bin/regionctl"), argument, args);
  va_end (args);

  process = spawn (argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE |
                           (input ? G_SUBPROCESS_FLAGS_STDIN_PIPE : G_SUBPROCESS_FLAGS_NONE));
  /* A tool that refuses the input is one that does not read it. */
  if (!g_subprocess_communicate (process, given, NULL, &out, &err, &error))
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  g_subprocess_wait (process, NULL, NULL);

  result->status = get_status (g_subprocess_get_status (process));
  result->out = get_text (out);
  result->err = get_text (err);
  return result;
}

void
result_free (Result *result)
{
  g_free (result->out);
  g_free (result->err);
  g_free (result);
}

void
result_assert (Result *result,
               int status)
{
  if (result->status != status)
    g_error ("regionctl ended with %d, not %d:\n%s%s", result->status, status, result->out,
             result->err ? result->err : "");
}

void
assert_has (const char *text,
            const char *part)
{
  if (!strstr (text, part))
    g_error ("no \"%s\" in:\n%s", part, text);
}

/* Takes ARGV. */
static Tool *
start (GPtrArray *argv)
{
  Tool *tool = g_new0 (Tool, 1);

  tool->process = spawn (argv, G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                 G_SUBPROCESS_FLAGS_STDERR_PIPE);
  tool->in = g_subprocess_get_stdin_pipe (tool->process);
  tool->out = g_data_input_stream_new (g_subprocess_get_stdout_pipe (tool->process));
  g_ptr_array_unref (argv);
  return tool;
}

Tool *
tool_start (const char *argument,
            ...)
{
  GPtrArray *argv;
  va_list args;

  va_start (args, argument);
  argv = make_argv (sandbox_installed ("usr/bin/regionctl"), argument, args);
  va_end (args);
  return start (argv);
}

Tool *
tool_start_program (const char *program,
                    const char *argument,
                    ...)
{
  GPtrArray *argv;
  va_list args;

  va_start (args, argument);
  argv = make_argv (g_strdup (program), argument, args);
  va_end (args);
  return start (argv);
}

char *
tool_read_line (Tool *tool)
{
  return g_data_input_stream_read_line (tool->out, NULL, NULL, NULL);
}

void
tool_close_input (Tool *tool)
{
  g_output_stream_close (tool->in, NULL, NULL);
}

void
tool_signal (Tool *tool,
             int signal_number)
{
  g_subprocess_send_signal (tool->process, signal_number);
}

GPid
tool_get_pid (Tool *tool)
{
  return atoi (g_subprocess_get_identifier (tool->process));
}

static char *
read_all (GInputStream *stream)
{
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();

  g_output_stream_splice (memory, stream, G_OUTPUT_STREAM_SPLICE_NONE, NULL, NULL);
  g_output_stream_write_all (memory, "", 1, NULL, NULL, NULL);
  g_output_stream_close (memory, NULL, NULL);
  return g_memory_output_stream_steal_data (G_MEMORY_OUTPUT_STREAM (memory));
}

Result *
tool_finish (Tool *tool)
{
  Result *result = g_new0 (Result, 1);

  g_subprocess_wait (tool->process, NULL, NULL);
  result->out = read_all (G_INPUT_STREAM (tool->out));
  result->err = read_all (g_subprocess_get_stderr_pipe (tool->process));
  result->status = get_status (g_subprocess_get_status (tool->process));
  return result;
}

void
tool_free (Tool *tool)
{
  g_subprocess_force_exit (tool->process);
  g_subprocess_wait (tool->process, NULL, NULL);
  g_object_unref (tool->out);
  g_object_unref (tool->process);
  g_free (tool);
}

/* Takes PROGRAM. */
static Session *
start_session (guint columns,
               char *program,
               const char *argument,
               va_list args)
{
  g_autoptr (GPtrArray) argv = make_argv (program, argument, args);
  const struct winsize size = { .ws_row = 24, .ws_col = columns };
  Session *session = g_new0 (Session, 1);

  session->shown = g_string_new (NULL);
  session->pid = forkpty (&session->terminal, NULL, NULL, &size);
  g_assert_cmpint (session->pid, >=, 0);
  if (session->pid == 0)
    {
      execv (argv->pdata[0], (char **) argv->pdata);
      _exit (127);
    }
  return session;
}

Session *
session_start (guint columns,
               const char *argument,
               ...)
{
  Session *session;
  va_list args;

  va_start (args, argument);
  session = start_session (columns, sandbox_installed ("usr/bin/regionctl"), argument, args);
  va_end (args);
  return session;
}

Session *
session_start_program (const char *program,
                       const char *argument,
                       ...)
{
  Session *session;
  va_list args;

  va_start (args, argument);
  session = start_session (80, g_strdup (program), argument, args);
  va_end (args);
  return session;
}

/* Waits for more to be shown; FALSE at the end. */
static gboolean
read_more (Session *session)
{
  struct pollfd wait = { session->terminal, POLLIN, 0 };
  char buffer[4096];
  gssize length;

  if (poll (&wait, 1, DEADLINE) != 1)
    g_error ("nothing more is shown after:\n%s", session->shown->str);
  /* Linux says EIO when nobody has the terminal open any more. */
  length = read (session->terminal, buffer, sizeof (buffer));
  if (length > 0)
    g_string_append_len (session->shown, buffer, length);
  return length > 0;
}

void
session_wait_for (Session *session,
                  const char *text)
{
  while (!strstr (session->shown->str, text))
    if (!read_more (session))
      g_error ("\"%s\" is never shown:\n%s", text, session->shown->str);
}

gboolean
session_has_echo (Session *session)
{
  struct termios state;

  g_assert_cmpint (tcgetattr (session->terminal, &state), ==, 0);
  return (state.c_lflag & ECHO) != 0;
}

void
session_type (Session *session,
              const char *keys)
{
  g_assert_cmpint (write (session->terminal, keys, strlen (keys)), ==, strlen (keys));
}

void
session_wait_for_end (Session *session)
{
  while (read_more (session))
    continue;
}

Result *
session_finish (Session *session)
{
  Result *result = g_new0 (Result, 1);
  int wait_status;

  session_wait_for_end (session);
  while (waitpid (session->pid, &wait_status, 0) == -1)
    g_assert_cmpint (errno, ==, EINTR);

  close (session->terminal);
  result->status = get_status (wait_status);
  result->out = g_string_free (session->shown, FALSE);
  g_free (session);
  return result;
}

Result *
tool_run_on_terminal (guint columns,
                      const char *argument,
                      ...)
{
  Session *session;
  va_list args;

  va_start (args, argument);
  session = start_session (columns, sandbox_installed ("usr/bin/regionctl"), argument, args);
  va_end (args);
  return session_finish (session);
}
