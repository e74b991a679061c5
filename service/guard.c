/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard.h"

#define PATH_MOST 1024
#define BODY_MOST (64 * 1024)

static gboolean
is_long (GDBusMessage *message)
{
  GVariant *body = g_dbus_message_get_body (message);

  return strlen (g_dbus_message_get_path (message)) > PATH_MOST ||
         (body != NULL && g_variant_get_size (body) > BODY_MOST);
}

static void
turn_away (GDBusConnection *connection,
           GDBusMessage    *message)
{
  g_autoptr (GDBusMessage) reply = NULL;

  if (g_dbus_message_get_flags (message) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED)
    return;

  reply = g_dbus_message_new_method_error (message, "org.freedesktop.DBus.Error.LimitsExceeded",
                                           "The call is too long: a path has at most %d letters here, the arguments "
                                           "%d bytes", PATH_MOST, BODY_MOST);
  g_dbus_connection_send_message (connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
}

/* On GDBus's own thread. */
static GDBusMessage *
on_message (GDBusConnection *connection,
            GDBusMessage    *message,
            gboolean         incoming,
            gpointer         data)
{
  if (!incoming || g_dbus_message_get_message_type (message) != G_DBUS_MESSAGE_TYPE_METHOD_CALL || !is_long (message))
    return message;

  turn_away (connection, message);
  g_object_unref (message);
  return NULL;
}

void
regiond_guard_against_long_calls (GDBusConnection *connection)
{
  g_dbus_connection_add_filter (connection, on_message, NULL, NULL);
}
