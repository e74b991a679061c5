/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "wire.h"

#define MAX_MAPPINGS 64

typedef struct
{
  guint8 *at;
  gsize size;
} Mapping;

static Mapping mappings[MAX_MAPPINGS];
static guint n_mappings;

static Mapping *
get_mapping (Command *command)
{
  guint n = command_number (command, 0);

  g_assert_cmpuint (n, <, n_mappings);
  return &mappings[n];
}

/* map FD r|rw [private]: the whole of it */
static void
run_map (Command *command)
{
  int fd = command_number (command, 0);
  int protection = g_str_equal (command_string (command, 1), "rw") ? PROT_READ | PROT_WRITE : PROT_READ;
  g_autofree char *number = g_strdup_printf ("%u", n_mappings);
  struct stat info;
  void *at;

  g_assert_cmpuint (n_mappings, <, MAX_MAPPINGS);
  g_assert_cmpint (fstat (fd, &info), ==, 0);
  at = mmap (NULL, info.st_size, protection, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED)
    {
      client_fail_errno (command->words[0], errno);
      return;
    }
  mappings[n_mappings++] = (Mapping) { at, info.st_size };
  client_answer (command->words[0], number, NULL);
}

static void
run_unmap (Command *command)
{
  Mapping *mapping = get_mapping (command);

  client_answer_errno (command->words[0], munmap (mapping->at, mapping->size) != 0);
}

/* protect MAPPING: makes it writable */
static void
run_protect (Command *command)
{
  Mapping *mapping = get_mapping (command);

  client_answer_errno (command->words[0], mprotect (mapping->at, mapping->size, PROT_READ | PROT_WRITE) != 0);
}

/* write MAPPING OFFSET TEXT */
static void
run_write (Command *command)
{
  Mapping *mapping = get_mapping (command);
  const char *text = command_string (command, 2);

  gsize offset = command_number (command, 1);

  /* With its end, since a device's memory is not always empty. */
  memcpy (mapping->at + offset, text, MIN (strlen (text) + 1, mapping->size - offset));
  client_done (command->words[0]);
}

/* read MAPPING OFFSET: the text there */
static void
run_read (Command *command)
{
  Mapping *mapping = get_mapping (command);
  g_autofree char *text = g_strndup ((char *) mapping->at + command_number (command, 1), 64);

  client_answer (command->words[0], text, NULL);
}

/* fill MAPPING: no byte is zero */
static void
run_fill (Command *command)
{
  Mapping *mapping = get_mapping (command);

  memset (mapping->at, 'x', mapping->size);
  client_done (command->words[0]);
}

/* zeros MAPPING: "yes" if every byte is zero */
static void
run_zeros (Command *command)
{
  Mapping *mapping = get_mapping (command);
  gsize i = 0;

  while (i < mapping->size && mapping->at[i] == 0)
    i++;
  client_answer (command->words[0], i == mapping->size ? "yes" : "no", NULL);
}

/* stat FD inode|size|allocated */
static void
run_stat (Command *command)
{
  const char *what = command_string (command, 1);
  g_autofree char *number = NULL;
  struct stat info;

  g_assert_cmpint (fstat (command_number (command, 0), &info), ==, 0);
  if (g_str_equal (what, "inode"))
    number = g_strdup_printf ("%lu", info.st_ino);
  else if (g_str_equal (what, "size"))
    number = g_strdup_printf ("%ld", info.st_size);
  else
    number = g_strdup_printf ("%ld", info.st_blocks * 512);
  client_answer (command->words[0], number, NULL);
}

static void
run_reopen (Command *command)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", (int) command_number (command, 0));
  int fd = open (path, g_str_equal (command_string (command, 1), "rw") ? O_RDWR : O_RDONLY);

  client_answer_errno (command->words[0], fd < 0);
  if (fd >= 0)
    close (fd);
}

/* seek FD OFFSET|"": sets the position if told to; answers it */
static void
run_seek (Command *command)
{
  int fd = command_number (command, 0);
  const char *offset = command_string (command, 1);
  off_t position = *offset ? lseek (fd, atoi (offset), SEEK_SET) : lseek (fd, 0, SEEK_CUR);
  g_autofree char *number = g_strdup_printf ("%ld", position);

  client_answer (command->words[0], number, NULL);
}

/* execute FD: in a child, that a success replaces */
static void
run_execute (Command *command)
{
  int fd = command_number (command, 0);
  char *const argv[] = { (char *) "region", NULL };
  int status;
  GPid pid = fork ();

  if (pid == 0)
    {
      execveat (fd, "", argv, environ, AT_EMPTY_PATH);
      _exit (errno);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  errno = WIFEXITED (status) ? WEXITSTATUS (status) : 0;
  client_answer_errno (command->words[0], errno != 0);
}

/*
 * fork fd|map FD|MAPPING: a child that keeps only that, and lives until it is
 * killed or the test ends. Answers its process id.
 */
static void
run_fork (Command *command)
{
  gboolean keeps_fd = g_str_equal (command_string (command, 0), "fd");
  guint n = command_number (command, 1);
  g_autofree char *number = NULL;
  int test = command->fd;
  GPid pid = fork ();

  if (pid == 0)
    {
      char byte;

      dup2 (test, 0);
      if (keeps_fd)
        dup2 (n, 1);
      close_range (keeps_fd ? 2 : 1, ~0U, 0);
      for (guint i = 0; i < n_mappings; i++)
        if (keeps_fd || i != n)
          munmap (mappings[i].at, mappings[i].size);
      while (read (0, &byte, 1) > 0)
        ;
      _exit (0);
    }
  number = g_strdup_printf ("%d", pid);
  client_answer (command->words[0], number, NULL);
}

/* post FD: sends it over the socket that came along, and keeps no end of that */
static void
run_post (Command *command)
{
  client_answer_errno (command->words[0], !wire_send_fd (command->fd, command_number (command, 0)));
}

static void
run_take (Command *command)
{
  g_autofree char *number = g_strdup_printf ("%d", command->fd);

  command->fd = -1;
  client_answer (command->words[0], number, NULL);
}

static void
run_duplicate (Command *command)
{
  g_autofree char *number = g_strdup_printf ("%d", dup (command_number (command, 0)));

  client_answer (command->words[0], number, NULL);
}

static void
run_seal (Command *command)
{
  int seals = command_number (command, 1);

  client_answer_errno (command->words[0], fcntl (command_number (command, 0), F_ADD_SEALS, seals) != 0);
}

static void
run_truncate (Command *command)
{
  client_answer_errno (command->words[0],
                       ftruncate (command_number (command, 0), command_number (command, 1)) != 0);
}

/* punch FD: holes in the first page */
static void
run_punch (Command *command)
{
  client_answer_errno (command->words[0],
                       fallocate (command_number (command, 0), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                  4096) != 0);
}

static void
run_close (Command *command)
{
  client_answer_errno (command->words[0], close (command_number (command, 0)) != 0);
}

static void
run_give (Command *command)
{
  client_answer_fd (command->words[0], command_number (command, 0));
}

gboolean
client_memory_run (Command *command)
{
  static const struct
  {
    const char *name;
    void (*run) (Command *command);
  } commands[] = {
    { "map", run_map },         { "unmap", run_unmap },       { "protect", run_protect },
    { "write", run_write },     { "read", run_read },         { "fill", run_fill },
    { "zeros", run_zeros },     { "stat", run_stat },         { "reopen", run_reopen },
    { "execute", run_execute }, { "fork", run_fork },         { "post", run_post },
    { "take", run_take },       { "seal", run_seal },         { "truncate", run_truncate },
    { "close", run_close },     { "give", run_give },         { "duplicate", run_duplicate },
    { "punch", run_punch },       { "seek", run_seek },
  };

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (command->words[1], commands[i].name))
      {
        commands[i].run (command);
        return TRUE;
      }
  return FALSE;
}

