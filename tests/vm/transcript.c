/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transcript.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../system/deadline.h"
#include "../system/process.h"
#include "../system/sandbox.h"

/* A command may wait for a device's reset, under emulation. */
#define PATIENCE 60000
#define END ":end: "

typedef struct
{
  const char *user;
  Process *process;
  int in;
  int out;
} Shell;

struct Transcript
{
  Shell root;
  Shell alice;
  GHashTable *names; /* "{NAME}" and what it means */
  gboolean in_block; /* of what is typed and shown */
};

static void
shell_start (Shell *shell,
             const char *user,
             uid_t uid)
{
  g_autofree char *as = g_strdup_printf ("--reuid=%u", uid);
  g_autofree char *group = g_strdup_printf ("--regid=%u", uid);
  g_autofree char *programs = sandbox_installed ("usr/bin");
  g_autofree char *path = g_strconcat ("PATH=", programs, ":/usr/sbin:/usr/bin:/sbin:/bin", NULL);
  const char *const argv[] = { "/usr/bin/setpriv", as, group, "--init-groups", "/bin/bash", "--norc", NULL };
  const char *const environment[] = { path, "LC_ALL=C.UTF-8", NULL };
  int in[2], out[2];

  g_assert_true (g_unix_open_pipe (in, FD_CLOEXEC, NULL) && g_unix_open_pipe (out, FD_CLOEXEC, NULL));
  const ProcessFd fds[] = { { in[0], 0 }, { out[1], 1 }, { out[1], 2 }, { -1, -1 } };

  shell->user = user;
  shell->process = process_spawn (argv, environment, fds, NULL);
  shell->in = in[1];
  shell->out = out[0];
  close (in[0]);
  close (out[1]);
}

static void
shell_stop (Shell *shell)
{
  close (shell->in);
  process_free (shell->process);
  close (shell->out);
}

static void
shell_read_more (Shell *shell,
                 GString *text)
{
  struct pollfd wait = { shell->out, POLLIN, 0 };
  char buffer[4096];
  gssize length = 0;

  if (poll (&wait, 1, PATIENCE) == 1)
    length = read (shell->out, buffer, sizeof buffer);
  if (length <= 0)
    g_error ("nothing more comes from the shell of %s after:\n%s", shell->user, text->str);
  g_string_append_len (text, buffer, length);
}

/* What COMMAND shows, and its status. */
static char *
shell_run (Shell *shell,
           const char *command,
           int *status)
{
  g_autofree char *line = g_strdup_printf ("{ %s\n} </dev/null; printf '\\n" END "%%d\\n' $?\n", command);
  GString *text = g_string_new (NULL);
  char *end;

  g_assert_cmpint (write (shell->in, line, strlen (line)), ==, strlen (line));
  while (!(end = strstr (text->str, "\n" END)) || !strchr (end + 1, '\n'))
    shell_read_more (shell, text);
  *status = atoi (end + strlen ("\n" END));
  g_string_truncate (text, end - text->str);
  return g_string_free (text, FALSE);
}

static Shell *
find_shell (Transcript *transcript,
            const char *user)
{
  return g_str_equal (user, "root") ? &transcript->root : &transcript->alice;
}

Transcript *
transcript_new (void)
{
  Transcript *transcript = g_new0 (Transcript, 1);

  transcript->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  shell_start (&transcript->root, "root", 0);
  shell_start (&transcript->alice, "alice", UID_ALICE);
  return transcript;
}

static void
tell (const char *line)
{
  printf ("# | %s\n", line);
  fflush (stdout);
}

static void
leave_block (Transcript *transcript)
{
  if (transcript->in_block)
    tell ("");
  transcript->in_block = FALSE;
}

void
transcript_free (Transcript *transcript)
{
  shell_stop (&transcript->alice);
  shell_stop (&transcript->root);
  g_hash_table_unref (transcript->names);
  g_free (transcript);
}

void
transcript_define (Transcript *transcript,
                   const char *name,
                   const char *value)
{
  g_hash_table_replace (transcript->names, g_strdup_printf ("{%s}", name), g_strdup (value));
}

static char *
spell (Transcript *transcript,
       const char *text)
{
  g_autoptr (GString) spelt = g_string_new (text);
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, transcript->names);
  while (g_hash_table_iter_next (&iter, &name, &value))
    g_string_replace (spelt, name, value, 0);
  return g_string_free (g_steal_pointer (&spelt), FALSE);
}

void
transcript_say (Transcript *transcript,
                const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  leave_block (transcript);
  for (guint i = 0; lines[i]; i++)
    tell (lines[i]);
  tell ("");
}

/* Lines of a block are indented. */
static void
tell_indented (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i]; i++)
    {
      g_autofree char *line = g_strchomp (g_strconcat ("    ", lines[i], NULL));

      if (*line || lines[i + 1])
        tell (line);
    }
}

void
transcript_quote (Transcript *transcript,
                  const char *text)
{
  leave_block (transcript);
  tell_indented (text);
  tell ("");
}

static void
expect_all (Transcript *transcript,
            const char *command,
            const char *shown,
            va_list expressions)
{
  const char *expression;

  while ((expression = va_arg (expressions, const char *)))
    {
      g_autofree char *spelt = spell (transcript, expression);

      if (!g_regex_match_simple (spelt, shown, G_REGEX_MULTILINE, 0))
        g_error ("%s: \"%s\" is not in what it shows:\n%s", command, spelt, shown);
    }
}

static void
run (Transcript *transcript,
     const char *user,
     const char *command,
     gboolean fails,
     va_list expressions)
{
  g_autofree char *spelt = spell (transcript, command);
  g_autofree char *typed = g_strdup_printf ("%s%s %s", user, g_str_equal (user, "root") ? "#" : "$", spelt);
  int status;
  g_autofree char *shown = shell_run (find_shell (transcript, user), spelt, &status);

  tell_indented (typed);
  if (*shown)
    tell_indented (shown);
  transcript->in_block = TRUE;
  if ((status != 0) != fails)
    g_error ("%s: ended with status %d:\n%s", spelt, status, shown);
  expect_all (transcript, spelt, shown, expressions);
}

void
transcript_run (Transcript *transcript,
                const char *user,
                const char *command,
                ...)
{
  va_list expressions;

  va_start (expressions, command);
  run (transcript, user, command, FALSE, expressions);
  va_end (expressions);
}

void
transcript_run_fails (Transcript *transcript,
                      const char *user,
                      const char *command,
                      ...)
{
  va_list expressions;

  va_start (expressions, command);
  run (transcript, user, command, TRUE, expressions);
  va_end (expressions);
}

typedef struct
{
  Shell *shell;
  const char *command;
} Wanted;

static gboolean
succeeds (gpointer data)
{
  Wanted *wanted = data;
  int status;

  g_free (shell_run (wanted->shell, wanted->command, &status));
  return status == 0;
}

void
transcript_wait (Transcript *transcript,
                 const char *user,
                 const char *command)
{
  g_autofree char *spelt = spell (transcript, command);
  Wanted wanted = { find_shell (transcript, user), spelt };

  wait_until (succeeds, &wanted, PATIENCE, spelt);
}
