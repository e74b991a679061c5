/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "relay.h"

#include <errno.h>
#include <signal.h>

static const int caught[] = {
  SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH,
};

struct _CtlRelay
{
  struct sigaction actions[G_N_ELEMENTS (caught)];
};

/* For the signal handler, which may run in any thread. */
static int receiver;
static int waiting[NSIG];

static void
deliver (void)
{
  pid_t child = g_atomic_int_get (&receiver);

  for (gsize i = 0; child != 0 && i < G_N_ELEMENTS (caught); i++)
    if (g_atomic_int_compare_and_exchange (&waiting[caught[i]], TRUE, FALSE))
      kill (child, caught[i]);
}

static void
catch (int        signal_number,
       siginfo_t *info,
       void      *context)
{
  int saved = errno;

  /* The kernel sends a key's signal to the whole foreground process group. */
  if (info->si_code != SI_KERNEL || g_atomic_int_get (&receiver) == 0)
    g_atomic_int_set (&waiting[signal_number], TRUE);
  deliver ();
  errno = saved;
}

CtlRelay *
ctl_relay_new (void)
{
  const struct sigaction action = { .sa_sigaction = catch, .sa_flags = SA_SIGINFO | SA_RESTART };
  CtlRelay *relay = g_new0 (CtlRelay, 1);

  for (gsize i = 0; i < G_N_ELEMENTS (caught); i++)
    {
      sigaction (caught[i], NULL, &relay->actions[i]);
      if (relay->actions[i].sa_handler != SIG_IGN)
        sigaction (caught[i], &action, NULL);
    }

  return relay;
}

void
ctl_relay_set_child (CtlRelay *relay,
                     pid_t     child)
{
  g_atomic_int_set (&receiver, child);
  deliver ();
}

void
ctl_relay_leave (CtlRelay *relay)
{
  g_atomic_int_set (&receiver, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (caught); i++)
    sigaction (caught[i], &relay->actions[i], NULL);
}

void
ctl_relay_free (CtlRelay *relay)
{
  ctl_relay_leave (relay);
  g_free (relay);
}
