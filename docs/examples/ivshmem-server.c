/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a region of a memory device the memory of virtual machines:
 *   ivshmem-server DEVICE REGION SOCKET
 *   qemu-system-x86_64 … -chardev socket,id=memory,path=SOCKET \
 *                        -device ivshmem-doorbell,chardev=memory,vectors=1
 * Whoever may connect to SOCKET gets the region: that is its owner alone. QEMU can
 * be an ordinary user's, and so can this program. The memory lasts for as long
 * as this runs. (QEMU, docs/specs/ivshmem-spec: the server's protocol.) With each
 * machine one eventfd per peer is exchanged.
 *
 * cc ivshmem-server.c -o ivshmem-server $(pkg-config --cflags --libs gio-unix-2.0)
 */
#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixconnection.h>
#include <gio/gunixfdlist.h>
#include <gio/gunixfdmessage.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROTOCOL_VERSION 0

/* One virtual machine. */
typedef struct
{
  GSocketConnection *connection;
  gint64 id;
  int doorbell; /* an eventfd */
} Peer;

typedef struct
{
  int memory;
  GPtrArray *peers;
  gint64 last_id;
} Server;

static void
peer_free (Peer *peer)
{
  close (peer->doorbell);
  g_object_unref (peer->connection);
  g_free (peer);
}

/* A number of 64 bits, and perhaps an fd. */
static gboolean
tell (Peer  *peer,
      gint64 number,
      int    fd)
{
  gint64 little = GINT64_TO_LE (number);
  GOutputVector vector = { &little, sizeof little };
  g_autoptr(GSocketControlMessage) message = fd >= 0 ? g_unix_fd_message_new () : NULL;

  if (fd >= 0 && !g_unix_fd_message_append_fd (G_UNIX_FD_MESSAGE (message), fd, NULL))
    return FALSE;
  return g_socket_send_message (g_socket_connection_get_socket (peer->connection), NULL, &vector, 1,
                                fd >= 0 ? &message : NULL, fd >= 0 ? 1 : 0, 0, NULL, NULL) == sizeof little;
}

static gboolean
welcome (Server *server,
         Peer   *peer)
{
  if (!tell (peer, PROTOCOL_VERSION, -1) || !tell (peer, peer->id, -1) || !tell (peer, -1, server->memory))
    return FALSE;

  for (guint i = 0; i < server->peers->len; i++)
    {
      Peer *other = g_ptr_array_index (server->peers, i);

      if (!tell (other, peer->id, peer->doorbell) || !tell (peer, other->id, other->doorbell))
        return FALSE;
    }
  return tell (peer, peer->id, peer->doorbell);
}

/* A machine says nothing: what can be read is its end. */
static gboolean
on_left (GSocket     *socket,
         GIOCondition condition,
         gpointer     data)
{
  Server *server = data;

  for (guint i = 0; i < server->peers->len; i++)
    {
      Peer *peer = g_ptr_array_index (server->peers, i);

      if (g_socket_connection_get_socket (peer->connection) != socket)
        continue;

      for (guint j = 0; j < server->peers->len; j++)
        if (j != i)
          tell (g_ptr_array_index (server->peers, j), peer->id, -1);
      g_print ("machine %" G_GINT64_FORMAT " has left\n", peer->id);
      g_ptr_array_remove_index (server->peers, i);
      break;
    }
  return G_SOURCE_REMOVE;
}

static gboolean
on_incoming (GSocketService    *service,
             GSocketConnection *connection,
             GObject           *source,
             gpointer           data)
{
  Server *server = data;
  GSocket *socket = g_socket_connection_get_socket (connection);
  g_autoptr(GSource) watch = g_socket_create_source (socket, G_IO_IN | G_IO_HUP, NULL);
  Peer *peer = g_new (Peer, 1);

  *peer = (Peer){ g_object_ref (connection), server->last_id++, eventfd (0, EFD_CLOEXEC) };
  if (peer->doorbell < 0 || !welcome (server, peer))
    {
      g_printerr ("a machine could not be served\n");
      g_object_unref (peer->connection);
      g_free (peer);
      return TRUE;
    }

  g_ptr_array_add (server->peers, peer);
  g_source_set_callback (watch, G_SOURCE_FUNC (on_left), server, NULL);
  g_source_attach (watch, NULL);
  g_print ("machine %" G_GINT64_FORMAT " has the memory\n", peer->id);
  return TRUE;
}

static void
on_ended (GDBusConnection *bus,
          const char      *sender,
          const char      *path,
          const char      *interface,
          const char      *signal,
          GVariant        *parameters,
          gpointer         user_data)
{
  const char *reason;

  g_variant_get (parameters, "(&s)", &reason);
  g_printerr ("the lease has ended: %s\n", reason);
  exit (EXIT_FAILURE);
}

/* A PCI address is an id, and no part of an object path. */
static char *
find_device (GDBusConnection  *bus,
             const char       *id,
             GError          **error)
{
  g_autoptr(GVariant) reply = NULL;
  char *path;

  reply = g_dbus_connection_call_sync (bus, "org.regiond1", "/org/regiond1", "org.regiond1.Manager", "GetDevice",
                                       g_variant_new ("(s)", id), G_VARIANT_TYPE ("(o)"), G_DBUS_CALL_FLAGS_NONE, -1,
                                       NULL, error);
  if (reply == NULL)
    return NULL;

  g_variant_get (reply, "(o)", &path);
  return path;
}

static int
open_memory (GDBusConnection  *bus,
             const char       *device,
             const char       *region,
             GError          **error)
{
  g_autofree char *path = find_device (bus, device, error);
  g_autofree char *lease = NULL;
  g_autoptr(GVariant) reply = NULL;
  g_autoptr(GUnixFDList) fds = NULL;
  gint32 handle;

  if (path == NULL)
    return -1;

  reply = g_dbus_connection_call_with_unix_fd_list_sync (
      bus, "org.regiond1", path, "org.regiond1.Device", "OpenRegion", g_variant_new ("(ssa{sv})", region, "rwm", NULL),
      G_VARIANT_TYPE ("(ho)"), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, NULL, &fds, NULL, error);
  if (reply == NULL)
    return -1;

  g_variant_get (reply, "(ho)", &handle, &lease);
  g_dbus_connection_signal_subscribe (bus, "org.regiond1", "org.regiond1.Lease", "Ended", lease, NULL,
                                      G_DBUS_SIGNAL_FLAGS_NONE, on_ended, NULL, NULL);
  return g_unix_fd_list_get (fds, handle, error);
}

/* Nobody but its owner can connect. */
static GSocketService *
listen_at (const char *path,
           Server     *server,
           GError    **error)
{
  g_autoptr(GSocketService) service = g_socket_service_new ();
  g_autoptr(GSocketAddress) address = g_unix_socket_address_new (path);

  umask (0077);
  g_unlink (path);
  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (service), address, G_SOCKET_TYPE_STREAM,
                                      G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, error))
    return NULL;

  g_signal_connect (service, "incoming", G_CALLBACK (on_incoming), server);
  return g_steal_pointer (&service);
}

int
main (int   argc,
      char *argv[])
{
  g_autoptr(GDBusConnection) bus = NULL;
  g_autoptr(GSocketService) service = NULL;
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr(GError) error = NULL;
  Server server = { .memory = -1 };

  if (argc != 4)
    {
      g_printerr ("Usage: %s DEVICE REGION SOCKET\n", argv[0]);
      return 2;
    }

  setlinebuf (stdout);
  server.peers = g_ptr_array_new_with_free_func ((GDestroyNotify) peer_free);
  bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  if (bus != NULL)
    server.memory = open_memory (bus, argv[1], argv[2], &error);
  if (server.memory < 0 || (service = listen_at (argv[3], &server, &error)) == NULL)
    {
      g_printerr ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  g_print ("machines can connect to %s\n", argv[3]);
  g_main_loop_run (loop);
  return EXIT_SUCCESS;
}
