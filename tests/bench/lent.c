/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long a client waits for a proxied lease, and for its end while it has it
 * open, and how long for one of memory that it maps, in turns:
 * bench-lent ITEM ROUNDS DEVICE
 */

#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct
{
  const char *access;
  GArray *open;
  GArray *release;
} Kind;

/* As in open.c: polkit has answered just before, and the service is idle. */
static void
time_lease (GDBusConnection *bus,
            const char      *device,
            Kind            *kind,
            gboolean         proxied)
{
  g_autofree char *lease = NULL;
  char byte;
  double start;
  int fd;

  close (bench_open (bus, BENCH_FLOOR, BENCH_FLOOR_PATH "/4096", NULL));
  bench_ping (bus, BENCH_SERVICE);
  start = bench_now ();
  fd = bench_open_with (bus, BENCH_SERVICE, device, kind->access, &lease);
  bench_samples_add (kind->open, bench_now () - start);

  bench_ping (bus, BENCH_SERVICE);
  start = bench_now ();
  bench_release (bus, lease);
  bench_samples_add (kind->release, bench_now () - start);
  if (proxied && (pread (fd, &byte, 1, 0) >= 0 || errno != ENOTCONN))
    bench_die ("a released region can be read");
  close (fd);
  bench_await_state (bus, device, "parked");
}

int
main (int    argc,
      char **argv)
{
  Kind proxied = { "rw", bench_samples_new (), bench_samples_new () };
  Kind mapped = { "rwm", bench_samples_new (), bench_samples_new () };
  g_autoptr (GDBusConnection) bus = NULL;
  g_autofree char *device = NULL;

  if (argc != 4)
    bench_die ("usage: bench-lent ITEM ROUNDS DEVICE");
  bus = bench_connect ();
  device = bench_device_path (atoi (argv[3]));
  for (int round = 0; round < atoi (argv[2]); round++)
    {
      if (round % 2 == 0)
        time_lease (bus, device, &mapped, FALSE);
      time_lease (bus, device, &proxied, TRUE);
      if (round % 2 == 1)
        time_lease (bus, device, &mapped, FALSE);
    }

  bench_report (argv[1], "OpenRegion, proxied, against a memfd lease", bench_samples_median (proxied.open),
                bench_samples_median (mapped.open), "µs", "");
  bench_report (argv[1], "Release, proxied and still open, against a memfd lease",
                bench_samples_median (proxied.release), bench_samples_median (mapped.release), "µs", "");
  return 0;
}
