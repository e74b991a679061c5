/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long the service takes from exec until it owns its name, with one
 * configuration and with another, in turns:
 * bench-start ITEM ROUNDS CONFIG EMPTY-CONFIG DAEMON [ARGUMENT…]
 */

#include "bench.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

typedef struct
{
  GDBusConnection *bus;
  GPtrArray *argv;
  double owned; /* when, or 0 */
  gboolean lost;
} Starter;

static void
on_name_owner_changed (GDBusConnection *bus,
                       const char      *sender,
                       const char      *path,
                       const char      *interface,
                       const char      *signal,
                       GVariant        *parameters,
                       gpointer         user_data)
{
  Starter *self = user_data;
  const char *owner;

  g_variant_get (parameters, "(&s&s&s)", NULL, NULL, &owner);
  if (*owner != '\0')
    self->owned = bench_now ();
  else
    self->lost = TRUE;
}

static gboolean
on_deadline (gpointer user_data)
{
  bench_die ("the service has not started or stopped after %d s", BENCH_DEADLINE);
}

/* The last argument of the daemon is the configuration. */
static double
time_start (Starter *self,
            char    *config)
{
  guint deadline = g_timeout_add_seconds (BENCH_DEADLINE, on_deadline, NULL);
  g_autoptr (GError) error = NULL;
  double start = bench_now ();
  GPid pid;

  self->owned = 0;
  self->lost = FALSE;
  self->argv->pdata[self->argv->len - 2] = config;
  g_spawn_async (NULL, (char **) self->argv->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                 NULL, &pid, &error);
  bench_check ("starting the service", error);
  while (self->owned == 0)
    g_main_context_iteration (NULL, TRUE);

  kill (pid, SIGTERM);
  while (!self->lost)
    g_main_context_iteration (NULL, TRUE);
  waitpid (pid, NULL, 0);
  g_source_remove (deadline);
  return self->owned - start;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GArray) full_times = bench_samples_new ();
  g_autoptr (GArray) empty_times = bench_samples_new ();
  Starter self = { 0 };
  int rounds;

  if (argc < 6)
    bench_die ("usage: bench-start ITEM ROUNDS CONFIG EMPTY-CONFIG DAEMON [ARGUMENT…]");
  rounds = atoi (argv[2]);
  self.bus = bench_connect ();
  self.argv = g_ptr_array_new ();
  for (int i = 5; i < argc; i++)
    g_ptr_array_add (self.argv, argv[i]);
  g_ptr_array_add (self.argv, (char *) "--config");
  g_ptr_array_add (self.argv, NULL);
  g_ptr_array_add (self.argv, NULL);

  g_dbus_connection_signal_subscribe (self.bus, "org.freedesktop.DBus", "org.freedesktop.DBus", "NameOwnerChanged",
                                      "/org/freedesktop/DBus", BENCH_SERVICE, G_DBUS_SIGNAL_FLAGS_NONE,
                                      on_name_owner_changed, &self, NULL);
  bench_sync (self.bus);
  for (int i = 0; i < rounds; i++)
    {
      bench_samples_add (empty_times, time_start (&self, argv[4]));
      bench_samples_add (full_times, time_start (&self, argv[3]));
    }

  bench_report (argv[1], "start until the name is owned, 1,000 devices", bench_samples_median (full_times) / 1000,
                bench_samples_median (empty_times) / 1000, "ms", "+100 ms");
  return 0;
}
