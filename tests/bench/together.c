/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long an access takes, all together, when 64 threads make them at once:
 * each on a proxied lease of its own; each on a bare FUSE file that has a
 * thread of its own to serve it; all of them on the one bare file of a server
 * with a single thread. In turns: bench-together ITEM ROUNDS DEVICE SOCKET
 */

#include "bench.h"
#include "files.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT BENCH_FILES_MOST
#define SIZE 65536

enum { PROXIED, BARE, SINGLE, SETS };

static int fds[SETS][COUNT];

/* What is being measured; threads look at it between the barriers. */
static int set;
static gsize width;
static int batch;
static pthread_barrier_t start_line, finish_line;

static void *
run_thread (void *data)
{
  int number = GPOINTER_TO_INT (data);
  char *buffer = g_malloc (SIZE);

  for (;;)
    {
      pthread_barrier_wait (&start_line);
      for (int i = 0; i < batch; i++)
        if (pread (fds[set][number], buffer, width, (i * width) % SIZE) != (ssize_t) width)
          bench_die ("reading %zu bytes: %s", width, g_strerror (errno));
      pthread_barrier_wait (&finish_line);
    }
  return NULL;
}

static void
start_threads (void)
{
  pthread_barrier_init (&start_line, NULL, COUNT + 1);
  pthread_barrier_init (&finish_line, NULL, COUNT + 1);
  for (int i = 0; i < COUNT; i++)
    {
      pthread_t thread;

      if (pthread_create (&thread, NULL, run_thread, GINT_TO_POINTER (i)) != 0)
        bench_die ("starting a thread failed");
    }
}

static double
time_batch (void)
{
  double start = bench_now ();

  pthread_barrier_wait (&start_line);
  pthread_barrier_wait (&finish_line);
  return (bench_now () - start) / (batch * COUNT);
}

static void
measure (const char *item,
         const char *what,
         int         rounds)
{
  g_autofree char *bare = g_strdup_printf ("%s, %d leases at once, against as many bare files and threads", what, COUNT);
  g_autofree char *single = g_strdup_printf ("%s, %d leases at once, against one bare file", what, COUNT);
  GArray *times[SETS];

  for (int i = 0; i < SETS; i++)
    times[i] = bench_samples_new ();
  for (int round = 0; round < rounds; round++)
    for (int turn = 0; turn < SETS; turn++)
      {
        set = (turn + round) % SETS;
        bench_samples_add (times[set], time_batch ());
      }

  bench_report (item, bare, bench_samples_median (times[PROXIED]), bench_samples_median (times[BARE]), "µs", "1.1");
  bench_report (item, single, bench_samples_median (times[PROXIED]), bench_samples_median (times[SINGLE]), "µs", "");
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GDBusConnection) bus = NULL;
  g_autofree char *device = NULL;

  if (argc != 5)
    bench_die ("usage: bench-together ITEM ROUNDS DEVICE SOCKET");
  bus = bench_connect ();
  device = bench_device_path (atoi (argv[3]));
  bench_bare_files (argv[4], fds[BARE], COUNT);
  bench_bare_files (argv[4], fds[SINGLE], 1);
  for (int i = 0; i < COUNT; i++)
    {
      fds[PROXIED][i] = bench_open_with (bus, BENCH_SERVICE, device, "rw", NULL);
      fds[SINGLE][i] = fds[SINGLE][0];
    }

  start_threads ();
  width = 4, batch = 100;
  measure (argv[1], "pread of 4 bytes", atoi (argv[2]));
  width = SIZE, batch = 20;
  measure (argv[1], "pread of 64 KiB", atoi (argv[2]));
  return 0;
}
