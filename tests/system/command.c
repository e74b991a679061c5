/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "deadline.h"
#include "sandbox.h"

char *
command_publish (const char *path)
{
  g_autofree char *name = g_path_get_basename (path);
  char *copy = g_build_filename (SANDBOX_DIR, name, NULL);
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;

  g_file_get_contents (path, &bytes, &length, &error);
  g_assert_no_error (error);
  g_file_set_contents_full (copy, bytes, length, G_FILE_SET_CONTENTS_CONSISTENT, 0755, &error);
  g_assert_no_error (error);
  g_assert_cmpint (chmod (copy, 0755), ==, 0);
  return copy;
}

Command *
command_start (uid_t uid,
               const char *program,
               ...)
{
  static guint number;
  Command *command = g_new0 (Command, 1);
  g_autofree char *user = g_strdup_printf ("--reuid=%u", uid);
  g_autofree char *group = g_strdup_printf ("--regid=%u", uid);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  const char *const environment[] = { "LC_ALL=C.UTF-8", NULL };
  const char *word;
  va_list args;

  g_ptr_array_add (argv, (gpointer) "/usr/bin/setpriv");
  g_ptr_array_add (argv, user);
  g_ptr_array_add (argv, group);
  g_ptr_array_add (argv, (gpointer) "--init-groups");
  g_ptr_array_add (argv, (gpointer) program);
  va_start (args, program);
  while ((word = va_arg (args, const char *)))
    g_ptr_array_add (argv, (gpointer) word);
  va_end (args);
  g_ptr_array_add (argv, NULL);

  command->output_path = g_strdup_printf (SANDBOX_DIR "/output-%u", number++);
  command->process = process_spawn ((const char *const *) argv->pdata, environment, NULL, command->output_path);
  return command;
}

static char *
read_output (Command *command)
{
  char *text = NULL;

  g_file_get_contents (command->output_path, &text, NULL, NULL);
  return text ? text : g_strdup ("");
}

typedef struct
{
  Command *command;
  const char *text;
} Wanted;

static gboolean
has_output (gpointer data)
{
  Wanted *wanted = data;
  g_autofree char *output = read_output (wanted->command);

  return strstr (output, wanted->text) != NULL;
}

void
command_wait_output (Command *command,
                     const char *text)
{
  Wanted wanted = { command, text };

  if (!wait_for (has_output, &wanted, 10000))
    {
      g_autofree char *output = read_output (command);

      g_error ("no \"%s\" in: %s", text, output);
    }
}

int
command_finish (Command *command,
                char **output)
{
  int status = process_wait (command->process);

  *output = read_output (command);
  g_unlink (command->output_path);
  process_free (command->process);
  g_free (command->output_path);
  g_free (command);
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

void
command_kill (Command *command)
{
  g_autofree char *output = NULL;

  process_signal (command->process, SIGKILL);
  command_finish (command, &output);
}
