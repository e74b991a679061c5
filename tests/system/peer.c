/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer: owns a name on the system bus. Its Echo answers at once; its Open does
 * the least that OpenRegion can: it asks polkit about the caller, and sends a
 * descriptor. What a call of it takes is what the bus and polkitd take, without
 * regiond. A Drop is read, and never answered.
 */
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <polkit/polkit.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bus.h"
#include "peer.h"

static const char interface_xml[] =
  "<node><interface name='" PEER_INTERFACE "'>"
  "<method name='Echo'><arg type='s' direction='in'/><arg type='s' direction='out'/></method>"
  "<method name='Open'><arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='a{sv}' direction='in'/>"
  "<arg type='h' direction='out'/><arg type='o' direction='out'/></method></interface></node>";

static PolkitAuthority *authority;

static void
answer (GDBusMethodInvocation *invocation)
{
  int fd = memfd_create ("peer", MFD_CLOEXEC);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new_from_array (&fd, 1);

  g_dbus_method_invocation_return_value_with_unix_fd_list (invocation, g_variant_new ("(ho)", 0, PEER_PATH), fds);
}

static void
on_checked (GObject *source,
            GAsyncResult *result,
            gpointer data)
{
  GDBusMethodInvocation *invocation = data;
  GError *error = NULL;
  g_autoptr (PolkitAuthorizationResult) verdict = NULL;

  verdict = polkit_authority_check_authorization_finish (authority, result, &error);
  if (!verdict)
    g_dbus_method_invocation_take_error (invocation, error);
  else if (polkit_authorization_result_get_is_authorized (verdict))
    answer (invocation);
  else
    g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "polkit says no");
}

static void
on_call (GDBusConnection *bus,
         const char *sender,
         const char *path,
         const char *interface,
         const char *method,
         GVariant *parameters,
         GDBusMethodInvocation *invocation,
         gpointer data)
{
  g_autoptr (PolkitSubject) subject = NULL;

  if (g_str_equal (method, "Echo"))
    {
      g_dbus_method_invocation_return_value (invocation, parameters);
      return;
    }

  subject = polkit_system_bus_name_new (sender);
  polkit_authority_check_authorization (authority, subject, "org.regiond1.write-region", NULL,
                                        POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE, NULL, on_checked, invocation);
}

/* On the bus library's thread. */
static GDBusMessage *
on_message (GDBusConnection *bus,
            GDBusMessage *message,
            gboolean incoming,
            gpointer data)
{
  if (!incoming || g_strcmp0 (g_dbus_message_get_member (message), "Drop") != 0)
    return message;

  g_object_unref (message);
  return NULL;
}

int
main (void)
{
  static const GDBusInterfaceVTable vtable = { .method_call = on_call };
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (interface_xml, NULL);
  g_autoptr (GDBusConnection) bus = NULL;
  g_autoptr (GError) error = NULL;

  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", BUS_ADDRESS, TRUE);
  bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  g_assert_no_error (error);
  g_dbus_connection_add_filter (bus, on_message, NULL, NULL);
  authority = polkit_authority_get_sync (NULL, &error);
  g_assert_no_error (error);
  g_dbus_connection_register_object (bus, PEER_PATH, node->interfaces[0], &vtable, NULL, NULL, &error);
  g_assert_no_error (error);
  g_bus_own_name_on_connection (bus, PEER_NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, NULL, NULL, NULL, NULL);
  g_main_loop_run (loop);
  return 0;
}
