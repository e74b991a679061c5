/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long writing and reading 64 MiB takes through a lease's mapping and
 * through the mapping of a plain memfd, in turns. bench-copy ITEM ROUNDS DEVICE
 */

#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE ((gsize) 64 << 20)

typedef struct
{
  GArray *first; /* writing, with the page faults of a new mapping */
  GArray *write;
  GArray *read;
} Times;

static volatile guint64 sink;

static guint64 *
map (int fd)
{
  void *memory = mmap (NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  if (memory == MAP_FAILED)
    bench_die ("mapping 64 MiB failed");
  return memory;
}

static void
time_write (guint64 *memory,
            int      value,
            GArray  *times)
{
  double start = bench_now ();

  memset (memory, value, SIZE);
  bench_samples_add (times, bench_now () - start);
}

static void
time_read (const guint64 *memory,
           GArray        *times)
{
  double start = bench_now ();
  guint64 sum = 0;

  for (gsize i = 0; i < SIZE / sizeof *memory; i++)
    sum += memory[i];
  sink = sum;
  bench_samples_add (times, bench_now () - start);
}

static void
times_init (Times *self)
{
  self->first = bench_samples_new ();
  self->write = bench_samples_new ();
  self->read = bench_samples_new ();
}

/* Which of the two comes first changes with every round. */
static void
time_pair (int   fds[2],
           Times times[2],
           int   round)
{
  guint64 *memory[2] = { map (fds[0]), map (fds[1]) };

  for (int pass = 0; pass < 4; pass++)
    for (int turn = 0; turn < 2; turn++)
      {
        int which = (turn + pass + round) % 2;

        time_write (memory[which], pass + 1, pass == 0 ? times[which].first : times[which].write);
        time_read (memory[which], times[which].read);
      }

  munmap (memory[0], SIZE);
  munmap (memory[1], SIZE);
}

/*
 * A fresh lease and a fresh memfd for every round, and either of them first:
 * which pages one gets is luck.
 */
static void
run_round (GDBusConnection *bus,
           const char      *device,
           Times            times[2],
           int              round)
{
  g_autofree char *lease = NULL;
  int fds[2] = { -1, -1 };

  for (int turn = 0; turn < 2; turn++)
    if ((turn + round / 2) % 2 == 0)
      fds[0] = bench_open (bus, BENCH_SERVICE, device, &lease);
    else
      fds[1] = bench_memfd (SIZE);
  time_pair (fds, times, round);
  close (fds[0]);
  close (fds[1]);
  bench_release (bus, lease);
  bench_await_state (bus, device, "parked");
}

static void
report (const char *item,
        const char *what,
        GArray     *lease_times,
        GArray     *plain_times)
{
  bench_report (item, what, bench_samples_median (lease_times), bench_samples_median (plain_times), "µs", "1.00 ± 2 %");
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GDBusConnection) bus = NULL;
  g_autofree char *device = NULL;
  Times times[2];

  if (argc != 4)
    bench_die ("usage: bench-copy ITEM ROUNDS DEVICE");
  bus = bench_connect ();
  device = bench_device_path (atoi (argv[3]));
  times_init (&times[0]);
  times_init (&times[1]);
  for (int round = 0; round < atoi (argv[2]); round++)
    run_round (bus, device, times, round);

  report (argv[1], "writing 64 MiB, first touch", times[0].first, times[1].first);
  report (argv[1], "writing 64 MiB", times[0].write, times[1].write);
  report (argv[1], "reading 64 MiB", times[0].read, times[1].read);
  return 0;
}
