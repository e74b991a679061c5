/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long after a client's SIGKILL a bystander learns that its leases are
 * gone and their device is parked. In turns with that: how long after the
 * SIGKILL of a client without leases a bare listener gets NameOwnerChanged, and
 * how long the same news takes to the bystander through a bare relay.
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
static char *relay = "bench-relay";
static int rounds = 100;
static int leases = 1;
static int modulo = 1;
static gboolean shared;

static const GOptionEntry entries[] = {
  { "item", 0, 0, G_OPTION_ARG_STRING, &item, "Item of the table", "ITEM" },
  { "client", 0, 0, G_OPTION_ARG_FILENAME, &client, "The program to kill", "PROGRAM" },
  { "relay", 0, 0, G_OPTION_ARG_FILENAME, &relay, "The bare relay", "PROGRAM" },
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
  int input;    /* the write end of its stdin */
  FILE *output; /* its stdout */
  char *name;   /* on the bus, of a client */
} Child;

static char *
child_read_line (Child *self)
{
  char line[64] = "";

  if (fgets (line, sizeof line, self->output) == NULL)
    bench_die ("a child has failed");
  return g_strdup (g_strchomp (line));
}

static Child
child_spawn (char **argv)
{
  g_autoptr (GError) error = NULL;
  Child self = { 0 };
  int output;

  g_spawn_async_with_pipes (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &self.pid, &self.input, &output,
                            NULL, &error);
  bench_check (argv[0], error);
  self.output = fdopen (output, "r");
  return self;
}

static Child
client_spawn (int count)
{
  g_autofree char *count_text = g_strdup_printf ("%d", count);
  g_autofree char *modulo_text = g_strdup_printf ("%d", modulo);
  char *argv[] = { client, count_text, (char *) "0", modulo_text, NULL };
  Child self = child_spawn (argv);

  self.name = child_read_line (&self);
  return self;
}

static Child
relay_spawn (void)
{
  char *argv[] = { relay, NULL };

  return child_spawn (argv);
}

static double
child_kill (Child *self)
{
  double start = bench_now ();

  kill (self->pid, SIGKILL);
  return start;
}

static void
child_clear (Child *self)
{
  waitpid (self->pid, NULL, 0);
  close (self->input);
  fclose (self->output);
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

/* From the death of @victim until @sender has told of the end of @count leases. */
static double
time_news (Bystander  *self,
           Child      *victim,
           const char *sender,
           int         count)
{
  guint removed, changed;
  double start;

  self->left = count;
  self->parked = FALSE;
  removed = g_dbus_connection_signal_subscribe (self->bus, sender, "org.freedesktop.DBus.ObjectManager",
                                                "InterfacesRemoved", "/org/regiond1", NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                on_interfaces_removed, self, NULL);
  changed = g_dbus_connection_signal_subscribe (self->bus, sender, "org.freedesktop.DBus.Properties",
                                                "PropertiesChanged", self->device, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                on_properties_changed, self, NULL);
  bench_sync (self->bus);
  bench_ping (self->bus, BENCH_SERVICE);
  start = child_kill (victim);
  wait_for (self, leases_ended);

  g_dbus_connection_signal_unsubscribe (self->bus, removed);
  g_dbus_connection_signal_unsubscribe (self->bus, changed);
  child_clear (victim);
  return self->last_time - start;
}

static double
time_leases (Bystander *self)
{
  Child victim = client_spawn (leases);
  double time = time_news (self, &victim, self->service, leases);

  if (!shared)
    expect_zeros (self);
  return time;
}

static double
time_relay (Bystander *self,
            Child     *messenger)
{
  Child victim = client_spawn (0);
  g_autofree char *sender = NULL;

  dprintf (messenger->input, "%s\n", victim.name);
  sender = child_read_line (messenger);
  return time_news (self, &victim, sender, 1);
}

static double
time_name (Bystander *self)
{
  Child victim = client_spawn (0);
  guint changed;
  double start;

  self->vanished = FALSE;
  changed = g_dbus_connection_signal_subscribe (self->bus, "org.freedesktop.DBus", "org.freedesktop.DBus",
                                                "NameOwnerChanged", "/org/freedesktop/DBus", victim.name,
                                                G_DBUS_SIGNAL_FLAGS_NONE, on_name_owner_changed, self, NULL);
  bench_sync (self->bus);
  bench_ping (self->bus, BENCH_SERVICE);
  start = child_kill (&victim);
  wait_for (self, name_vanished);

  g_dbus_connection_signal_unsubscribe (self->bus, changed);
  child_clear (&victim);
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

static void
report (GArray *lease_times,
        GArray *name_times,
        GArray *relay_times)
{
  double lease_time = bench_samples_median (lease_times);
  double name_time = bench_samples_median (name_times);
  double relay_time = bench_samples_median (relay_times);
  g_autofree char *what = g_strdup_printf ("SIGKILL until %d %s", leases,
                                           shared ? "leases are gone" : "lease is gone, device fresh");

  bench_report (item, what, lease_time, name_time, "µs", shared ? "" : "1.5");
  if (shared)
    return;

  bench_report (item, "the same, against the bare relay", lease_time, relay_time, "µs", "");
  bench_report (item, "the bare relay, against NameOwnerChanged", relay_time, name_time, "µs", "");
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GArray) lease_times = bench_samples_new ();
  g_autoptr (GArray) name_times = bench_samples_new ();
  g_autoptr (GArray) relay_times = bench_samples_new ();
  g_autoptr (GError) error = NULL;
  Bystander self = { 0 };
  Child messenger;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_parse (context, &argc, &argv, &error);
  bench_check ("options", error);
  self.bus = bench_connect ();
  self.service = service_name (self.bus);
  self.device = bench_device_path (0);
  messenger = relay_spawn ();

  for (int i = 0; i < rounds; i++)
    {
      bench_samples_add (name_times, time_name (&self));
      bench_samples_add (lease_times, time_leases (&self));
      if (!shared)
        bench_samples_add (relay_times, time_relay (&self, &messenger));
    }

  report (lease_times, name_times, relay_times);
  child_kill (&messenger);
  child_clear (&messenger);
  return 0;
}
