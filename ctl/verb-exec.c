/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "child.h"
#include "error.h"
#include "lease.h"
#include "options.h"
#include "spec.h"

/* One region of the command. */
typedef struct
{
  CtlSpec *spec;
  CtlLease *lease;
} Loan;

static void
loan_free (gpointer data)
{
  Loan *loan = data;

  g_clear_pointer (&loan->lease, ctl_lease_free);
  ctl_spec_free (loan->spec);
  g_free (loan);
}

static void
on_ended (CtlLease *lease,
          gpointer  data)
{
  Loan *loan = data;
  const char *end = ctl_lease_get_end (lease);

  /* That it was given back is what the command did when it closed its fd. */
  if (!g_str_equal (end, "released"))
    fprintf (stderr, "regionctl: The lease on %s:%s has ended: %s\n",
             loan->spec->device, loan->spec->region, end);
}

static void
on_asked (CtlLease   *lease,
          const char *reason,
          guint       grace,
          gpointer    data)
{
  Loan *loan = data;

  fprintf (stderr, "regionctl: The lease on %s:%s will end in %u ms: %s\n",
           loan->spec->device, loan->spec->region, grace, reason);
}

/* Cuts the command, what follows the first "--", off @argv. */
static char **
cut_command (int   *argc,
             char **argv)
{
  for (int i = 1; i < *argc; i++)
    if (g_str_equal (argv[i], "--") && argv[i + 1] != NULL)
      {
        *argc = i;
        argv[i] = NULL;
        return argv + i + 1;
      }

  return NULL;
}

static GPtrArray *
parse_loans (char  **words,
             GError **error)
{
  g_autoptr (GPtrArray) loans = g_ptr_array_new_with_free_func (loan_free);

  for (char **word = words; *word != NULL; word++)
    {
      CtlSpec *spec = ctl_spec_parse (*word, error);
      Loan *loan;

      if (spec == NULL)
        return NULL;

      loan = g_new0 (Loan, 1);
      loan->spec = spec;
      g_ptr_array_add (loans, loan);
    }

  return g_steal_pointer (&loans);
}

static gboolean
open_loans (CtlBus                *bus,
            GPtrArray             *loans,
            const CtlLeaseOptions *options,
            GError               **error)
{
  for (guint i = 0; i < loans->len; i++)
    {
      Loan *loan = g_ptr_array_index (loans, i);
      g_autofree char *path = ctl_bus_find_device (bus, loan->spec->device, error);

      if (path == NULL)
        return FALSE;

      loan->lease = ctl_lease_open (bus, path, loan->spec->region, loan->spec->access, options, error);
      if (loan->lease == NULL)
        {
          g_prefix_error (error, "%s:%s: ", loan->spec->device, loan->spec->region);
          return FALSE;
        }
      ctl_lease_watch (loan->lease, on_ended, on_asked, loan);
    }

  return TRUE;
}

/* @command is complete but for the descriptors. */
static pid_t
spawn (GPtrArray  *loans,
       CtlRelay   *relay,
       CtlCommand *command,
       int        *status,
       GError    **error)
{
  g_autofree int *fds = g_new (int, loans->len);
  g_autofree const char **names = g_new (const char *, loans->len);
  pid_t pid;

  for (guint i = 0; i < loans->len; i++)
    {
      Loan *loan = g_ptr_array_index (loans, i);

      fds[i] = ctl_lease_get_fd (loan->lease);
      names[i] = loan->spec->name;
    }

  command->fds = fds;
  command->n_fds = loans->len;
  command->names = names;
  pid = ctl_child_spawn (relay, command, status, error);

  /* From now on the command alone holds the regions: what it closes is closed. */
  for (guint i = 0; i < loans->len; i++)
    ctl_lease_close_fd (((Loan *) g_ptr_array_index (loans, i))->lease);

  return pid;
}

typedef struct
{
  GMainLoop *loop;
  int status;
} Wait;

static void
on_exited (GPid     pid,
           int      wait_status,
           gpointer data)
{
  Wait *wait = data;

  wait->status = ctl_child_get_status (wait_status);
  g_main_loop_quit (wait->loop);
}

static int
wait_for (pid_t pid)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Wait wait = { .loop = loop };

  g_child_watch_add (pid, on_exited, &wait);
  g_main_loop_run (loop);
  return wait.status;
}

static void
release_loans (GPtrArray *loans)
{
  for (guint i = 0; i < loans->len; i++)
    {
      Loan *loan = g_ptr_array_index (loans, i);

      /* Whoever waits for us finds the leases ended. What ended them earlier
       * has been said. */
      ctl_lease_release (loan->lease, NULL);
    }
}

static int
run_command (GPtrArray  *loans,
             CtlCommand *command,
             GError    **error)
{
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  int status;
  pid_t pid = spawn (loans, relay, command, &status, error);

  return pid == -1 ? status : wait_for (pid);
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
borrow (GPtrArray       *loans,
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
  opened = *bus != NULL && open_loans (*bus, loans, options, error);
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
  CtlLeaseOptions options = { 0 };
  g_autofree char *name = NULL;
  g_autofree char *process = NULL;
  const GOptionEntry entries[] = {
    { "bind-to", 0, 0, G_OPTION_ARG_STRING, &process, "End the leases with process PID, too", "PID" },
    { "exclusive", 0, 0, G_OPTION_ARG_NONE, &options.exclusive, "Keep everybody else off the devices", NULL },
    { "label", 0, 0, G_OPTION_ARG_STRING, &options.label, "Show TEXT in the leases", "TEXT" },
    { "user", 0, 0, G_OPTION_ARG_STRING, &name, "Run the command as user NAME", "NAME" },
    { NULL }
  };
  CtlCommand command = { .argv = cut_command (&argc, argv) };
  g_autoptr (CtlUser) user = NULL;
  g_autofree char *label = NULL;
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (GPtrArray) loans = NULL;
  int status;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error))
    return CTL_STATUS_USAGE;
  if (command.argv == NULL)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "exec: the command is missing, after “--”");
      return CTL_STATUS_USAGE;
    }

  label = options.label;
  loans = parse_loans (argv, error);
  if (loans == NULL || !find_user (name, &user, error) || !borrow (loans, &options, process, &bus, error))
    return CTL_STATUS_FAILED;

  command.user = user;
  status = run_command (loans, &command, error);
  release_loans (loans);
  return status;
}
