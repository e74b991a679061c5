/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "desk.h"

/* One for each session: who has it tells, others leave. */
#define NAME "org.regiond1.Agent"

typedef struct
{
  GMainLoop *loop;
  int status;
} Life;

static void
end (Life *life,
     int   status)
{
  life->status = status;
  g_main_loop_quit (life->loop);
}

static void
on_name_lost (GDBusConnection *session,
              const char      *name,
              gpointer         life)
{
  if (session == NULL || g_dbus_connection_is_closed (session))
    return;

  g_message ("Another agent tells this session");
  end (life, EXIT_SUCCESS);
}

/* The session has ended, or the machine is about to. */
static void
on_closed (GDBusConnection *connection,
           gboolean         remote_peer_vanished,
           GError          *error,
           gpointer         life)
{
  end (life, EXIT_FAILURE);
}

static gboolean
on_stop (gpointer life)
{
  end (life, EXIT_SUCCESS);
  return G_SOURCE_CONTINUE;
}

static GDBusConnection *
connect_to (GBusType  type,
            Life     *life,
            GError  **error)
{
  GDBusConnection *connection = g_bus_get_sync (type, NULL, error);

  if (connection == NULL)
    {
      g_prefix_error (error, "The %s bus cannot be reached: ", type == G_BUS_TYPE_SYSTEM ? "system" : "session");
      return NULL;
    }

  g_dbus_connection_set_exit_on_close (connection, FALSE);
  g_signal_connect (connection, "closed", G_CALLBACK (on_closed), life);
  return connection;
}

static gboolean
run (GError **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Life life = { .loop = loop, .status = EXIT_SUCCESS };
  g_autoptr (GDBusConnection) system = connect_to (G_BUS_TYPE_SYSTEM, &life, error);
  g_autoptr (GDBusConnection) session = system == NULL ? NULL : connect_to (G_BUS_TYPE_SESSION, &life, error);
  g_autoptr (AgentDesk) desk = NULL;
  guint name;

  if (session == NULL)
    return FALSE;

  desk = agent_desk_new (system, session, getuid ());
  name = g_bus_own_name_on_connection (session, NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, NULL, on_name_lost, &life,
                                       NULL);
  g_unix_signal_add (SIGTERM, on_stop, &life);
  g_unix_signal_add (SIGINT, on_stop, &life);
  g_unix_signal_add (SIGHUP, on_stop, &life);
  g_main_loop_run (loop);

  g_bus_unown_name (name);
  g_signal_handlers_disconnect_by_data (system, &life);
  g_signal_handlers_disconnect_by_data (session, &life);
  if (life.status == EXIT_SUCCESS)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "A bus has gone");
  return FALSE;
}

int
main (int    argc,
      char **argv)
{
  gboolean version = FALSE;
  const GOptionEntry entries[] = {
    { "version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version and exit", NULL },
    { NULL }
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context, "Tells a desktop's person of the regions that programs get and lose.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "regiond-agent: %s\n", error->message);
      return 2;
    }

  if (version)
    {
      printf ("regiond-agent " REGIOND_VERSION "\n");
      return EXIT_SUCCESS;
    }

  if (run (&error))
    return EXIT_SUCCESS;
  fprintf (stderr, "regiond-agent: %s\n", error->message);
  return EXIT_FAILURE;
}
