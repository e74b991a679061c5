/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How many OpenRegion calls a second are answered when many connections make
 * them at once, each the next one as soon as the last one is answered: by the
 * service, each on a device of its own, and by the floor, in turns. What is
 * opened is kept until the time is over, or closed at once, which ends the lease.
 * bench-flow ITEM ROUNDS CONNECTIONS ACCESS keep|close
 */

#include "bench.h"

#include <gio/gunixfdlist.h>
#include <stdlib.h>
#include <unistd.h>

/* Fewer proxied leases come into being meanwhile than there may be. */
#define FLOW_MS 500

typedef struct
{
  const char *name;
  const char *access;
  gboolean keep;
  GArray *kept; /* fds */
  gboolean running;
  guint waiting; /* for answers */
  guint answered;
  double first, last; /* when */
} Flow;

typedef struct
{
  GDBusConnection *bus;
  Flow *flow;
  char *device;
} Caller;

static void call (Caller *self);

static void
close_kept (Flow *flow)
{
  for (guint i = 0; i < flow->kept->len; i++)
    close (g_array_index (flow->kept, int, i));
  g_array_set_size (flow->kept, 0);
}

static void
on_answer (GObject      *bus,
           GAsyncResult *result,
           gpointer      user_data)
{
  Caller *self = user_data;
  Flow *flow = self->flow;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_finish (self->bus, &fds, result, &error);
  g_autofree int *list = NULL;

  bench_check (flow->name, error);
  list = g_unix_fd_list_steal_fds (fds, NULL);
  g_array_append_val (flow->kept, list[0]);
  if (!flow->keep)
    close_kept (flow);
  flow->waiting--;
  if (!flow->running)
    return;

  flow->last = bench_now ();
  if (flow->first == 0)
    flow->first = flow->last;
  else
    flow->answered++;
  call (self);
}

static void
call (Caller *self)
{
  gboolean floor = g_str_equal (self->flow->name, BENCH_FLOOR);

  self->flow->waiting++;
  g_dbus_connection_call_with_unix_fd_list (self->bus, self->flow->name, floor ? BENCH_FLOOR_PATH "/4096" : self->device,
                                            BENCH_DEVICE_INTERFACE, "OpenRegion",
                                            g_variant_new ("(ssa{sv})", BENCH_REGION, self->flow->access, NULL),
                                            G_VARIANT_TYPE ("(ho)"), G_DBUS_CALL_FLAGS_NO_AUTO_START,
                                            BENCH_DEADLINE * 1000, NULL, NULL, on_answer, self);
}

static gboolean
on_over (gpointer user_data)
{
  Flow *flow = user_data;

  flow->running = FALSE;
  return G_SOURCE_REMOVE;
}

/* In calls a second, from the first answer on. */
static double
run_flow (Flow      *flow,
          GPtrArray *callers)
{
  flow->running = TRUE;
  flow->answered = 0;
  flow->first = 0;
  g_timeout_add (FLOW_MS, on_over, flow);
  for (guint i = 0; i < callers->len; i++)
    {
      Caller *caller = g_ptr_array_index (callers, i);

      caller->flow = flow;
      call (caller);
    }

  while (flow->running || flow->waiting > 0)
    g_main_context_iteration (NULL, TRUE);
  close_kept (flow);
  for (guint i = 0; i < callers->len; i++)
    {
      Caller *caller = g_ptr_array_index (callers, i);

      bench_await_state (caller->bus, caller->device, "parked");
    }
  return flow->answered * 1e6 / (flow->last - flow->first);
}

static Caller *
caller_new (guint number)
{
  Caller *self = g_new0 (Caller, 1);
  g_autoptr (GError) error = NULL;

  self->bus = g_dbus_connection_new_for_address_sync (g_getenv ("DBUS_SYSTEM_BUS_ADDRESS"),
                                                      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                        G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                      NULL, NULL, &error);
  bench_check ("connecting to the bus", error);
  self->device = bench_device_path (number);
  return self;
}

static void
report (const char *item,
        guint       count,
        const Flow *flow,
        GArray     *service,
        GArray     *floor)
{
  g_autofree char *what = g_strdup_printf ("OpenRegion, %s%s, %u client%s at once", flow->access,
                                           flow->keep ? "" : ", and closing it", count, count == 1 ? "" : "s");

  bench_report (item, what, bench_samples_median (service), bench_samples_median (floor), "calls/s",
                flow->keep ? "≥ 0.95" : "");
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GPtrArray) callers = g_ptr_array_new ();
  GArray *rates[2] = { bench_samples_new (), bench_samples_new () };
  Flow flows[2] = { { .name = BENCH_SERVICE }, { .name = BENCH_FLOOR } };

  if (argc != 6)
    bench_die ("usage: bench-flow ITEM ROUNDS CONNECTIONS ACCESS keep|close");
  bench_allow_many_fds ();
  for (int i = 0; i < 2; i++)
    {
      flows[i].access = argv[4];
      flows[i].keep = g_str_equal (argv[5], "keep");
      flows[i].kept = g_array_new (FALSE, FALSE, sizeof (int));
    }
  for (guint i = 0; i < strtoul (argv[3], NULL, 10); i++)
    g_ptr_array_add (callers, caller_new (i));
  for (int round = 0; round < atoi (argv[2]); round++)
    for (int turn = 0; turn < 2; turn++)
      {
        int which = (turn + round) % 2;

        bench_samples_add (rates[which], run_flow (&flows[which], callers));
      }

  report (argv[1], callers->len, &flows[0], rates[0], rates[1]);
  return 0;
}
