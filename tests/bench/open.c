/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long OpenRegion takes: on a parked device, on a device that is leased
 * already, and on the floor, in turns.
 */

#include "bench.h"

#include <math.h>
#include <unistd.h>

static char *item = "";
static char *label = "";
static int rounds = 300;
static int number;
static int size = 4096;

static const GOptionEntry entries[] = {
  { "item", 0, 0, G_OPTION_ARG_STRING, &item, "Item of the table", "ITEM" },
  { "label", 0, 0, G_OPTION_ARG_STRING, &label, "What to add to each line", "TEXT" },
  { "rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "How often", "N" },
  { "device", 0, 0, G_OPTION_ARG_INT, &number, "Number of the device", "N" },
  { "size", 0, 0, G_OPTION_ARG_INT, &size, "Size of its region", "BYTES" },
  { NULL }
};

typedef struct
{
  GDBusConnection *bus;
  char *device;
  char *floor;
  GArray *floor_times;
  GArray *parked_times;
  GArray *leased_times;
} Bench;

/*
 * The same goes before each timed call: polkit has just answered, both
 * services are idle, their answers to a Ping say so, and the one that is called
 * has been awake last.
 */
static int
timed_open (Bench      *self,
            const char *name,
            const char *path,
            char      **lease,
            GArray     *times)
{
  double start;
  int fd;

  close (bench_open (self->bus, BENCH_FLOOR, self->floor, NULL));
  bench_ping (self->bus, g_str_equal (name, BENCH_FLOOR) ? BENCH_SERVICE : BENCH_FLOOR);
  bench_ping (self->bus, name);
  start = bench_now ();
  fd = bench_open (self->bus, name, path, lease);
  bench_samples_add (times, bench_now () - start);
  return fd;
}

static void
time_floor (Bench *self)
{
  close (timed_open (self, BENCH_FLOOR, self->floor, NULL, self->floor_times));
}

static void
time_service (Bench *self)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  int first_fd, second_fd;

  first_fd = timed_open (self, BENCH_SERVICE, self->device, &first, self->parked_times);
  second_fd = timed_open (self, BENCH_SERVICE, self->device, &second, self->leased_times);
  close (first_fd);
  close (second_fd);
  bench_release (self->bus, first);
  bench_release (self->bus, second);
  bench_await_state (self->bus, self->device, "parked");
}

static void
report (Bench *self)
{
  double floor_time = bench_samples_median (self->floor_times);
  g_autofree char *parked = g_strdup_printf ("OpenRegion, %s, device parked", label);
  g_autofree char *leased = g_strdup_printf ("OpenRegion, %s, device leased already", label);

  bench_report (item, parked, bench_samples_median (self->parked_times), floor_time, "µs", "1.05");
  bench_report (item, leased, bench_samples_median (self->leased_times), floor_time, "µs", "1.05");
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  Bench self = { 0 };

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_parse (context, &argc, &argv, &error);
  bench_check ("options", error);

  self.bus = bench_connect ();
  self.device = bench_device_path (number);
  self.floor = g_strdup_printf (BENCH_FLOOR_PATH "/%d", size);
  self.floor_times = bench_samples_new ();
  self.parked_times = bench_samples_new ();
  self.leased_times = bench_samples_new ();

  for (int i = 0; i < rounds; i++)
    {
      if (i % 2 == 0)
        time_floor (&self);
      time_service (&self);
      if (i % 2 == 1)
        time_floor (&self);
    }

  report (&self);
  return 0;
}
