/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "error.h"
#include "loan.h"
#include "options.h"
#include "spec.h"

static GPtrArray *
parse_specs (char  **words,
             GError **error)
{
  g_autoptr (GPtrArray) specs = g_ptr_array_new_with_free_func ((GDestroyNotify) ctl_spec_free);

  for (char **word = words; *word != NULL; word++)
    {
      CtlSpec *spec = ctl_spec_parse (*word, error);

      if (spec == NULL)
        return NULL;

      g_ptr_array_add (specs, spec);
    }

  return g_steal_pointer (&specs);
}

static gboolean
open_loans (CtlBus                *bus,
            GPtrArray             *specs,
            GPtrArray             *loans,
            const CtlLeaseOptions *options,
            GError               **error)
{
  for (guint i = 0; i < specs->len; i++)
    {
      CtlSpec *spec = g_ptr_array_index (specs, i);
      g_autofree char *path = ctl_bus_find_device (bus, spec->device, error);
      g_autofree char *title = g_strdup_printf ("%s:%s", spec->device, spec->region);
      CtlLease *lease;

      if (path == NULL)
        return FALSE;

      lease = ctl_lease_open (bus, path, spec->region, spec->access, options, error);
      if (lease == NULL)
        {
          g_prefix_error (error, "%s: ", title);
          return FALSE;
        }
      ctl_loans_add (loans, title, spec->name, lease);
    }

  return TRUE;
}

/* @name: NULL for whoever we are. FALSE where it cannot be. */
static gboolean
find_user (const char *name,
           CtlUser   **user,
           GError    **error)
{
  if (name == NULL)
    return TRUE;

  if (geteuid () != 0)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "Only root can run a command as user “%s” (--user)", name);
      return FALSE;
    }

  *user = ctl_user_find (name, error);
  return *user != NULL;
}

/* Opens a pidfd of the process that @text names by its number; NULL: no process. */
static gboolean
find_process (const char *text,
              int        *pidfd,
              GError    **error)
{
  guint64 pid;

  if (text == NULL)
    return TRUE;

  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT, &pid, NULL))
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "exec: “%s” is no process id (--bind-to)", text);
      return FALSE;
    }

  *pidfd = pidfd_open (pid, 0);
  if (*pidfd == -1)
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "The leases cannot be tied to process %s (--bind-to): %s", text,
                 g_strerror (errno));
  return *pidfd != -1;
}

/* Opens all of them, on *@bus; from then on the terminal is the command's. */
static gboolean
borrow (GPtrArray       *specs,
        GPtrArray       *loans,
        CtlLeaseOptions *options,
        const char      *process,
        CtlBus         **bus,
        GError         **error)
{
  int pidfd = -1;
  gboolean opened;

  if (!find_process (process, &pidfd, error))
    return FALSE;

  options->bind_to = pidfd == -1 ? NULL : &pidfd;
  *bus = ctl_options_connect (error);
  opened = *bus != NULL && open_loans (*bus, specs, loans, options, error);
  if (pidfd != -1)
    close (pidfd);
  if (opened)
    ctl_bus_dismiss_agent (*bus);
  return opened;
}

int
ctl_verb_exec (const CtlVerb *verb,
               int            argc,
               char         **argv,
               GError       **error)
{
  g_auto (CtlLeaseOptions) options = { 0 };
  g_autofree char *name = NULL;
  g_autofree char *process = NULL;
  const GOptionEntry entries[] = {
    { "bind-to", 0, 0, G_OPTION_ARG_STRING, &process, "End the leases with process PID, too", "PID" },
    { "exclusive", 0, 0, G_OPTION_ARG_NONE, &options.exclusive, "Keep everybody else off the devices", NULL },
    { "label", 0, 0, G_OPTION_ARG_STRING, &options.label, "Show TEXT in the leases", "TEXT" },
    { "user", 0, 0, G_OPTION_ARG_STRING, &name, "Run the command as user NAME", "NAME" },
    { NULL }
  };
  CtlCommand command = { 0 };
  g_autoptr (CtlUser) user = NULL;
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (GPtrArray) specs = NULL;
  g_autoptr (GPtrArray) loans = ctl_loans_new ();

  if (!ctl_options_parse_command (verb, entries, &argc, &argv, &command.argv, error))
    return CTL_STATUS_USAGE;

  specs = parse_specs (argv, error);
  if (specs == NULL || !find_user (name, &user, error) || !borrow (specs, loans, &options, process, &bus, error))
    return CTL_STATUS_FAILED;

  command.user = user;
  return ctl_loans_run (loans, &command, error);
}
