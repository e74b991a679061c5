/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "deadline.h"
#include "peer.h"
#include "sandbox.h"

#define CONFIG SANDBOX_DIR "/bus.conf"
#define LOG SANDBOX_DIR "/bus.log"

/* The stock configuration lets nobody be called. */
#define PEER_POLICY "<policy user='root'><allow own='" PEER_NAME "'/></policy>" \
                    "<policy context='default'><allow send_destination='" PEER_NAME "'/></policy>"

gboolean
bus_is_broker (void)
{
  return g_strcmp0 (g_getenv ("REGIOND_TEST_BUS"), "broker") == 0;
}

static char *
replace (char *text,
         const char *pattern,
         const char *with)
{
  g_autofree char *old = text;
  g_autoptr (GRegex) regex = g_regex_new (pattern, G_REGEX_DOTALL, 0, NULL);

  return g_regex_replace_literal (regex, old, -1, 0, with, 0, NULL);
}

/* The stock configuration, without what belongs to the machine's own bus. */
static void
write_config (const char *services)
{
  g_autofree char *policy = sandbox_installed ("usr/share/dbus-1/system.d/org.regiond1.conf");
  g_autofree char *text = NULL;
  g_autofree char *includes = NULL;

  g_assert_true (g_file_test (policy, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_get_contents ("/usr/share/dbus-1/system.conf", &text, NULL, NULL));
  includes = g_strdup_printf ("<include>/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>"
                              "<include>%s</include>%s%s%s",
                              policy, services ? "<servicedir>" : "", services ? services : "",
                              services ? "</servicedir>" : "");
  text = replace (text, "<!--.*?-->", "");
  text = replace (text, "<user>.*?</user>", "");
  text = replace (text, "<fork/>", "");
  text = replace (text, "<syslog/>", "");
  text = replace (text, "<pidfile>.*?</pidfile>", "");
  text = replace (text, "<servicehelper>.*?</servicehelper>", "");
  text = replace (text, "<standard_system_servicedirs/>", "");
  text = replace (text, "<include [^>]*>[^<]*</include>", "");
  text = replace (text, "<includedir>system.d</includedir>", includes);
  text = replace (text, "<includedir>/etc/dbus-1/system.d</includedir>", PEER_POLICY);
  sandbox_write (CONFIG, text);
}

static int
listen_at (const char *path,
           int type)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, type, 0);

  g_assert_cmpint (fd, >=, 0);
  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_unlink (path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (g_chmod (path, 0666), ==, 0);
  return fd;
}

/* Nobody reads the launcher's log, but a full socket would stop the launcher. */
static gpointer
drain (gpointer data)
{
  char buffer[4096];

  while (recv (GPOINTER_TO_INT (data), buffer, sizeof buffer, 0) > 0)
    ;
  return NULL;
}

static void
start_broker (Bus *bus)
{
  const char *const argv[] = { "/usr/bin/dbus-broker-launch", "--scope", "system", "--config-file", CONFIG, NULL };
  const char *const environment[] = { "LISTEN_FDS=1", "LISTEN_PID=", NULL };
  ProcessFd fds[] = { { -1, 3 }, { -1, 0 } };

  /* The launcher logs nowhere else, and gives up where there is no journal. */
  bus->journal = listen_at ("/run/systemd/journal/socket", SOCK_DGRAM);
  bus->drain = g_thread_new ("journal", drain, GINT_TO_POINTER (bus->journal));
  fds[0].fd = listen_at (SANDBOX_SOCKET, SOCK_STREAM);
  g_assert_cmpint (listen (fds[0].fd, 128), ==, 0);
  bus->process = process_spawn (argv, environment, fds, LOG);
  close (fds[0].fd);
}

static void
start_daemon (Bus *bus)
{
  const char *const argv[] = { "/usr/bin/dbus-daemon", "--config-file=" CONFIG, "--nofork", "--nopidfile", NULL };

  g_unlink (SANDBOX_SOCKET);
  bus->process = process_spawn (argv, NULL, NULL, LOG);
}

GDBusConnection *
bus_connect (void)
{
  return g_dbus_connection_new_for_address_sync (BUS_ADDRESS,
                                                 G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                 G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                 NULL, NULL, NULL);
}

static gboolean
answers (gpointer data)
{
  Bus *bus = data;
  g_autoptr (GDBusConnection) connection = NULL;

  if (!process_is_running (bus->process))
    g_error ("the bus has ended with %d, see " LOG, bus->process->status);
  if (!g_file_test (SANDBOX_SOCKET, G_FILE_TEST_EXISTS))
    return FALSE;
  connection = bus_connect ();
  return connection != NULL;
}

Bus *
bus_start (const char *services)
{
  Bus *bus = g_new0 (Bus, 1);

  bus->journal = -1;
  write_config (services);
  if (bus_is_broker ())
    start_broker (bus);
  else
    start_daemon (bus);
  wait_until (answers, bus, 60000, "the bus");
  return bus;
}

void
bus_free (Bus *bus)
{
  process_free (bus->process);
  if (bus->drain)
    {
      shutdown (bus->journal, SHUT_RDWR);
      g_thread_join (bus->drain);
      close (bus->journal);
    }
  g_unlink (SANDBOX_SOCKET);
  g_free (bus);
}
