/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "error.h"
#include "json.h"
#include "lease.h"
#include "options.h"

static gboolean
on_input (int          fd,
          GIOCondition condition,
          gpointer     data)
{
  char buffer[4096];

  if (read (fd, buffer, sizeof (buffer)) > 0)
    return G_SOURCE_CONTINUE;

  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

static gboolean
on_stop (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_CONTINUE;
}

static void
on_ended (CtlLease *lease,
          gpointer  data)
{
  g_main_loop_quit (data);
}

static void
on_asked (CtlLease   *lease,
          const char *reason,
          guint       grace,
          gpointer    data)
{
  fprintf (stderr, "regionctl: The lease will end in %u ms: %s\n", grace, reason);
}

static gboolean
print_json (CtlBus   *bus,
            CtlLease *lease,
            GError  **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) properties = NULL;
  CtlObject object = { (char *) ctl_lease_get_path (lease), NULL };

  reply = ctl_bus_call (bus, object.path, "org.freedesktop.DBus.Properties", "GetAll",
                        g_variant_new ("(s)", CTL_LEASE_INTERFACE), "(a{sv})", error);
  if (reply == NULL)
    return FALSE;

  properties = g_variant_get_child_value (reply, 0);
  object.properties = properties;
  ctl_json_print (ctl_json_from_object (&object));
  return TRUE;
}

static gboolean
hold (CtlLease *lease,
      GError  **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  ctl_lease_watch (lease, on_ended, on_asked, loop);
  g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, on_input, loop);
  g_unix_signal_add (SIGINT, on_stop, loop);
  g_unix_signal_add (SIGTERM, on_stop, loop);
  g_unix_signal_add (SIGHUP, on_stop, loop);
  if (isatty (STDIN_FILENO))
    fprintf (stderr, "The lease lasts until Ctrl-D or Ctrl-C.\n");

  if (ctl_lease_get_end (lease) == NULL)
    g_main_loop_run (loop);

  return ctl_lease_release (lease, error);
}

int
ctl_verb_open (const CtlVerb *verb,
               int            argc,
               char         **argv,
               GError       **error)
{
  g_auto (CtlLeaseOptions) options = { 0 };
  const GOptionEntry entries[] = {
    { "label", 0, 0, G_OPTION_ARG_STRING, &options.label, "Show TEXT in the lease", "TEXT" },
    { NULL }
  };
  g_autofree char *path = NULL;
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (CtlLease) lease = NULL;

  if (!ctl_lease_options_parse (&options, verb, entries, &argc, &argv, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  path = bus == NULL ? NULL : ctl_bus_find_device (bus, argv[0], error);
  lease = path == NULL ? NULL : ctl_lease_open (bus, path, argv[1], argc > 2 ? argv[2] : "rm", &options, error);
  if (lease == NULL)
    return CTL_STATUS_FAILED;

  ctl_bus_dismiss_agent (bus);
  if (!ctl_options.json)
    printf ("%s\n", ctl_lease_get_path (lease));
  else if (!print_json (bus, lease, error))
    return CTL_STATUS_FAILED;
  fflush (stdout);

  return hold (lease, error) ? CTL_STATUS_OK : CTL_STATUS_FAILED;
}
