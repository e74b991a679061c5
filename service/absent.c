/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "absent.h"

#include "daemon.h"
#include "error.h"
#include "regiond-dbus.h"

#define PATH_LETTERS "/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

static char *
describe (const char *path)
{
  if (g_str_has_prefix (path, REGIOND_LEASES_PATH "/"))
    return g_strdup_printf ("There is no lease %s: it has ended, or never was", path);

  return g_strdup_printf ("There is no device %s; 'regionctl list' shows those that are", path);
}

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
  g_autofree char *text = describe (path);

  g_dbus_method_invocation_return_error_literal (invocation, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, text);
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

/* The path of a device or lease that the bus library says has no @interface
 * (or no properties), or NULL. Every one that is there has both. */
static char *
find_path (const char *text,
           const char *prefix,
           const char *interface)
{
  const char *path = strstr (text, prefix);

  if (path == NULL || (strstr (text, interface) == NULL && strstr (text, "org.freedesktop.DBus.Properties") == NULL))
    return NULL;

  return g_strndup (path, strspn (path, PATH_LETTERS));
}

/* A call that had been taken in, on GDBus's own thread, when its object went:
 * it goes neither to the object nor to those who answer for absent ones. */
static GDBusMessage *
on_message (GDBusConnection *connection,
            GDBusMessage    *message,
            gboolean         incoming,
            gpointer         data)
{
  const char *text = g_dbus_message_get_arg0 (message);
  g_autofree char *path = NULL;
  g_autofree char *better = NULL;
  GDBusMessage *copy;

  if (incoming || text == NULL || g_dbus_message_get_message_type (message) != G_DBUS_MESSAGE_TYPE_ERROR ||
      g_strcmp0 (g_dbus_message_get_error_name (message), "org.freedesktop.DBus.Error.UnknownMethod") != 0)
    return message;
  if ((path = find_path (text, REGIOND_LEASES_PATH "/", "org.regiond1.Lease")) == NULL &&
      (path = find_path (text, REGIOND_DEVICES_PATH "/", "org.regiond1.Device")) == NULL)
    return message;

  if ((copy = g_dbus_message_copy (message, NULL)) == NULL)
    return message;

  better = describe (path);
  g_dbus_message_set_error_name (copy, "org.regiond1.Error.NotFound");
  g_dbus_message_set_body (copy, g_variant_new ("(s)", better));
  g_object_unref (message);
  return copy;
}

gboolean
regiond_absent_register (GDBusConnection *connection,
                         GError         **error)
{
  static const GDBusSubtreeVTable subtree = { enumerate, introspect, dispatch, { 0 } };
  const GDBusSubtreeFlags flags = G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES;

  g_dbus_connection_add_filter (connection, on_message, NULL, NULL);
  return g_dbus_connection_register_subtree (connection, REGIOND_LEASES_PATH, &subtree, flags,
                                             regiond_dbus_lease_interface_info (), NULL, error) != 0 &&
         g_dbus_connection_register_subtree (connection, REGIOND_DEVICES_PATH, &subtree, flags,
                                             regiond_dbus_device_interface_info (), NULL, error) != 0;
}
