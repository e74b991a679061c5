/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

#define READ_MOST 4096

static void
answer_number (Command *command,
               gint64 number)
{
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, number);

  client_answer (command->words[0], text, NULL);
}

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

/* pwrite FD OFFSET TEXT: how many bytes of it were written */
static void
run_pwrite (Command *command)
{
  const char *text = command_string (command, 2);
  gssize n = pwrite (command_number (command, 0), text, strlen (text), command_number (command, 1));

  if (n < 0)
    client_fail_errno (command->words[0], errno);
  else
    answer_number (command, n);
}

/* pcount FD OFFSET WIDTH: how many bytes a read gets */
static void
run_pcount (Command *command)
{
  gint64 width = command_number (command, 2);
  char bytes[READ_MOST];
  gssize n;

  g_assert_cmpint (width, <=, READ_MOST);
  n = pread (command_number (command, 0), bytes, width, command_number (command, 1));
  if (n < 0)
    client_fail_errno (command->words[0], errno);
  else
    answer_number (command, n);
}

/* facts FD: mode, owner and size */
static void
run_facts (Command *command)
{
  g_autofree char *text = NULL;
  struct stat info;

  if (fstat (command_number (command, 0), &info) < 0)
    {
      client_fail_errno (command->words[0], errno);
      return;
    }
  text = g_strdup_printf ("%o %u %ld", info.st_mode, info.st_uid, info.st_size);
  client_answer (command->words[0], text, NULL);
}

/* open-again FD r|w|rw: through /proc/self/fd; the new fd */
static void
run_open_again (Command *command)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", (int) command_number (command, 0));
  const char *access = command_string (command, 1);
  int fd = open (path, g_str_equal (access, "rw") ? O_RDWR : g_str_equal (access, "w") ? O_WRONLY : O_RDONLY);

  if (fd < 0)
    client_fail_errno (command->words[0], errno);
  else
    answer_number (command, fd);
}

/* no-more-fds: this process may have as many as it has and no more */
static void
run_no_more_fds (Command *command)
{
  struct rlimit limit;
  int next = dup (0);

  g_assert_cmpint (next, >=, 0);
  close (next);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = next;
  client_answer_errno (command->words[0], setrlimit (RLIMIT_NOFILE, &limit) != 0);
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
  static const struct
  {
    const char *name;
    void (*run) (Command *command);
  } commands[] = {
    { "pread", run_pread },           { "pwrite", run_pwrite },   { "pfill", run_pfill },
    { "pzeros", run_pzeros },         { "pcount", run_pcount },   { "facts", run_facts },
    { "open-again", run_open_again }, { "hammer", run_hammer },   { "hammered", run_hammered },
    { "no-more-fds", run_no_more_fds },
  };

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (command->words[1], commands[i].name))
      {
        commands[i].run (command);
        return TRUE;
      }
  return FALSE;
}
