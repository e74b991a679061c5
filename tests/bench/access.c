/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long one pread or pwrite takes through a proxied lease, through a bare
 * FUSE file and on a memfd, in turns:
 * bench-access ITEM LABEL ROUNDS DEVICE SOCKET
 */

#include "bench.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE 65536

/* What accesses are made of. */
enum { PROXIED, BARE, MEMFD, FILES };

typedef struct
{
  const char *what;
  gsize width;
  gboolean writes;
  int batch; /* accesses in one sample */
  GArray *times[FILES];
} Kind;

static char buffer[SIZE];

static double
time_batch (const Kind *kind,
            int         fd)
{
  double start = bench_now ();

  for (int i = 0; i < kind->batch; i++)
    {
      off_t offset = i * kind->width % SIZE;
      ssize_t n = kind->writes ? pwrite (fd, buffer, kind->width, offset) : pread (fd, buffer, kind->width, offset);

      if (n != (ssize_t) kind->width)
        bench_die ("%s: %s", kind->what, n < 0 ? g_strerror (errno) : "short");
    }
  return (bench_now () - start) / kind->batch;
}

static void
run_round (Kind *kind,
           int   fds[FILES],
           int   round)
{
  for (int turn = 0; turn < FILES; turn++)
    {
      int which = (turn + round) % FILES;

      bench_samples_add (kind->times[which], time_batch (kind, fds[which]));
    }
}

static void
report (const char *item,
        const char *label,
        const Kind *kind)
{
  double proxied = bench_samples_median (kind->times[PROXIED]);
  g_autofree char *bare = g_strdup_printf ("%s, %s", kind->what, label);
  g_autofree char *memfd = g_strdup_printf ("%s, %s, against a memfd", kind->what, label);

  bench_report (item, bare, proxied, bench_samples_median (kind->times[BARE]), "µs", "1.1");
  bench_report (item, memfd, proxied, bench_samples_median (kind->times[MEMFD]), "µs", "");
}

int
main (int    argc,
      char **argv)
{
  Kind kinds[] = {
    { "pread of 4 bytes", 4, FALSE, 100, { NULL } },
    { "pwrite of 4 bytes", 4, TRUE, 100, { NULL } },
    { "pread of 64 KiB", SIZE, FALSE, 50, { NULL } },
  };
  g_autoptr (GDBusConnection) bus = NULL;
  g_autofree char *device = NULL;
  int fds[FILES];

  if (argc != 6)
    bench_die ("usage: bench-access ITEM LABEL ROUNDS DEVICE SOCKET");
  bus = bench_connect ();
  device = bench_device_path (atoi (argv[4]));
  fds[PROXIED] = bench_open_with (bus, BENCH_SERVICE, device, "rw", NULL);
  fds[MEMFD] = bench_memfd (SIZE);
  bench_bare_files (argv[5], &fds[BARE], 1);

  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++)
    {
      for (int which = 0; which < FILES; which++)
        kinds[k].times[which] = bench_samples_new ();
      for (int round = 0; round < atoi (argv[3]); round++)
        run_round (&kinds[k], fds, round);
      report (argv[1], argv[2], &kinds[k]);
    }
  return 0;
}
