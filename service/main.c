/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "guard.h"
#include "listings.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* sysexits.h names it so, and systemd knows it. */
#define EXIT_CONFIG 78
#define EXIT_USAGE 2

typedef struct {
  gboolean use_system;
  char    *address;
  char    *config;
  gboolean verbose;
  gboolean version;
} Arguments;

static void
arguments_clear (Arguments *self)
{
  g_free (self->address);
  g_free (self->config);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Arguments, arguments_clear)

typedef struct {
  GMainLoop *loop;
  int        status;
} Run;

static gboolean
parse_arguments (Arguments *self,
                 int       *argc,
                 char    ***argv,
                 GError   **error)
{
  const GOptionEntry entries[] = {
    { "system", 0, 0, G_OPTION_ARG_NONE, &self->use_system, "Use the system bus (the default)", NULL },
    { "address", 0, 0, G_OPTION_ARG_STRING, &self->address, "Use the bus at ADDRESS, for polkit as well", "ADDRESS" },
    { "config", 0, 0, G_OPTION_ARG_FILENAME, &self->config, "Read regiond.conf and devices.d in DIR only", "DIR" },
    { "verbose", 0, 0, G_OPTION_ARG_NONE, &self->verbose, "Log more", NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &self->version, "Print the version", NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- region file descriptors, brokered");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "Unknown argument %s", (*argv)[1]);
      return FALSE;
    }
  if (self->use_system && self->address != NULL)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "Either --system or --address, not both");
      return FALSE;
    }
  return TRUE;
}

static RegiondSettings *
load_settings (const char *config,
               GError    **error)
{
  const char *standard[] = { REGIOND_CONFIG_DIR, REGIOND_VENDOR_DIR, NULL };
  const char *given[] = { config, NULL };

  if (config != NULL && !g_file_test (config, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "%s: there is no such directory", config);
      return NULL;
    }
  return regiond_settings_load (config != NULL ? given : standard, error);
}

/* Every object has an fd, and a lease in flight one more. Returns how many
 * there may be. */
static guint64
raise_file_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return 0;

  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

static void
stop (Run *run,
      int  status)
{
  run->status = status;
  g_main_loop_quit (run->loop);
}

static gboolean
on_signal (gpointer data)
{
  stop (data, EXIT_SUCCESS);
  return G_SOURCE_CONTINUE;
}

static void
on_closed (GDBusConnection *connection,
           gboolean         vanished,
           GError          *error,
           gpointer         data)
{
  g_printerr ("regiond: the bus has gone away%s%s; nothing is lent any more\n", error != NULL ? ": " : "",
              error != NULL ? error->message : "");
  stop (data, EXIT_FAILURE);
}

static void
on_name_lost (GDBusConnection *connection,
              const char      *name,
              gpointer         data)
{
  if (connection != NULL && !g_dbus_connection_is_closed (connection))
    g_printerr ("regiond: the name %s cannot be had on this bus: another regiond is running, "
                "or the bus's policy does not allow it\n", name);
  stop (data, EXIT_FAILURE);
}

static GDBusConnection *
connect_bus (const char *address,
             GError    **error)
{
  GDBusConnection *connection;

  /* polkit's library knows the system bus only: it is to be asked on this one. */
  if (address != NULL)
    g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);

  connection = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, error);
  if (connection != NULL)
    g_dbus_connection_set_exit_on_close (connection, FALSE);
  return connection;
}

static int
serve (GDBusConnection *connection,
       RegiondSettings *settings)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondDaemon) daemon = NULL;
  g_autoptr (RegiondListings) listings = regiond_listings_new (connection);
  g_autoptr (RegiondStrays) strays = regiond_strays_new ();
  Run run = { loop, EXIT_SUCCESS };
  gulong closed;
  guint name;

  regiond_guard_calls (connection, strays, regiond_listings_take, regiond_listings_ref (listings),
                       (GDestroyNotify) regiond_listings_unref);
  if ((daemon = regiond_daemon_new (connection, settings, &error)) == NULL)
    {
      g_printerr ("regiond: %s\n", error->message);
      return EXIT_FAILURE;
    }

  regiond_listings_start (listings, G_DBUS_OBJECT_MANAGER (daemon->objects), daemon->clients);
  regiond_strays_start (strays, daemon->clients, daemon->proofs);
  closed = g_signal_connect (connection, "closed", G_CALLBACK (on_closed), &run);
  g_unix_signal_add (SIGTERM, on_signal, &run);
  g_unix_signal_add (SIGINT, on_signal, &run);
  g_unix_signal_add (SIGHUP, on_signal, &run);
  name = g_bus_own_name_on_connection (connection, REGIOND_BUS_NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, NULL,
                                       on_name_lost, &run, NULL);
  g_main_loop_run (loop);

  /* The name goes last: clients listen to its owner for the ends. */
  g_signal_handler_disconnect (connection, closed);
  regiond_listings_stop (listings);
  regiond_strays_stop (strays);
  g_clear_pointer (&daemon, regiond_daemon_free);
  g_bus_unown_name (name);
  g_dbus_connection_flush_sync (connection, NULL, NULL);
  return run.status;
}

int
main (int   argc,
      char *argv[])
{
  g_auto (Arguments) arguments = { .use_system = FALSE };
  g_autoptr (GDBusConnection) connection = NULL;
  g_autoptr (GError) error = NULL;
  RegiondSettings *settings;
  guint64 files;

  setlocale (LC_ALL, "");
  if (!parse_arguments (&arguments, &argc, &argv, &error))
    {
      g_printerr ("regiond: %s\n", error->message);
      return EXIT_USAGE;
    }
  if (arguments.version)
    {
      g_print ("regiond %s\n", REGIOND_VERSION);
      return EXIT_SUCCESS;
    }
  if (arguments.verbose)
    g_log_set_debug_enabled (TRUE);

  g_log_set_writer_func (g_log_writer_default, NULL, NULL);

  /* Somebody who opens a region's file while it is being looked at breaks
   * regiond's file lease, and the kernel says so by SIGIO, which would kill. */
  signal (SIGIO, SIG_IGN);
  signal (SIGPIPE, SIG_IGN);
  /* A region above the unit's LimitFSIZE= is refused, no reason to die. */
  signal (SIGXFSZ, SIG_IGN);
  files = raise_file_limit ();

  if ((settings = load_settings (arguments.config, &error)) == NULL)
    {
      g_printerr ("regiond: %s\n", error->message);
      return EXIT_CONFIG;
    }
  regiond_settings_warn (settings, files);
  if ((connection = connect_bus (arguments.address, &error)) == NULL)
    {
      g_printerr ("regiond: no bus: %s\n", error->message);
      regiond_settings_free (settings);
      return EXIT_FAILURE;
    }

  return serve (connection, settings);
}
