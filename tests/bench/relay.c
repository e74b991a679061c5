/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The least that any service must do to tell others of a client's death: it
 * gets NameOwnerChanged and sends the two signals that end a lease. Reads bus
 * names from stdin, and answers each with its own as soon as it is listening.
 */

#include "bench.h"

#include <stdio.h>

static GDBusConnection *bus;
static guint subscription;

static void
send_news (void)
{
  g_autofree char *device = bench_device_path (0);
  const char *const interfaces[] = { BENCH_LEASE_INTERFACE, NULL };
  GVariantDict changed;

  g_dbus_connection_emit_signal (bus, NULL, "/org/regiond1", "org.freedesktop.DBus.ObjectManager",
                                 "InterfacesRemoved",
                                 g_variant_new ("(o^as)", "/org/regiond1/leases/1", interfaces), NULL);
  g_variant_dict_init (&changed, NULL);
  g_variant_dict_insert (&changed, "State", "s", "parked");
  g_dbus_connection_emit_signal (bus, NULL, device, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                 g_variant_new ("(s@a{sv}as)", BENCH_DEVICE_INTERFACE,
                                                g_variant_dict_end (&changed), NULL),
                                 NULL);
}

static void
on_name_owner_changed (GDBusConnection *connection,
                       const char      *sender,
                       const char      *path,
                       const char      *interface,
                       const char      *signal,
                       GVariant        *parameters,
                       gpointer         user_data)
{
  const char *owner;

  g_variant_get (parameters, "(&s&s&s)", NULL, NULL, &owner);
  if (*owner == '\0')
    send_news ();
}

static gboolean
on_line (GIOChannel  *input,
         GIOCondition condition,
         gpointer     user_data)
{
  g_autofree char *name = NULL;

  if (g_io_channel_read_line (input, &name, NULL, NULL, NULL) != G_IO_STATUS_NORMAL)
    {
      g_main_loop_quit (user_data);
      return G_SOURCE_REMOVE;
    }

  if (subscription != 0)
    g_dbus_connection_signal_unsubscribe (bus, subscription);
  subscription = g_dbus_connection_signal_subscribe (bus, "org.freedesktop.DBus", "org.freedesktop.DBus",
                                                     "NameOwnerChanged", "/org/freedesktop/DBus",
                                                     g_strchomp (name), G_DBUS_SIGNAL_FLAGS_NONE,
                                                     on_name_owner_changed, NULL, NULL);
  bench_sync (bus);
  printf ("%s\n", g_dbus_connection_get_unique_name (bus));
  fflush (stdout);
  return G_SOURCE_CONTINUE;
}

int
main (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GIOChannel) input = g_io_channel_unix_new (0);

  bus = bench_connect ();
  g_io_add_watch (input, G_IO_IN | G_IO_HUP, on_line, loop);
  g_main_loop_run (loop);
  return 0;
}
