/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loan.h"

#include <stdio.h>

typedef struct
{
  char *title; /* what people call it */
  char *name;  /* what the command does */
  CtlLease *lease;
} CtlLoan;

static void
loan_free (gpointer data)
{
  CtlLoan *loan = data;

  ctl_lease_free (loan->lease);
  g_free (loan->title);
  g_free (loan->name);
  g_free (loan);
}

static void
on_ended (CtlLease *lease,
          gpointer  data)
{
  CtlLoan *loan = data;
  const char *end = ctl_lease_get_end (lease);

  /* That it was given back is what the command did when it closed its fd. */
  if (!g_str_equal (end, "released"))
    fprintf (stderr, "regionctl: The lease on %s has ended: %s\n", loan->title, end);
}

static void
on_asked (CtlLease   *lease,
          const char *reason,
          guint       grace,
          gpointer    data)
{
  CtlLoan *loan = data;

  fprintf (stderr, "regionctl: The lease on %s will end in %u ms: %s\n", loan->title, grace, reason);
}

GPtrArray *
ctl_loans_new (void)
{
  return g_ptr_array_new_with_free_func (loan_free);
}

void
ctl_loans_add (GPtrArray  *loans,
               const char *title,
               const char *name,
               CtlLease   *lease)
{
  CtlLoan *loan = g_new0 (CtlLoan, 1);

  loan->title = g_strdup (title);
  loan->name = g_strdup (name);
  loan->lease = lease;
  g_ptr_array_add (loans, loan);
  ctl_lease_watch (lease, on_ended, on_asked, loan);
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
      CtlLoan *loan = g_ptr_array_index (loans, i);

      fds[i] = ctl_lease_get_fd (loan->lease);
      names[i] = loan->name;
    }

  command->fds = fds;
  command->n_fds = loans->len;
  command->names = names;
  pid = ctl_child_spawn (relay, command, status, error);

  /* From now on the command alone holds the regions: what it closes is closed. */
  for (guint i = 0; i < loans->len; i++)
    ctl_lease_close_fd (((CtlLoan *) g_ptr_array_index (loans, i))->lease);

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
      CtlLoan *loan = g_ptr_array_index (loans, i);

      /* Whoever waits for us finds the leases ended. What ended them earlier
       * has been said. */
      ctl_lease_release (loan->lease, NULL);
    }
}

int
ctl_loans_run (GPtrArray  *loans,
               CtlCommand *command,
               GError    **error)
{
  g_autoptr (CtlRelay) relay = ctl_relay_new ();
  int status;
  pid_t pid = spawn (loans, relay, command, &status, error);

  if (pid != -1)
    status = wait_for (pid);
  /* What comes from now on is for us: the service may be slow to take the leases back. */
  ctl_relay_leave (relay);
  release_loans (loans);
  return status;
}
