/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long after a client's SIGKILL a bystander learns that its leases are
 * gone and their device is parked; and, in turns with that, how long after the
 * SIGKILL of a client without leases a bare listener gets NameOwnerChanged.
 */

#include "bench.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char *item = "";
static char *client = "bench-client";
static int rounds = 100;
static int leases = 1;
static int modulo = 1;
static gboolean shared;

static const GOptionEntry entries[] = {
  { "item", 0, 0, G_OPTION_ARG_STRING, &item, "Item of the table", "ITEM" },
  { "client", 0, 0, G_OPTION_ARG_FILENAME, &client, "The program to kill", "PROGRAM" },
  { "rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "How often", "N" },
  { "leases", 0, 0, G_OPTION_ARG_INT, &leases, "How many leases it has", "N" },
  { "modulo", 0, 0, G_OPTION_ARG_INT, &modulo, "On how many devices", "N" },
  { "shared", 0, 0, G_OPTION_ARG_NONE, &shared, "Others have leases on them too: they stay leased", NULL },
  { NULL }
};

typedef struct
{
  GDBusConnection *bus;
  char *service; /* its unique name */
  char *device;
  int left;         /* leases */
  gboolean parked;  /* the device, since the kill */
  gboolean vanished; /* the client, on the bus */
  double last_time; /* of what was waited for */
} Bystander;

typedef struct
{
  GPid pid;
  int hold; /* the write end of its stdin */
  char *name;
} Client;

static Client
client_spawn (int count)
{
  g_autofree char *count_text = g_strdup_printf ("%d", count);
  g_autofree char *modulo_text = g_strdup_printf ("%d", modulo);
  char *argv[] = { client, count_text, (char *) "0", modulo_text, NULL };
  g_autoptr (GError) error = NULL;
  char line[64] = "";
  FILE *output;
  Client self;
  int out;

  g_spawn_async_with_pipes (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &self.pid, &self.hold, &out, NULL,
                            &error);
  bench_check ("starting the client", error);
  output = fdopen (out, "r");
  if (fgets (line, sizeof line, output) == NULL)
    bench_die ("the client has failed");
  fclose (output);
  self.name = g_strdup (g_strchomp (line));
  return self;
}

static double
client_kill (Client *self)
{
  double start = bench_now ();

  kill (self->pid, SIGKILL);
  return start;
}

static void
client_clear (Client *self)
{
  waitpid (self->pid, NULL, 0);
  close (self->hold);
  g_free (self->name);
}

static void
on_interfaces_removed (GDBusConnection *bus,
                       const char      *sender,
                       const char      *path,
                       const char      *interface,
                       const char      *signal,
                       GVariant        *parameters,
                       gpointer         user_data)
{
  Bystander *self = user_data;
  g_autofree const char **interfaces = NULL;

  g_variant_get (parameters, "(&o^a&s)", NULL, &interfaces);
  if (g_strv_contains (interfaces, BENCH_LEASE_INTERFACE))
    {
      self->left--;
      self->last_time = bench_now ();
    }
}

static void
on_properties_changed (GDBusConnection *bus,
                       const char      *sender,
                       const char      *path,
                       const char      *interface,
                       const char      *signal,
                       GVariant        *parameters,
                       gpointer         user_data)
{
  Bystander *self = user_data;
  g_autoptr (GVariant) changed = NULL;
  const char *state;

  g_variant_get (parameters, "(&s@a{sv}as)", NULL, &changed, NULL);
  if (g_variant_lookup (changed, "State", "&s", &state) && g_str_equal (state, "parked"))
    {
      self->parked = TRUE;
      self->last_time = bench_now ();
    }
}

static void
on_name_owner_changed (GDBusConnection *bus,
                       const char      *sender,
                       const char      *path,
                       const char      *interface,
                       const char      *signal,
                       GVariant        *parameters,
                       gpointer         user_data)
{
  Bystander *self = user_data;
  const char *owner;

  g_variant_get (parameters, "(&s&s&s)", NULL, NULL, &owner);
  if (*owner == '\0')
    {
      self->vanished = TRUE;
      self->last_time = bench_now ();
    }
}

static gboolean
on_deadline (gpointer user_data)
{
  bench_die ("what follows a client's death has not come after %d s", BENCH_DEADLINE);
}

static gboolean
leases_ended (Bystander *self)
{
  return self->left <= 0 && (shared || self->parked);
}

static gboolean
name_vanished (Bystander *self)
{
  return self->vanished;
}

static void
wait_for (Bystander *self,
          gboolean (*condition) (Bystander *))
{
  guint deadline = g_timeout_add_seconds (BENCH_DEADLINE, on_deadline, NULL);

  while (!condition (self))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (deadline);
}

/* The next tenant's memory: outside of what is timed, but a figure counts only if this holds. */
static void
expect_zeros (Bystander *self)
{
  g_autofree char *lease = NULL;
  int fd = bench_open (self->bus, BENCH_SERVICE, self->device, &lease);
  char *page = mmap (NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

  for (int i = 0; i < 4096; i++)
    if (page[i] != 0)
      bench_die ("byte %d of a fresh region is not zero", i);
  munmap (page, 4096);
  close (fd);
  bench_release (self->bus, lease);
  bench_await_state (self->bus, self->device, "parked");
}

static double
time_leases (Bystander *self)
{
  Client victim = client_spawn (leases);
  guint removed, changed;
  double start;

  self->left = leases;
  self->parked = FALSE;
  removed = g_dbus_connection_signal_subscribe (self->bus, self->service, "org.freedesktop.DBus.ObjectManager",
                                                "InterfacesRemoved", "/org/regiond1", NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                on_interfaces_removed, self, NULL);
  changed = g_dbus_connection_signal_subscribe (self->bus, self->service, "org.freedesktop.DBus.Properties",
                                                "PropertiesChanged", self->device, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                on_properties_changed, self, NULL);
  bench_sync (self->bus);
  bench_ping (self->bus, BENCH_SERVICE);
  start = client_kill (&victim);
  wait_for (self, leases_ended);

  g_dbus_connection_signal_unsubscribe (self->bus, removed);
  g_dbus_connection_signal_unsubscribe (self->bus, changed);
  client_clear (&victim);
  if (!shared)
    expect_zeros (self);
  return self->last_time - start;
}

static double
time_name (Bystander *self)
{
  Client victim = client_spawn (0);
  guint changed;
  double start;

  self->vanished = FALSE;
  changed = g_dbus_connection_signal_subscribe (self->bus, "org.freedesktop.DBus", "org.freedesktop.DBus",
                                                "NameOwnerChanged", "/org/freedesktop/DBus", victim.name,
                                                G_DBUS_SIGNAL_FLAGS_NONE, on_name_owner_changed, self, NULL);
  bench_sync (self->bus);
  bench_ping (self->bus, BENCH_SERVICE);
  start = client_kill (&victim);
  wait_for (self, name_vanished);

  g_dbus_connection_signal_unsubscribe (self->bus, changed);
  client_clear (&victim);
  return self->last_time - start;
}

static char *
service_name (GDBusConnection *bus)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  char *name;

  reply = g_dbus_connection_call_sync (bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                       "GetNameOwner", g_variant_new ("(s)", BENCH_SERVICE), G_VARIANT_TYPE ("(s)"),
                                       G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
  bench_check ("finding the service", error);
  g_variant_get (reply, "(s)", &name);
  return name;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GArray) lease_times = bench_samples_new ();
  g_autoptr (GArray) name_times = bench_samples_new ();
  g_autofree char *what = NULL;
  g_autoptr (GError) error = NULL;
  Bystander self = { 0 };

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_parse (context, &argc, &argv, &error);
  bench_check ("options", error);
  self.bus = bench_connect ();
  self.service = service_name (self.bus);
  self.device = bench_device_path (0);

  for (int i = 0; i < rounds; i++)
    {
      bench_samples_add (name_times, time_name (&self));
      bench_samples_add (lease_times, time_leases (&self));
    }

  what = g_strdup_printf ("SIGKILL until %d %s", leases, shared ? "leases are gone" : "lease is gone, device fresh");
  bench_report (item, what, bench_samples_median (lease_times), bench_samples_median (name_times), "µs",
                shared ? "" : "1.5");
  return 0;
}
