/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long AttachLease takes, against an OpenRegion of the same region with the
 * same access beside the same lease, in turns.
 *
 * bench-attach ITEM ROUNDS DEVICE
 */

#include "bench.h"

#include <stdlib.h>
#include <unistd.h>

/* As many leases as are out at once: a connection may have more. */
#define BATCH 50

typedef struct
{
  GDBusConnection *bus;
  char *device;
  const char *access;
  GArray *fds;
  GArray *open_times;
  GArray *attach_times;
} Bench;

/* What goes before is the same for both: the service has been awake last. */
static void
time_one (Bench    *self,
          int       shown,
          gboolean  attaches)
{
  double start;
  int fd;

  bench_ping (self->bus, BENCH_SERVICE);
  start = bench_now ();
  fd = attaches ? bench_attach (self->bus, shown, NULL)
                : bench_open_with (self->bus, BENCH_SERVICE, self->device, self->access, NULL);
  bench_samples_add (attaches ? self->attach_times : self->open_times, bench_now () - start);
  g_array_append_val (self->fds, fd);
}

/* None ends before the others: while it is not known whose a reference is that is left, others wait. */
static void
time_batch (Bench *self)
{
  int shown = bench_open_with (self->bus, BENCH_SERVICE, self->device, self->access, NULL);

  g_array_append_val (self->fds, shown);
  for (int i = 0; i < BATCH / 2; i++)
    {
      time_one (self, shown, i % 2 == 0);
      time_one (self, shown, i % 2 == 1);
    }

  for (guint i = 0; i < self->fds->len; i++)
    close (g_array_index (self->fds, int, i));
  g_array_set_size (self->fds, 0);
  bench_await_state (self->bus, self->device, "parked");
}

static void
time_access (const char *item,
             int         rounds,
             Bench      *self)
{
  g_autofree char *what = g_strdup_printf ("AttachLease, %s, against OpenRegion", self->access);

  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  self->open_times = bench_samples_new ();
  self->attach_times = bench_samples_new ();
  for (int i = 0; i < rounds; i += BATCH / 2)
    time_batch (self);

  bench_report (item, what, bench_samples_median (self->attach_times), bench_samples_median (self->open_times), "µs", "");
  g_array_unref (self->fds);
  g_array_unref (self->open_times);
  g_array_unref (self->attach_times);
}

int
main (int    argc,
      char **argv)
{
  Bench self = { 0 };

  if (argc != 4)
    bench_die ("usage: bench-attach ITEM ROUNDS DEVICE");

  self.bus = bench_connect ();
  self.device = bench_device_path (atoi (argv[3]));
  self.access = "rwm";
  time_access (argv[1], atoi (argv[2]), &self);
  self.access = "rw";
  time_access (argv[1], atoi (argv[2]), &self);
  return 0;
}
