/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "relay.h"

#include <errno.h>
#include <signal.h>

static const int passed_on[] = {
  SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH,
};

struct _CtlRelay
{
  struct sigaction actions[G_N_ELEMENTS (passed_on)];
};

static volatile pid_t receiver;

static void
pass_on (int        signal_number,
         siginfo_t *info,
         void      *context)
{
  int saved = errno;

  /* The kernel sends a key's signal to the whole foreground process group. */
  if (info->si_code != SI_KERNEL)
    kill (receiver, signal_number);
  errno = saved;
}

CtlRelay *
ctl_relay_new (pid_t child)
{
  const struct sigaction action = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART };
  CtlRelay *relay = g_new0 (CtlRelay, 1);

  receiver = child;
  for (gsize i = 0; i < G_N_ELEMENTS (passed_on); i++)
    {
      sigaction (passed_on[i], NULL, &relay->actions[i]);
      if (relay->actions[i].sa_handler != SIG_IGN)
        sigaction (passed_on[i], &action, NULL);
    }

  return relay;
}

void
ctl_relay_free (CtlRelay *relay)
{
  for (gsize i = 0; i < G_N_ELEMENTS (passed_on); i++)
    sigaction (passed_on[i], &relay->actions[i], NULL);

  g_free (relay);
}
