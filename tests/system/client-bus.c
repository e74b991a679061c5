/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gio/gunixfdlist.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "client.h"
#include "peer.h"

static GDBusConnection *connection;
/* Every signal that regiond has sent this way: "PATH MEMBER ARGUMENTS". */
static GPtrArray *signals;

static void
on_signal (GDBusConnection *bus,
           const char *sender,
           const char *path,
           const char *interface,
           const char *member,
           GVariant *parameters,
           gpointer data)
{
  g_autofree char *text = g_variant_print (parameters, FALSE);

  if (g_str_equal (interface, "org.regiond1.Lease"))
    g_ptr_array_add (signals, g_strdup_printf ("%s %s %s", path, member, text));
}

void
client_bus_connect (void)
{
  if (!signals)
    signals = g_ptr_array_new_with_free_func (g_free);
  connection = bus_connect ();
  g_assert_nonnull (connection);
  /* Listens to whatever anybody may hear. */
  g_dbus_connection_signal_subscribe (connection, "org.regiond1", NULL, NULL, NULL, NULL,
                                      G_DBUS_SIGNAL_FLAGS_NONE, on_signal, NULL, NULL);
}

GDBusConnection *
client_bus_get (void)
{
  return connection;
}

/* The descriptors of the reply follow as numbers. */
static void
answer_reply (const char *serial,
              GVariant *reply,
              GUnixFDList *fds)
{
  g_autofree char *text = g_variant_print (reply, TRUE);
  int n = 0;

  if (fds)
    {
      g_autofree int *numbers = g_unix_fd_list_steal_fds (fds, &n);
      g_autofree char *first = g_strdup_printf ("%d", n > 0 ? numbers[0] : -1);

      client_answer (serial, text, first, NULL);
      return;
    }
  client_answer (serial, text, NULL);
}

static void
on_reply (GObject *source,
          GAsyncResult *result,
          gpointer data)
{
  g_autofree char *serial = data;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
    g_dbus_connection_call_with_unix_fd_list_finish (G_DBUS_CONNECTION (source), &fds, result, &error);

  if (reply)
    answer_reply (serial, reply, fds);
  else
    {
      g_autofree char *name = g_dbus_error_get_remote_error (error);

      g_dbus_error_strip_remote_error (error);
      client_fail (serial, name ? name : "local", error->message);
    }
}

/* call PATH INTERFACE METHOD ARGUMENTS ""|interactive|FD, which goes along; the same for call-peer */
static void
run_call (Command *command,
          const char *service)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  GVariant *arguments = g_variant_parse (NULL, command_string (command, 3), NULL, NULL, &error);
  const char *manner = command_string (command, 4);
  GDBusCallFlags flags = G_DBUS_CALL_FLAGS_NONE;

  g_assert_no_error (error);
  if (g_str_equal (manner, "interactive"))
    flags |= G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION;
  else if (*manner)
    {
      fds = g_unix_fd_list_new ();
      g_unix_fd_list_append (fds, atoi (manner), NULL);
    }
  g_dbus_connection_call_with_unix_fd_list (connection, service, command_string (command, 0),
                                            command_string (command, 1), command_string (command, 2),
                                            g_variant_ref_sink (arguments), NULL, flags, G_MAXINT, fds, NULL,
                                            on_reply, g_strdup (command->words[0]));
  g_variant_unref (arguments);
}

/* call-far LENGTH: to an object whose path has so many letters, for which a command has no room */
static void
run_call_far (Command *command)
{
  g_autofree char *name = g_strnfill (command_number (command, 0) - 1, 'a');
  g_autofree char *path = g_strconcat ("/", name, NULL);

  g_dbus_connection_call_with_unix_fd_list (connection, "org.regiond1", path, "org.regiond1.Device", "Reset",
                                            g_variant_new ("(a{sv})", NULL), NULL, G_DBUS_CALL_FLAGS_NONE, G_MAXINT,
                                            NULL, NULL, on_reply, g_strdup (command->words[0]));
}

/* Everything so far, one string. */
static void
run_signals (Command *command)
{
  g_autoptr (GString) all = g_string_new (NULL);

  for (guint i = 0; i < signals->len; i++)
    g_string_append_printf (all, "%s\n", (char *) signals->pdata[i]);
  client_answer (command->words[0], all->str, NULL);
}

static void
run_drop (Command *command)
{
  g_dbus_connection_close_sync (connection, NULL, NULL);
  g_clear_object (&connection);
  client_done (command->words[0]);
}

gboolean
client_bus_run (Command *command)
{
  const char *name = command->words[1];

  if (g_str_equal (name, "call"))
    run_call (command, "org.regiond1");
  else if (g_str_equal (name, "call-peer"))
    run_call (command, PEER_NAME);
  else if (g_str_equal (name, "call-far"))
    run_call_far (command);
  else if (g_str_equal (name, "signals"))
    run_signals (command);
  else if (g_str_equal (name, "drop"))
    run_drop (command);
  else if (g_str_equal (name, "connect"))
    {
      client_bus_connect ();
      client_answer (command->words[0], g_dbus_connection_get_unique_name (connection), NULL);
    }
  else if (g_str_equal (name, "name"))
    client_answer (command->words[0], g_dbus_connection_get_unique_name (connection), NULL);
  else
    return FALSE;
  return TRUE;
}
