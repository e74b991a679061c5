/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "error.h"
#include "news.h"
#include "options.h"
#include "terminal.h"
#include "text.h"

typedef struct
{
  CtlBus *bus;
  CtlNews *news;
  GMainLoop *loop;
  gboolean present; /* the service is */
} Monitor;

static void
print (CtlEvent *event)
{
  g_autoptr (CtlEvent) owned = event;
  g_autofree char *text = event == NULL ? NULL : ctl_event_format (event, ctl_options.json);
  g_autofree char *line = NULL;
  guint width = ctl_terminal_get_width (STDOUT_FILENO);

  if (text == NULL)
    return;

  line = width == 0 || ctl_options.json ? g_strdup (text) : ctl_text_ellipsize (text, width);
  printf ("%s\n", line);
  fflush (stdout);
}

static void
on_signal (GDBusConnection *connection,
           const char      *sender,
           const char      *path,
           const char      *interface,
           const char      *signal,
           GVariant        *parameters,
           gpointer         data)
{
  Monitor *monitor = data;

  print (ctl_news_take_signal (monitor->news, path, signal, parameters));
}

/* What was there before us has no event of its own, but what becomes of it is
 * to be told by its name. */
static void
on_objects (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  Monitor *monitor = data;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) managed = NULL;

  reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
  if (reply == NULL)
    return;

  managed = g_variant_get_child_value (reply, 0);
  ctl_news_learn (monitor->news, managed);
}

static void
on_appeared (GDBusConnection *connection,
             const char      *name,
             const char      *owner,
             gpointer         data)
{
  Monitor *monitor = data;

  if (!monitor->present)
    print (ctl_event_new ("service", CTL_BUS_NAME, "started"));
  monitor->present = TRUE;
  g_dbus_connection_call (connection, owner, CTL_MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                          "GetManagedObjects", NULL, G_VARIANT_TYPE ("(a{oa{sa{sv}}})"),
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, on_objects, monitor);
}

static void
on_vanished (GDBusConnection *connection,
             const char      *name,
             gpointer         data)
{
  Monitor *monitor = data;

  if (monitor->present)
    print (ctl_event_new ("service", CTL_BUS_NAME, "stopped"));
  monitor->present = FALSE;
  ctl_news_forget (monitor->news);
}

static void
on_bus_closed (GDBusConnection *connection,
               gboolean         remote_peer_vanished,
               GError          *error,
               gpointer         data)
{
  Monitor *monitor = data;

  g_main_loop_quit (monitor->loop);
}

static gboolean
on_stop (gpointer data)
{
  Monitor *monitor = data;

  g_main_loop_quit (monitor->loop);
  return G_SOURCE_CONTINUE;
}

static void
subscribe (Monitor    *monitor,
           const char *interface,
           const char *signal)
{
  g_dbus_connection_signal_subscribe (ctl_bus_get_connection (monitor->bus), CTL_BUS_NAME, interface, signal,
                                      NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, monitor, NULL);
}

static gboolean
follow (Monitor *monitor,
        GError **error)
{
  GDBusConnection *connection = ctl_bus_get_connection (monitor->bus);
  guint watch;

  watch = g_bus_watch_name_on_connection (connection, CTL_BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                          on_appeared, on_vanished, monitor, NULL);
  g_signal_connect (connection, "closed", G_CALLBACK (on_bus_closed), monitor);
  g_unix_signal_add (SIGINT, on_stop, monitor);
  g_unix_signal_add (SIGTERM, on_stop, monitor);
  g_unix_signal_add (SIGHUP, on_stop, monitor);
  print (ctl_event_new ("service", CTL_BUS_NAME, "running"));

  g_main_loop_run (monitor->loop);
  g_bus_unwatch_name (watch);
  if (!g_dbus_connection_is_closed (connection))
    return TRUE;

  g_set_error (error, CTL_ERROR, CTL_ERROR_NO_SERVICE, "The bus has gone");
  return FALSE;
}

/* Starts the service where it can be, as every other verb does, and takes stock. */
static gboolean
begin (Monitor *monitor,
       GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) managed = NULL;

  subscribe (monitor, "org.freedesktop.DBus.ObjectManager", NULL);
  subscribe (monitor, "org.freedesktop.DBus.Properties", "PropertiesChanged");
  subscribe (monitor, CTL_MANAGER_INTERFACE, NULL);
  reply = ctl_bus_list (monitor->bus, error);
  if (reply == NULL)
    return FALSE;

  managed = g_variant_get_child_value (reply, 0);
  ctl_news_learn (monitor->news, managed);
  monitor->present = TRUE;
  return TRUE;
}

int
ctl_verb_monitor (const CtlVerb *verb,
                  int            argc,
                  char         **argv,
                  GError       **error)
{
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (CtlNews) news = ctl_news_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Monitor monitor = { .news = news, .loop = loop };

  if (!ctl_options_parse (verb, NULL, &argc, &argv, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  monitor.bus = bus;
  if (bus == NULL || !begin (&monitor, error) || !follow (&monitor, error))
    return CTL_STATUS_FAILED;

  return CTL_STATUS_OK;
}
