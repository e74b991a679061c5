/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../system/deadline.h"
#include "guest.h"

#define PORT "/dev/virtio-ports/monitor"

/* A line of QEMU's, without its end. */
static char *
read_line (int fd)
{
  GString *line = g_string_new (NULL);
  struct pollfd poller = { fd, POLLIN, 0 };
  char c;

  do
    {
      g_assert_cmpint (poll (&poller, 1, 30000), ==, 1);
      g_assert_cmpint (read (fd, &c, 1), ==, 1);
      g_string_append_c (line, c);
    }
  while (c != '\n');
  return g_strchomp (g_string_free (line, FALSE));
}

/* The answer to a command: what it returned or its error, since events come between. */
static JsonNode *
read_answer (int fd,
             const char *id)
{
  for (;;)
    {
      g_autofree char *line = read_line (fd);
      g_autoptr (JsonNode) node = json_from_string (line, NULL);
      JsonObject *object = node ? json_node_get_object (node) : NULL;

      if (object && g_strcmp0 (json_object_get_string_member_with_default (object, "id", NULL), id) == 0)
        return g_steal_pointer (&node);
    }
}

static JsonNode *
ask (int fd,
     const char *command,
     const char *line)
{
  static guint last_id;
  g_autofree char *id = g_strdup_printf ("%d-%u", getpid (), ++last_id);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (JsonObject) request = json_object_new ();
  g_autofree char *text = NULL;
  g_autofree char *with_end = NULL;

  json_object_set_string_member (request, "execute", command);
  json_object_set_string_member (request, "id", id);
  if (line)
    {
      JsonObject *arguments = json_object_new ();

      json_object_set_string_member (arguments, "command-line", line);
      json_object_set_object_member (request, "arguments", arguments);
    }
  json_node_set_object (node, request);
  text = json_to_string (node, FALSE);
  with_end = g_strconcat (text, "\n", NULL);
  g_assert_cmpint (write (fd, with_end, strlen (with_end)), ==, strlen (with_end));
  return read_answer (fd, id);
}

char *
guest_monitor (const char *format,
               ...)
{
  int fd = open (PORT, O_RDWR | O_CLOEXEC);
  g_autoptr (JsonNode) greeting = NULL;
  g_autoptr (JsonNode) answer = NULL;
  g_autofree char *line = NULL;
  JsonObject *object;
  va_list arguments;

  if (fd < 0)
    g_error ("no monitor at " PORT ": %s", g_strerror (errno));
  va_start (arguments, format);
  line = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  /* An error if somebody did so before: the monitor is one for all. */
  greeting = ask (fd, "qmp_capabilities", NULL);
  answer = ask (fd, "human-monitor-command", line);
  close (fd);
  object = json_node_get_object (answer);
  if (!json_object_has_member (object, "return"))
    g_error ("the monitor refuses \"%s\"", line);
  return g_strchomp (g_strdup (json_object_get_string_member (object, "return")));
}

typedef struct
{
  const char *id;
  char **before;
  char *address;
} Plug;

static gboolean
is_there (gpointer data)
{
  Plug *plug = data;
  g_auto (GStrv) now = guest_find_all (plug->id);

  for (guint i = 0; now[i] && !plug->address; i++)
    if (!g_strv_contains ((const char *const *) plug->before, now[i]))
      plug->address = g_strdup (now[i]);
  return plug->address != NULL;
}

char *
guest_plug (const char *model,
            const char *id)
{
  g_auto (GStrv) before = guest_find_all (id);
  g_autofree char *said = guest_monitor ("device_add %s,bus=" GUEST_FREE_PORT ",id=" GUEST_PLUGGED, model);
  Plug plug = { id, before, NULL };

  g_assert_cmpstr (said, ==, "");
  wait_until (is_there, &plug, 30000, "a device that is plugged in");
  return plug.address;
}

/* Returns when whoever has the device has let go of it; refused if it has left already. */
static gpointer
switch_off (gpointer unused)
{
  int fd = open ("/sys/bus/pci/slots/" GUEST_FREE_SLOT "/power", O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  if (write (fd, "0", 1) < 0)
    g_debug ("the slot is off: %s", g_strerror (errno));
  close (fd);
  return NULL;
}

/* That is pressing the slot's button, after which the kernel gives people five seconds to
 * think better of it. */
void
guest_start_unplug (void)
{
  g_autofree char *said = guest_monitor ("device_del " GUEST_PLUGGED);

  g_assert_cmpstr (said, ==, "");
  g_thread_unref (g_thread_new ("slot", switch_off, NULL));
}

static gboolean
is_unplugged (gpointer data)
{
  g_autofree char *said = guest_monitor ("qom-list /machine/peripheral/" GUEST_PLUGGED);

  return strstr (said, "not found") != NULL;
}

void
guest_finish_unplug (void)
{
  wait_until (is_unplugged, NULL, 30000, "a device to be unplugged");
}

void
guest_unplug (void)
{
  guest_start_unplug ();
  guest_finish_unplug ();
}

void
guest_empty_port (void)
{
  if (!is_unplugged (NULL))
    guest_unplug ();
}
