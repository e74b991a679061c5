/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

/* pread FD OFFSET: the text there */
static void
run_pread (Command *command)
{
  char text[65] = "";

  if (pread (command_number (command, 0), text, sizeof text - 1, command_number (command, 1)) < 0)
    client_fail_errno (command->words[0], errno);
  else
    client_answer (command->words[0], text, NULL);
}

/* pwrite FD OFFSET TEXT */
static void
run_pwrite (Command *command)
{
  const char *text = command_string (command, 2);
  gssize n = pwrite (command_number (command, 0), text, strlen (text), command_number (command, 1));

  client_answer_errno (command->words[0], n < 0);
}

/* pfill FD: no byte is zero */
static void
run_pfill (Command *command)
{
  int fd = command_number (command, 0);
  char chunk[4096];
  struct stat info;
  gssize n;

  memset (chunk, 'x', sizeof chunk);
  n = fstat (fd, &info);
  for (off_t at = 0; n >= 0 && at < info.st_size; at += n)
    n = pwrite (fd, chunk, MIN ((off_t) sizeof chunk, info.st_size - at), at);
  client_answer_errno (command->words[0], n < 0);
}

/* pzeros FD: "yes" if every byte is zero */
static void
run_pzeros (Command *command)
{
  int fd = command_number (command, 0);
  static char chunk[64 * 1024];
  gboolean zeros = TRUE;
  off_t at = 0;
  gssize n;

  while (zeros && (n = pread (fd, chunk, sizeof chunk, at)) > 0)
    {
      for (gssize i = 0; i < n; i++)
        zeros = zeros && chunk[i] == 0;
      at += n;
    }
  if (zeros && n < 0)
    client_fail_errno (command->words[0], errno);
  else
    client_answer (command->words[0], zeros && at > 0 ? "yes" : "no", NULL);
}

static GThread *hammer;

/* Until it fails: how. */
static gpointer
read_on (gpointer data)
{
  guint32 word;

  while (pread (GPOINTER_TO_INT (data), &word, sizeof word, 0) > 0)
    ;
  return GINT_TO_POINTER (errno);
}

/* hammer FD: reads, four bytes at a time, until that fails */
static void
run_hammer (Command *command)
{
  hammer = g_thread_new ("hammer", read_on, GINT_TO_POINTER ((int) command_number (command, 0)));
  client_done (command->words[0]);
}

/* hammered: waits for the failure and answers its name */
static void
run_hammered (Command *command)
{
  int number = GPOINTER_TO_INT (g_thread_join (g_steal_pointer (&hammer)));

  client_answer (command->words[0], strerrorname_np (number), NULL);
}

gboolean
client_file_run (Command *command)
{
  const char *name = command->words[1];

  if (g_str_equal (name, "pread"))
    run_pread (command);
  else if (g_str_equal (name, "pwrite"))
    run_pwrite (command);
  else if (g_str_equal (name, "pfill"))
    run_pfill (command);
  else if (g_str_equal (name, "pzeros"))
    run_pzeros (command);
  else if (g_str_equal (name, "hammer"))
    run_hammer (command);
  else if (g_str_equal (name, "hammered"))
    run_hammered (command);
  else
    return FALSE;
  return TRUE;
}
