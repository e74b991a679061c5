/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "absent.h"

#include "daemon.h"
#include "error.h"
#include "regiond-dbus.h"

static void
handle_call (GDBusConnection       *connection,
             const char            *sender,
             const char            *path,
             const char            *interface,
             const char            *method,
             GVariant              *parameters,
             GDBusMethodInvocation *invocation,
             gpointer               data)
{
  if (g_str_has_prefix (path, REGIOND_LEASES_PATH "/"))
    g_dbus_method_invocation_return_error (invocation, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                                           "There is no lease %s: it has ended, or never was", path);
  else
    g_dbus_method_invocation_return_error (invocation, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                                           "There is no device %s; 'regionctl list' shows those that are", path);
}

static GVariant *
handle_get (GDBusConnection *connection,
            const char      *sender,
            const char      *path,
            const char      *interface,
            const char      *property,
            GError         **error,
            gpointer         data)
{
  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "There is no object %s", path);
  return NULL;
}

static char **
enumerate (GDBusConnection *connection,
           const char      *sender,
           const char      *path,
           gpointer         data)
{
  return g_new0 (char *, 1);
}

static GDBusInterfaceInfo **
introspect (GDBusConnection *connection,
            const char      *sender,
            const char      *path,
            const char      *node,
            gpointer         data)
{
  GDBusInterfaceInfo **infos;

  if (node == NULL)
    return NULL;

  infos = g_new0 (GDBusInterfaceInfo *, 2);
  infos[0] = g_dbus_interface_info_ref (data);
  return infos;
}

static const GDBusInterfaceVTable *
dispatch (GDBusConnection *connection,
          const char      *sender,
          const char      *path,
          const char      *interface,
          const char      *node,
          gpointer        *out_data,
          gpointer         data)
{
  static const GDBusInterfaceVTable answers = { handle_call, handle_get, NULL, { 0 } };

  return node != NULL ? &answers : NULL;
}

gboolean
regiond_absent_register (GDBusConnection *connection,
                         GError         **error)
{
  static const GDBusSubtreeVTable subtree = { enumerate, introspect, dispatch, { 0 } };
  const GDBusSubtreeFlags flags = G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES;

  return g_dbus_connection_register_subtree (connection, REGIOND_LEASES_PATH, &subtree, flags,
                                             regiond_dbus_lease_interface_info (), NULL, error) != 0 &&
         g_dbus_connection_register_subtree (connection, REGIOND_DEVICES_PATH, &subtree, flags,
                                             regiond_dbus_device_interface_info (), NULL, error) != 0;
}
