/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session.h"

#define NOTIFICATIONS "org.freedesktop.Notifications"
#define NOTIFICATIONS_PATH "/org/freedesktop/Notifications"
#define BUS_NAME "org.regiond1"

static const char *const everything[] = { "actions", "body", "body-markup", NULL };

static const char notifications_xml[] =
  "<node><interface name='" NOTIFICATIONS "'>"
  " <method name='GetCapabilities'><arg type='as' direction='out'/></method>"
  " <method name='CloseNotification'><arg type='u' direction='in'/></method>"
  " <method name='Notify'><arg type='s' direction='in'/><arg type='u' direction='in'/><arg type='s' direction='in'/>"
  "  <arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='as' direction='in'/>"
  "  <arg type='a{sv}' direction='in'/><arg type='i' direction='in'/><arg type='u' direction='out'/></method>"
  "</interface></node>";

static const char service_xml[] =
  "<node><interface name='org.freedesktop.DBus.ObjectManager'>"
  " <method name='GetManagedObjects'><arg type='a{oa{sa{sv}}}' direction='out'/></method></interface>"
  " <interface name='org.regiond1.Lease'>"
  " <method name='Revoke'><arg type='s' direction='in'/><arg type='a{sv}' direction='in'/></method></interface></node>";

static void
shown_free (gpointer data)
{
  Shown *shown = data;

  g_free (shown->summary);
  g_free (shown->body);
  g_free (shown->action);
  g_free (shown->label);
  g_free (shown);
}

static void
emit (GDBusConnection *connection,
      const char *path,
      const char *interface,
      const char *signal,
      GVariant *arguments)
{
  g_assert_true (g_dbus_connection_emit_signal (connection, NULL, path, interface, signal, arguments, NULL));
}

void
session_dismiss (Session *session,
                 guint32 number)
{
  emit (session->desktop, NOTIFICATIONS_PATH, NOTIFICATIONS, "NotificationClosed", g_variant_new ("(uu)", number, 2));
}

static guint32
take_notice (Session *session,
             GVariant *arguments)
{
  Shown *shown = g_new0 (Shown, 1);
  g_autofree const char **actions = NULL;

  g_variant_get (arguments, "(&su&sss^a&s@a{sv}i)", NULL, &shown->replaces, NULL, &shown->summary, &shown->body,
                 &actions, NULL, NULL);
  if (session->closes && shown->replaces)
    session_dismiss (session, shown->replaces);
  if (actions[0])
    {
      shown->action = g_strdup (actions[0]);
      shown->label = g_strdup (actions[1]);
    }
  shown->number = shown->replaces && !session->closes ? shown->replaces : session->shown->len + 1;
  shown->when = g_get_monotonic_time ();
  g_ptr_array_add (session->shown, shown);
  return shown->number;
}

static void
on_notifications (GDBusConnection *connection,
                  const char *sender,
                  const char *path,
                  const char *interface,
                  const char *method,
                  GVariant *arguments,
                  GDBusMethodInvocation *invocation,
                  gpointer data)
{
  Session *session = data;
  guint32 number;

  if (g_str_equal (method, "GetCapabilities"))
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(^as)", session->capabilities));
  else if (g_str_equal (method, "Notify"))
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(u)", take_notice (session, arguments)));
  else
    {
      g_variant_get (arguments, "(u)", &number);
      g_array_append_val (session->closed, number);
      g_dbus_method_invocation_return_value (invocation, NULL);
    }
}

static void
on_service (GDBusConnection *connection,
            const char *sender,
            const char *path,
            const char *interface,
            const char *method,
            GVariant *arguments,
            GDBusMethodInvocation *invocation,
            gpointer data)
{
  Session *session = data;

  if (g_str_equal (method, "GetManagedObjects"))
    {
      session->listing = invocation;
      if (!session->late)
        session_answer (session);
      return;
    }

  g_ptr_array_add (session->revoked, g_strdup (path));
  session->prompts += (g_dbus_message_get_flags (g_dbus_method_invocation_get_message (invocation)) &
                       G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0;
  session->revoking = invocation;
  if (!session->slow)
    session_answer_revoke (session);
}

void
session_answer_revoke (Session *session)
{
  if (session->refusal)
    g_dbus_method_invocation_return_dbus_error (session->revoking, "org.freedesktop.DBus.Error.AccessDenied",
                                                session->refusal);
  else
    g_dbus_method_invocation_return_value (session->revoking, NULL);
  session->revoking = NULL;
}

void
session_answer (Session *session)
{
  g_dbus_method_invocation_return_value (session->listing, g_variant_new_parsed (session->objects));
  session->listing = NULL;
}

static GDBusConnection *
join (Session *session)
{
  g_autoptr (GError) error = NULL;
  GDBusConnection *connection =
    g_dbus_connection_new_for_address_sync (g_test_dbus_get_bus_address (session->bus),
                                            G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                              G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                            NULL, NULL, &error);

  g_assert_no_error (error);
  return connection;
}

static void
take_name (GDBusConnection *connection,
           const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
    g_dbus_connection_call_sync (connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                 "RequestName", g_variant_new ("(su)", name, 0), NULL, 0, -1, NULL, &error);

  g_assert_no_error (error);
}

static void
serve (Session *session,
       GDBusConnection *connection,
       const char *xml,
       guint interface,
       const char *path,
       GDBusInterfaceMethodCallFunc func)
{
  const GDBusInterfaceVTable table = { .method_call = func };
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (xml, NULL);

  g_assert_cmpuint (g_dbus_connection_register_object (connection, path, node->interfaces[interface], &table, session,
                                                       NULL, NULL), >, 0);
}

void
session_start_desktop (Session *session)
{
  session->desktop = join (session);
  serve (session, session->desktop, notifications_xml, 0, NOTIFICATIONS_PATH, on_notifications);
  take_name (session->desktop, NOTIFICATIONS);
}

static void
leave (GDBusConnection **connection)
{
  if (*connection)
    g_dbus_connection_close_sync (*connection, NULL, NULL);
  g_clear_object (connection);
}

void
session_stop_desktop (Session *session)
{
  leave (&session->desktop);
}

void
session_start_service (Session *session)
{
  session->service = join (session);
  serve (session, session->service, service_xml, 0, "/org/regiond1", on_service);
  serve (session, session->service, service_xml, 1, SESSION_LEASE, on_service);
  serve (session, session->service, service_xml, 1, SESSION_LEASE_2, on_service);
  serve (session, session->service, service_xml, 1, SESSION_LEASE_3, on_service);
  take_name (session->service, BUS_NAME);
}

void
session_stop_service (Session *session)
{
  leave (&session->service);
}

void
session_init (Session *session)
{
  *session = (Session){ .capabilities = everything, .objects = "(@a{oa{sa{sv}}} {},)" };
  session->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_test_dbus_up (session->bus);
  session->agent = join (session);
  session->shown = g_ptr_array_new_with_free_func (shown_free);
  session->closed = g_array_new (FALSE, FALSE, sizeof (guint32));
  session->revoked = g_ptr_array_new_with_free_func (g_free);
  session_start_desktop (session);
  session_start_service (session);
}

void
session_clear (Session *session)
{
  leave (&session->agent);
  leave (&session->desktop);
  leave (&session->service);
  g_ptr_array_unref (session->shown);
  g_array_unref (session->closed);
  g_ptr_array_unref (session->revoked);
  g_test_dbus_down (session->bus);
  g_object_unref (session->bus);
}

Shown *
session_get_last (Session *session)
{
  return session->shown->len ? g_ptr_array_index (session->shown, session->shown->len - 1) : NULL;
}

void
session_press (Session *session,
               const Shown *shown)
{
  emit (session->desktop, NOTIFICATIONS_PATH, NOTIFICATIONS, "ActionInvoked",
        g_variant_new ("(us)", shown->number, shown->action));
}

void
session_emit (Session *session,
              const char *interface,
              const char *signal,
              const char *arguments)
{
  emit (session->service, "/org/regiond1", interface, signal, g_variant_new_parsed (arguments));
}

void
session_turn (void)
{
  if (!g_main_context_iteration (NULL, FALSE))
    g_usleep (2000);
}

static void
on_answer (GObject *source,
           GAsyncResult *result,
           gpointer done)
{
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);

  *(gboolean *) done = TRUE;
}

static void
ping (GDBusConnection *connection)
{
  gboolean done = FALSE;

  g_dbus_connection_call (connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Peer",
                          "Ping", NULL, NULL, 0, -1, NULL, on_answer, &done);
  session_wait (done);
}

void
session_settle (Session *session)
{
  if (session->service)
    ping (session->service);
  if (session->desktop)
    ping (session->desktop);
  ping (session->agent);
}
