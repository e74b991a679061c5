/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus.h"

#include <signal.h>

#include "agent.h"
#include "error.h"

#define LIST_PATIENCE (3 * G_USEC_PER_SEC)
#define LIST_PAUSE (100 * 1000)

struct _CtlBus
{
  GDBusConnection *connection;
  gboolean ask_password;
  CtlAgent *agent;
};

static GDBusConnection *
connect_to (const char *address,
            GError    **error)
{
  g_autofree char *found = NULL;

  /* The agent finds polkit through the same variable. */
  if (address != NULL)
    g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);

  found = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, error);
  if (found == NULL)
    return NULL;

  return g_dbus_connection_new_for_address_sync (found,
                                                 G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                 G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                 NULL, NULL, error);
}

CtlBus *
ctl_bus_connect (const char *address,
                 gboolean    ask_password,
                 GError    **error)
{
  g_autoptr (GDBusConnection) connection = NULL;
  g_autoptr (GError) local_error = NULL;
  struct sigaction pipe_action;
  CtlBus *bus;

  /* GSocket ignores SIGPIPE for the whole process although it does not need to
   * on Linux. A reader that left should end us, and the command of exec is to
   * have it as we had it. */
  sigaction (SIGPIPE, NULL, &pipe_action);
  connection = connect_to (address, &local_error);
  sigaction (SIGPIPE, &pipe_action, NULL);

  if (connection == NULL)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_NO_SERVICE,
                   "The bus can not be reached: %s", local_error->message);
      return NULL;
    }

  bus = g_new0 (CtlBus, 1);
  bus->connection = g_steal_pointer (&connection);
  bus->ask_password = ask_password;
  return bus;
}

void
ctl_bus_free (CtlBus *bus)
{
  ctl_bus_dismiss_agent (bus);
  g_object_unref (bus->connection);
  g_free (bus);
}

GDBusConnection *
ctl_bus_get_connection (CtlBus *bus)
{
  return bus->connection;
}

void
ctl_bus_dismiss_agent (CtlBus *bus)
{
  g_clear_pointer (&bus->agent, ctl_agent_free);
}

static GVariant *
call (CtlBus        *bus,
      const char    *path,
      const char    *interface,
      const char    *method,
      GVariant      *parameters,
      const char    *reply_type,
      GDBusCallFlags flags,
      int            timeout,
      GUnixFDList  **fds,
      GError       **error)
{
  g_autoptr (GUnixFDList) given = fds == NULL ? NULL : g_steal_pointer (fds);
  GError *remote_error = NULL;
  GVariant *reply;

  reply = g_dbus_connection_call_with_unix_fd_list_sync (bus->connection, CTL_BUS_NAME, path,
                                                         interface, method, parameters,
                                                         G_VARIANT_TYPE (reply_type), flags,
                                                         timeout, given, fds, NULL, &remote_error);
  if (reply == NULL)
    ctl_error_propagate_remote (error, remote_error);

  return reply;
}

GVariant *
ctl_bus_call (CtlBus     *bus,
              const char *path,
              const char *interface,
              const char *method,
              GVariant   *parameters,
              const char *reply_type,
              GError    **error)
{
  return call (bus, path, interface, method, parameters, reply_type,
               G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);
}

GVariant *
ctl_bus_call_patiently (CtlBus     *bus,
                        const char *path,
                        const char *interface,
                        const char *method,
                        GVariant   *parameters,
                        const char *reply_type,
                        GError    **error)
{
  return call (bus, path, interface, method, parameters, reply_type,
               G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL, error);
}

static gboolean
is_crowded (const GError *error)
{
  g_autofree char *name = g_dbus_error_get_remote_error (error);

  return g_strcmp0 (name, "org.regiond1.Error.LimitExceeded") == 0;
}

GVariant *
ctl_bus_list (CtlBus  *bus,
              GError **error)
{
  gint64 until = g_get_monotonic_time () + LIST_PATIENCE;

  for (;;)
    {
      GError *remote_error = NULL;
      GVariant *reply = g_dbus_connection_call_sync (bus->connection, CTL_BUS_NAME, CTL_MANAGER_PATH,
                                                     "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL,
                                                     G_VARIANT_TYPE ("(a{oa{sa{sv}}})"), G_DBUS_CALL_FLAGS_NONE, -1,
                                                     NULL, &remote_error);

      if (reply != NULL)
        return reply;
      if (!is_crowded (remote_error) || g_get_monotonic_time () > until)
        {
          ctl_error_propagate_remote (error, remote_error);
          return NULL;
        }

      g_error_free (remote_error);
      g_usleep (LIST_PAUSE);
    }
}

GVariant *
ctl_bus_call_authorized (CtlBus       *bus,
                         const char   *path,
                         const char   *interface,
                         const char   *method,
                         GVariant     *parameters,
                         const char   *reply_type,
                         GUnixFDList **fds,
                         GError      **error)
{
  GDBusCallFlags flags = G_DBUS_CALL_FLAGS_NONE;

  if (bus->ask_password)
    {
      flags = G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION;
      if (bus->agent == NULL)
        bus->agent = ctl_agent_new ();
    }

  return call (bus, path, interface, method, parameters, reply_type, flags, G_MAXINT, fds, error);
}

char *
ctl_bus_find_device (CtlBus     *bus,
                     const char *device,
                     GError    **error)
{
  g_autoptr (GVariant) reply = NULL;
  char *path = NULL;

  if (g_variant_is_object_path (device))
    return g_strdup (device);

  reply = ctl_bus_call (bus, CTL_MANAGER_PATH, CTL_MANAGER_INTERFACE, "GetDevice",
                        g_variant_new ("(s)", device), "(o)", error);
  if (reply != NULL)
    g_variant_get (reply, "(o)", &path);

  return path;
}
