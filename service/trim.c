/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trim.h"

#include <malloc.h>

/* By then the answer is on its way. */
#define DELAY_MS 1000

static int pending;

static gboolean
trim (gpointer data)
{
  g_atomic_int_set (&pending, FALSE);
  malloc_trim (0);
  return G_SOURCE_REMOVE;
}

/* On GDBus's own thread. */
static GDBusMessage *
on_message (GDBusConnection *connection,
            GDBusMessage    *message,
            gboolean         incoming,
            gpointer         data)
{
  if (incoming && g_strcmp0 (g_dbus_message_get_member (message), "GetManagedObjects") == 0 &&
      g_atomic_int_compare_and_exchange (&pending, FALSE, TRUE))
    g_timeout_add (DELAY_MS, trim, NULL);

  return message;
}

void
regiond_trim_after_listings (GDBusConnection *connection)
{
  g_dbus_connection_add_filter (connection, on_message, NULL, NULL);
}
