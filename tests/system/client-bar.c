/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client.h"

/*
 * What a client does with a mapping that may be taken from it. The addresses are
 * its own mappings' (map-bar): a load from one that was taken is an error here, and
 * not the client's end.
 */
#define MOST 16

static volatile guint8 *bars[MOST];
static guint n_bars;
static __thread sigjmp_buf *volatile way_out;

static void
on_bus_error (int number)
{
  if (way_out)
    siglongjmp (*way_out, 1);
  signal (SIGBUS, SIG_DFL);
}

/* FALSE if it raises SIGBUS. */
static gboolean
load (volatile guint8 *at,
      guint width,
      guint64 *value)
{
  sigjmp_buf here;

  if (sigsetjmp (here, 1) != 0)
    {
      way_out = NULL;
      return FALSE;
    }
  way_out = &here;
  *value = width == 1 ? *at : width == 2 ? *(volatile guint16 *) at : width == 4 ? *(volatile guint32 *) at
                                                                                 : *(volatile guint64 *) at;
  way_out = NULL;
  return TRUE;
}

static gboolean
store (volatile guint8 *at,
       guint32 value)
{
  sigjmp_buf here;

  if (sigsetjmp (here, 1) != 0)
    {
      way_out = NULL;
      return FALSE;
    }
  way_out = &here;
  *(volatile guint32 *) at = value;
  way_out = NULL;
  return TRUE;
}

static volatile guint8 *
find_place (Command *command)
{
  guint n = command_number (command, 0);

  g_assert_cmpuint (n, <, n_bars);
  return bars[n] + command_number (command, 1);
}

static void
fail_bus_error (Command *command)
{
  client_fail (command->words[0], "SIGBUS", "the mapping has been taken away");
}

/* map-bar FD r|rw SIZE: answers its number */
static void
run_map (Command *command)
{
  int protection = g_str_equal (command_string (command, 1), "rw") ? PROT_READ | PROT_WRITE : PROT_READ;
  g_autofree char *number = g_strdup_printf ("%u", n_bars);
  void *at;

  g_assert_cmpuint (n_bars, <, MOST);
  signal (SIGBUS, on_bus_error);
  at = mmap (NULL, command_number (command, 2), protection, MAP_SHARED, command_number (command, 0), 0);
  if (at == MAP_FAILED)
    {
      client_fail_errno (command->words[0], errno);
      return;
    }
  bars[n_bars++] = at;
  client_answer (command->words[0], number, NULL);
}

/* load BAR OFFSET WIDTH: the number there */
static void
run_load (Command *command)
{
  guint64 value = 0;
  g_autofree char *number = NULL;

  if (!load (find_place (command), command_number (command, 2), &value))
    {
      fail_bus_error (command);
      return;
    }
  number = g_strdup_printf ("0x%" G_GINT64_MODIFIER "x", value);
  client_answer (command->words[0], number, NULL);
}

/* store BAR OFFSET VALUE: four bytes */
static void
run_store (Command *command)
{
  if (store (find_place (command), command_number (command, 2)))
    client_done (command->words[0]);
  else
    fail_bus_error (command);
}

/* unmap-bar BAR OFFSET SIZE */
static void
run_unmap (Command *command)
{
  client_answer_errno (command->words[0], munmap ((void *) find_place (command), command_number (command, 2)) != 0);
}

/* Threads that map, load and unmap as fast as they can. */
typedef struct
{
  int fd;
  int stop;
  int loads; /* that went well */
  GThread *threads[MOST];
  guint n_threads;
} Spin;

static Spin spin;

/* The whole of it: the longer mmap(2) takes, the more it is missed by a claim.
 * The last one is kept for as long as there is no newer one: it may be alive still. */
static gpointer
spin_on (gpointer data)
{
  void *last = MAP_FAILED;
  guint64 value;
  struct stat info;

  g_assert_cmpint (fstat (spin.fd, &info), ==, 0);
  while (!g_atomic_int_get (&spin.stop))
    {
      void *at = mmap (NULL, info.st_size, PROT_READ, MAP_SHARED, spin.fd, 0);

      if (at != MAP_FAILED && last != MAP_FAILED)
        munmap (last, info.st_size);
      if (at != MAP_FAILED)
        last = at;
      /* Not all ones, nor zero: what a device says that does not answer. */
      if (last != MAP_FAILED && load (last, 4, &value) && (guint32) value == 0x6e697073)
        g_atomic_int_inc (&spin.loads);
    }
  return NULL;
}

/* spin FD THREADS; the region starts with "spin" */
static void
run_spin (Command *command)
{
  signal (SIGBUS, on_bus_error);
  spin.fd = command_number (command, 0);
  spin.n_threads = command_number (command, 1);
  g_assert_cmpuint (spin.n_threads, <=, MOST);
  for (guint i = 0; i < spin.n_threads; i++)
    spin.threads[i] = g_thread_new ("spin", spin_on, NULL);
  client_done (command->words[0]);
}

/* spun: how many loads went well since the last time it was asked */
static void
run_spun (Command *command)
{
  g_autofree char *number = g_strdup_printf ("%d", g_atomic_int_and ((guint *) &spin.loads, 0));

  client_answer (command->words[0], number, NULL);
}

static void
run_stop (Command *command)
{
  g_atomic_int_set (&spin.stop, TRUE);
  for (guint i = 0; i < spin.n_threads; i++)
    g_thread_join (spin.threads[i]);
  g_atomic_int_set (&spin.stop, FALSE);
  client_done (command->words[0]);
}

gboolean
client_bar_run (Command *command)
{
  static const struct
  {
    const char *name;
    void (*run) (Command *command);
  } commands[] = {
    { "map-bar", run_map }, { "load", run_load }, { "store", run_store },    { "unmap-bar", run_unmap },
    { "spin", run_spin },   { "spun", run_spun }, { "stop-spin", run_stop },
  };

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (command->words[1], commands[i].name))
      {
        commands[i].run (command);
        return TRUE;
      }
  return FALSE;
}
