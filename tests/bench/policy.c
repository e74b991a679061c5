/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long it takes from polkit's announcement of an edited rule until every
 * lease that it takes away has ended, and how long Explain takes.
 *
 * bench-policy ITEM ROUNDS RULES UID
 *
 * As root, which writes the file RULES; the leases are UID's. The base of the
 * former is what polkit takes to answer as many questions of this program, two
 * at a time; that of the latter the floor's Open.
 */

#include "bench.h"

#include "../system/bare-polkit.h"
#include "../system/ear.h"

#include <gio/gunixfdlist.h>
#include <stdlib.h>
#include <unistd.h>

#define RULE_YES "// nothing\n"
#define RULE_NO "polkit.addRule(function (action) {\n" \
                "  if (action.id.indexOf('org.regiond1.') == 0) return polkit.Result.NO; });\n"

typedef struct
{
  GDBusConnection *bus; /* UID's */
  const char *rules;
  char *device;
  GArray *fds;
  Ear *ear;
} Bench;

/* A connection of its own: the library has one for all. */
static GDBusConnection *
connect_as (uid_t uid)
{
  g_autofree char *address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, NULL);
  g_autoptr (GError) error = NULL;
  GDBusConnection *bus;

  if (seteuid (uid) != 0)
    bench_die ("cannot become user %u", uid);
  bus = g_dbus_connection_new_for_address_sync (
    address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, NULL, NULL,
    &error);
  bench_check ("connecting to the bus", error);
  if (seteuid (0) != 0)
    bench_die ("cannot become root again");
  return bus;
}

static void
set_rules (Bench      *self,
           const char *text)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (self->rules, text, -1, &error);
  bench_check ("writing a rule", error);
}

static GVariant *
make_options (guint number)
{
  g_autofree char *label = g_strdup_printf ("%u", number);
  GVariantBuilder options;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "label", g_variant_new_string (label));
  return g_variant_builder_end (&options);
}

/* Each has a label, and so a question, of its own. FALSE: polkit says no. */
static gboolean
open_one (Bench *self,
          guint  number)
{
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_sync (
    self->bus, BENCH_SERVICE, self->device, BENCH_DEVICE_INTERFACE, "OpenRegion",
    g_variant_new ("(ss@a{sv})", BENCH_REGION, "rm", make_options (number)), G_VARIANT_TYPE ("(ho)"),
    G_DBUS_CALL_FLAGS_NONE, -1, NULL, &fds, NULL, NULL);
  int fd;

  if (reply == NULL)
    return FALSE;
  fd = g_unix_fd_list_get (fds, 0, NULL);
  g_array_append_val (self->fds, fd);
  return TRUE;
}

static void
open_all (Bench *self,
          guint  count)
{
  double deadline = bench_now () + BENCH_DEADLINE * 1e6;

  for (guint i = 0; i < count; i++)
    {
      /* The rule that said no may still be in force. */
      while (!open_one (self, i))
        if (bench_now () > deadline)
          bench_die ("no lease within %d s", BENCH_DEADLINE);
    }
}

static void
close_all (Bench *self)
{
  for (guint i = 0; i < self->fds->len; i++)
    close (g_array_index (self->fds, int, i));
  g_array_set_size (self->fds, 0);
}

/* In µs. */
static double
time_withdrawal (Bench *self,
                 guint  count)
{
  gint64 took;

  set_rules (self, RULE_YES);
  open_all (self, count);

  /* What the edit above makes polkit announce has been heard. */
  g_usleep (500 * 1000);
  ear_forget (self->ear);
  set_rules (self, RULE_NO);
  took = ear_wait_withdrawn (self->ear, count, BENCH_DEADLINE * 1000);
  close_all (self);
  return took;
}

static void
report_withdrawal (Bench      *self,
                   const char *item,
                   guint       rounds,
                   guint       count,
                   const char *aim)
{
  g_autofree char *what = g_strdup_printf ("an edited rule until %u %s withdrawn", count, count == 1 ? "lease is" : "leases are");
  const char *subject = g_dbus_connection_get_unique_name (self->bus);
  g_autoptr (GDBusConnection) root = connect_as (0);
  g_autoptr (GArray) times = bench_samples_new (), base = bench_samples_new ();

  for (guint i = 0; i < rounds; i++)
    {
      bench_samples_add (times, time_withdrawal (self, count) / 1000);
      /* By the same rule, which is in force now. */
      bench_samples_add (base, bare_polkit_measure (root, subject, count));
    }
  bench_report (item, what, bench_samples_median (times), bench_samples_median (base), "ms", aim);
}

static double
time_explain (Bench *self)
{
  double start = bench_now ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
    self->bus, BENCH_SERVICE, "/org/regiond1", "org.regiond1.Manager", "Explain",
    g_variant_new ("(oss@a{sv})", self->device, BENCH_REGION, "rwm", make_options (0)), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
    NULL, &error);

  bench_check ("Explain", error);
  return bench_now () - start;
}

static double
time_floor (Bench *self)
{
  double start = bench_now ();

  close (bench_open (self->bus, BENCH_FLOOR, BENCH_FLOOR_PATH "/4096", NULL));
  return bench_now () - start;
}

static void
report_explain (Bench      *self,
                const char *item,
                guint       rounds)
{
  g_autoptr (GArray) times = bench_samples_new (), base = bench_samples_new ();

  for (guint i = 0; i < rounds; i++)
    {
      bench_samples_add (times, time_explain (self));
      bench_samples_add (base, time_floor (self));
    }
  bench_report (item, "Explain", bench_samples_median (times), bench_samples_median (base), "µs", "");
}

int
main (int    argc,
      char **argv)
{
  Bench self = { 0 };
  guint rounds;

  if (argc != 5)
    bench_die ("usage: bench-policy ITEM ROUNDS RULES UID");

  rounds = atoi (argv[2]);
  self.rules = argv[3];
  self.bus = connect_as (atoi (argv[4]));
  self.device = bench_device_path (0);
  self.fds = g_array_new (FALSE, FALSE, sizeof (int));
  bench_allow_many_fds ();
  self.ear = ear_new (self.bus, "Ended");

  report_explain (&self, argv[1], 10 * rounds);
  report_withdrawal (&self, argv[1], rounds, 1, "+200 ms");
  report_withdrawal (&self, argv[1], MAX (1, rounds / 10), 1000, "+200 ms");
  set_rules (&self, RULE_YES);
  return 0;
}
