/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client.h"

#include <errno.h>
#include <glib-unix.h>
#include <grp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "wire.h"

#define CONTROL 3

static void
send_answer (const char *serial,
             const char *kind,
             int fd,
             const char *string,
             va_list args)
{
  g_autoptr (GPtrArray) strings = g_ptr_array_new ();

  g_ptr_array_add (strings, (gpointer) serial);
  g_ptr_array_add (strings, (gpointer) kind);
  for (; string; string = va_arg (args, const char *))
    g_ptr_array_add (strings, (gpointer) string);
  g_ptr_array_add (strings, NULL);
  if (!wire_send (CONTROL, (const char *const *) strings->pdata, fd))
    exit (0);
}

static void
answer (const char *serial,
        const char *kind,
        int fd,
        const char *string,
        ...)
{
  va_list args;

  va_start (args, string);
  send_answer (serial, kind, fd, string, args);
  va_end (args);
}

void
client_answer (const char *serial,
               const char *string,
               ...)
{
  va_list args;

  va_start (args, string);
  send_answer (serial, "ok", -1, string, args);
  va_end (args);
}

void
client_done (const char *serial)
{
  client_answer (serial, "", NULL);
}

void
client_answer_fd (const char *serial,
                  int fd)
{
  answer (serial, "ok", fd, "", NULL);
}

void
client_fail (const char *serial,
             const char *name,
             const char *message)
{
  answer (serial, "error", -1, name, message, NULL);
}

void
client_fail_errno (const char *serial,
                   int number)
{
  client_fail (serial, strerrorname_np (number), g_strerror (number));
}

void
client_answer_errno (const char *serial,
                     gboolean failed)
{
  if (failed)
    client_fail_errno (serial, errno);
  else
    client_done (serial);
}

const char *
command_string (Command *command,
                guint n)
{
  g_assert_cmpuint (g_strv_length (command->words), >, n + 2);
  return command->words[n + 2];
}

gint64
command_number (Command *command,
                guint n)
{
  return g_ascii_strtoll (command_string (command, n), NULL, 0);
}

static gboolean
on_command (int fd,
            GIOCondition condition,
            gpointer data)
{
  Command command;

  command.words = wire_receive (fd, &command.fd);
  if (!command.words || g_str_equal (command.words[1], "exit"))
    exit (0);
  if (!client_bus_run (&command) && !client_memory_run (&command) && !client_bar_run (&command) &&
      !client_file_run (&command) && !client_pins_run (&command) && !client_churn_run (&command))
    g_error ("unknown command %s", command.words[1]);
  if (command.fd >= 0)
    close (command.fd);
  g_strfreev (command.words);
  return G_SOURCE_CONTINUE;
}

static void
become (const char *name,
        uid_t uid,
        gid_t gid)
{
  if (setgid (gid) != 0 || initgroups (name, gid) != 0 || setresuid (uid, uid, uid) != 0)
    g_error ("cannot become %s", name);
  /* A change of user forgets it. */
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  /* /proc/self is the user's own again. */
  prctl (PR_SET_DUMPABLE, 1);
}

int
main (int argc,
      char **argv)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  g_assert_cmpint (argc, ==, 3);
  become (argv[1], atoi (argv[2]), atoi (argv[2]));
  client_bus_connect ();
  g_unix_fd_add (CONTROL, G_IO_IN | G_IO_HUP, on_command, NULL);
  g_main_loop_run (loop);
  return 0;
}
