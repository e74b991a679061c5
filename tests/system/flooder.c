/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flooder UID CONNECTIONS: connects so often to the system bus, as that user,
 * and never reads an answer; no library does that. What it does it is told on
 * descriptor 3, a line each:
 *
 *   open DEVICE REGION ACCESS N   N calls of OpenRegion on each connection
 *   release PATH                  Release of a lease, on each connection
 *   drop N                        N calls of the peer's Drop on each connection
 *
 * After each it says "sent N" when the bus has taken them: how many in all. That
 * is all of them, or as many as it took before it took no more for ten seconds.
 */
#include <errno.h>
#include <gio/gio.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer.h"
#include "sandbox.h"

#define CONTROL 3
#define PATIENCE_MS 10000
#define SERIAL_OFFSET 8 /* in the header of a message */

typedef struct
{
  int fd;
  guint32 serial;
  guint left;   /* calls to send */
  gsize offset; /* how much of the first of them is sent */
} Connection;

/* One line of the handshake, and its answer: the only thing ever read. */
static void
say (int fd,
     const char *line)
{
  char answer[256];

  g_assert_cmpint (write (fd, line, strlen (line)), ==, strlen (line));
  g_assert_cmpint (read (fd, answer, sizeof answer), >, 0);
}

static void
authenticate (int fd)
{
  g_autofree char *uid = g_strdup_printf ("%u", getuid ());
  g_autoptr (GString) line = g_string_new ("AUTH EXTERNAL ");

  for (const char *digit = uid; *digit; digit++)
    g_string_append_printf (line, "%02x", *digit);
  g_string_append (line, "\r\n");
  g_assert_cmpint (write (fd, "", 1), ==, 1);
  say (fd, line->str);
  say (fd, "NEGOTIATE_UNIX_FD\r\n");
  g_assert_cmpint (write (fd, "BEGIN\r\n", 7), ==, 7);
}

static guchar *
make_blob (GDBusMessage *message,
           gsize *length)
{
  g_autoptr (GDBusMessage) call = message;
  g_autoptr (GError) error = NULL;
  guchar *blob;

  g_dbus_message_set_serial (call, 1);
  blob = g_dbus_message_to_blob (call, length, G_DBUS_CAPABILITY_FLAGS_UNIX_FD_PASSING, &error);
  g_assert_no_error (error);
  return blob;
}

static void
connect_raw (Connection *connection)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  gsize length;
  g_autofree guchar *hello =
    make_blob (g_dbus_message_new_method_call ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                               "Hello"),
               &length);

  connection->fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connection->serial = 1;
  g_strlcpy (address.sun_path, SANDBOX_SOCKET, sizeof address.sun_path);
  g_assert_cmpint (connect (connection->fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  authenticate (connection->fd);
  g_assert_cmpint (write (connection->fd, hello, length), ==, length);
}

/* Whether the socket took anything. */
static gboolean
push (Connection *connection,
      guchar *blob,
      gsize length)
{
  gboolean pushed = FALSE;

  while (connection->left > 0)
    {
      guint32 serial = connection->serial + 1;
      gssize n;

      memcpy (blob + SERIAL_OFFSET, &serial, sizeof serial);
      n = send (connection->fd, blob + connection->offset, length - connection->offset, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n <= 0)
        {
          /* Thrown out. */
          if (errno != EAGAIN)
            connection->left = 0;
          return pushed;
        }
      pushed = TRUE;
      connection->offset += n;
      if (connection->offset == length)
        {
          connection->offset = 0;
          connection->serial++;
          connection->left--;
        }
    }
  return pushed;
}

static guint64
count_untaken (Connection *connections,
               guint n)
{
  guint64 untaken = 0;

  for (guint i = 0; i < n; i++)
    {
      int bytes = 0;

      g_assert_cmpint (ioctl (connections[i].fd, SIOCOUTQ, &bytes), ==, 0);
      untaken += bytes;
    }
  return untaken;
}

/* What has been sent may still lie in the sockets. */
static void
wait_taken (Connection *connections,
            guint n)
{
  gint64 last = g_get_monotonic_time ();
  guint64 before = G_MAXUINT64, untaken;

  while ((untaken = count_untaken (connections, n)) > 0 && g_get_monotonic_time () < last + PATIENCE_MS * 1000)
    {
      if (untaken < before)
        last = g_get_monotonic_time ();
      before = untaken;
      g_usleep (1000);
    }
}

static void
send_all (Connection *connections,
          guint n,
          GDBusMessage *call,
          guint times)
{
  gsize length;
  g_autofree guchar *blob = make_blob (call, &length);
  g_autofree struct pollfd *polled = g_new0 (struct pollfd, n);
  gint64 last = g_get_monotonic_time ();
  guint waiting = n, unsent = 0;

  for (guint i = 0; i < n; i++)
    connections[i].left = times;
  while (waiting > 0 && g_get_monotonic_time () < last + PATIENCE_MS * 1000)
    {
      for (guint i = 0; i < n; i++)
        polled[i] = (struct pollfd){ connections[i].left > 0 ? connections[i].fd : -1, POLLOUT, 0 };
      poll (polled, n, 100);
      waiting = 0;
      for (guint i = 0; i < n; i++)
        {
          if (push (&connections[i], blob, length))
            last = g_get_monotonic_time ();
          waiting += connections[i].left > 0;
        }
    }

  wait_taken (connections, n);
  for (guint i = 0; i < n; i++)
    unsent += connections[i].left;
  dprintf (CONTROL, "sent %u\n", n * times - unsent);
}

static void
obey (Connection *connections,
      guint n,
      const char *line)
{
  g_auto (GStrv) words = g_strsplit (g_strchomp ((char *) line), " ", -1);
  GDBusMessage *call;

  if (g_str_equal (words[0], "drop"))
    {
      call = g_dbus_message_new_method_call (PEER_NAME, PEER_PATH, PEER_INTERFACE, "Drop");
      g_dbus_message_set_body (call, g_variant_new ("(s)", "as long as the words of an OpenRegion are in all"));
      send_all (connections, n, call, atoi (words[1]));
      return;
    }
  if (g_str_equal (words[0], "release"))
    {
      call = g_dbus_message_new_method_call ("org.regiond1", words[1], "org.regiond1.Lease", "Release");
      send_all (connections, n, call, 1);
      return;
    }

  call = g_dbus_message_new_method_call ("org.regiond1", words[1], "org.regiond1.Device", "OpenRegion");
  g_dbus_message_set_body (call, g_variant_new ("(ss@a{sv})", words[2], words[3],
                                                g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
  send_all (connections, n, call, atoi (words[4]));
}

int
main (int argc,
      char **argv)
{
  FILE *control = fdopen (dup (CONTROL), "r");
  uid_t uid;
  guint n;
  g_autofree Connection *connections = NULL;
  char line[512];

  g_assert_cmpint (argc, ==, 3);
  uid = atoi (argv[1]);
  n = atoi (argv[2]);
  g_assert_cmpint (setresgid (uid, uid, uid), ==, 0);
  g_assert_cmpint (setresuid (uid, uid, uid), ==, 0);
  connections = g_new0 (Connection, n);
  for (guint i = 0; i < n; i++)
    connect_raw (&connections[i]);
  dprintf (CONTROL, "sent 0\n");
  while (fgets (line, sizeof line, control))
    obey (connections, n, line);
  fclose (control);
  return 0;
}
