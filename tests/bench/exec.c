/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long it takes from the start of a command until it says something: of the command
 * alone, and by way of regionctl exec with one lease and with four, in turns; and until
 * all of it has ended: bench-exec ITEM ROUNDS REGIONCTL
 */

#include "bench.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  const char *what;
  const char *words[8]; /* behind "regionctl exec"; none: the command alone */
  GArray *first;        /* until it says something */
  GArray *all;
} Way;

static Way ways[] = {
  { "alone", { NULL } },
  { "1 mapped lease", { "d0:bar2:rwm", NULL } },
  { "1 proxied lease", { "d0:bar2:rw", NULL } },
  { "4 mapped leases", { "d0:bar2:rwm", "d0:bar2:rwm", "d0:bar2:rwm", "d0:bar2:rwm", NULL } },
};

static char *const command[] = { (char *) "/bin/echo", (char *) "here", NULL };

static GPtrArray *
make_argv (const Way  *way,
           const char *regionctl)
{
  GPtrArray *argv = g_ptr_array_new ();

  if (way->words[0] != NULL)
    {
      g_ptr_array_add (argv, (gpointer) regionctl);
      g_ptr_array_add (argv, (gpointer) "exec");
      for (gsize i = 0; way->words[i] != NULL; i++)
        g_ptr_array_add (argv, (gpointer) way->words[i]);
      g_ptr_array_add (argv, (gpointer) "--");
    }
  for (gsize i = 0; i < G_N_ELEMENTS (command); i++)
    g_ptr_array_add (argv, command[i]);
  return argv;
}

static void
time_way (Way        *way,
          const char *regionctl)
{
  g_autoptr (GPtrArray) argv = make_argv (way, regionctl);
  g_autoptr (GError) error = NULL;
  double start = bench_now ();
  int status, out;
  char byte;
  GPid pid;

  g_spawn_async_with_pipes (NULL, (char **) argv->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL, &out,
                            NULL, &error);
  bench_check ("starting a command", error);
  if (read (out, &byte, 1) != 1)
    bench_die ("the command has said nothing: %s", way->what);
  bench_samples_add (way->first, bench_now () - start);

  waitpid (pid, &status, 0);
  if (status != 0)
    bench_die ("the command has failed: %s", way->what);
  bench_samples_add (way->all, bench_now () - start);
  close (out);
}

static void
report (const char *item,
        const Way  *way,
        const char *until,
        GArray     *times,
        GArray     *alone)
{
  g_autofree char *what = g_strdup_printf ("regionctl exec, %s, until the command %s, against the command alone",
                                           way->what, until);

  bench_report (item, what, bench_samples_median (times) / 1000, bench_samples_median (alone) / 1000, "ms", "");
}

int
main (int    argc,
      char **argv)
{
  if (argc != 4)
    bench_die ("usage: bench-exec ITEM ROUNDS REGIONCTL");

  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      ways[i].first = bench_samples_new ();
      ways[i].all = bench_samples_new ();
    }
  for (int round = 0; round < atoi (argv[2]); round++)
    for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
      time_way (&ways[i], argv[3]);

  for (gsize i = 1; i < G_N_ELEMENTS (ways); i++)
    {
      report (argv[1], &ways[i], "speaks", ways[i].first, ways[0].first);
      report (argv[1], &ways[i], "and all of it has ended", ways[i].all, ways[0].all);
    }
  return 0;
}
