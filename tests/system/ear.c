/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ear.h"

static void
on_changed (GDBusConnection *connection,
            const char *sender,
            const char *path,
            const char *interface,
            const char *signal,
            GVariant *parameters,
            gpointer data)
{
  Ear *ear = data;

  if (ear->changed == 0)
    ear->changed = g_get_monotonic_time ();
}

static void
on_ended (GDBusConnection *connection,
          const char *sender,
          const char *path,
          const char *interface,
          const char *signal,
          GVariant *parameters,
          gpointer data)
{
  Ear *ear = data;
  const char *reason;

  g_variant_get_child (parameters, g_variant_n_children (parameters) - 1, "&s", &reason);
  if (!g_str_equal (reason, "withdrawn"))
    return;
  ear->ended = g_get_monotonic_time ();
  ear->withdrawn++;
}

Ear *
ear_new (GDBusConnection *bus,
         const char *signal)
{
  Ear *ear = g_new0 (Ear, 1);

  ear->bus = bus;
  ear->subscriptions[0] =
    g_dbus_connection_signal_subscribe (bus, "org.freedesktop.PolicyKit1", "org.freedesktop.PolicyKit1.Authority",
                                        "Changed", NULL, NULL, 0, on_changed, ear, NULL);
  ear->subscriptions[1] =
    g_dbus_connection_signal_subscribe (bus, "org.regiond1", NULL, signal, NULL, NULL, 0, on_ended, ear, NULL);
  /* The bus has taken them in when it has answered. */
  g_variant_unref (g_dbus_connection_call_sync (bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                                "org.freedesktop.DBus", "GetId", NULL, NULL, 0, -1, NULL, NULL));
  return ear;
}

void
ear_free (Ear *ear)
{
  for (guint i = 0; i < G_N_ELEMENTS (ear->subscriptions); i++)
    g_dbus_connection_signal_unsubscribe (ear->bus, ear->subscriptions[i]);
  g_free (ear);
}

void
ear_forget (Ear *ear)
{
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  ear->changed = 0;
  ear->withdrawn = 0;
}

static gboolean
on_late (gpointer data)
{
  g_error ("it is late, and %u leases are withdrawn", ((Ear *) data)->withdrawn);
  return G_SOURCE_REMOVE;
}

gint64
ear_wait_withdrawn (Ear *ear,
                    guint count,
                    guint milliseconds)
{
  guint deadline = g_timeout_add (milliseconds, on_late, ear);

  /* Who waits leaves the processor to polkitd. */
  while (ear->withdrawn < count)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (deadline);
  g_assert_cmpint (ear->changed, !=, 0);
  return ear->ended - ear->changed;
}
