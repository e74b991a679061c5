/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define POLKIT_AGENT_I_KNOW_API_IS_SUBJECT_TO_CHANGE

#include "agent.h"

#include <fcntl.h>
#include <polkitagent/polkitagent.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static const int fatal_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

struct _CtlAgent
{
  PolkitAgentListener *listener;
  gpointer registration;
  struct sigaction actions[G_N_ELEMENTS (fatal_signals)];
};

/* For the signal handler: the terminal as it was before a prompt put out its echo. */
static int terminal = -1;
static struct termios terminal_state;

static void
restore_terminal (int signal_number)
{
  tcsetattr (terminal, TCSAFLUSH, &terminal_state);
  /* SA_RESETHAND has put the default back: this ends the process. */
  raise (signal_number);
}

static void
guard_terminal (CtlAgent *agent)
{
  const struct sigaction guard = { .sa_handler = restore_terminal, .sa_flags = SA_RESETHAND };

  terminal = open ("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  tcgetattr (terminal, &terminal_state);
  for (gsize i = 0; i < G_N_ELEMENTS (fatal_signals); i++)
    {
      sigaction (fatal_signals[i], NULL, &agent->actions[i]);
      if (agent->actions[i].sa_handler != SIG_IGN)
        sigaction (fatal_signals[i], &guard, NULL);
    }
}

/* polkit finds a fallback agent only by way of a session; without one there is
 * no other agent to give way to. */
static gboolean
has_session (void)
{
  g_autoptr (PolkitSubject) session = polkit_unix_session_new_for_process_sync (getpid (), NULL, NULL);

  return session != NULL;
}

static gpointer
register_listener (PolkitAgentListener *listener)
{
  g_autoptr (PolkitSubject) subject = NULL;
  g_autoptr (GError) error = NULL;
  GVariantBuilder options;
  gpointer registration;

  subject = polkit_unix_process_new_for_owner (getpid (), 0, getuid ());
  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "fallback", g_variant_new_boolean (has_session ()));
  registration = polkit_agent_listener_register_with_options (listener,
                                                              POLKIT_AGENT_REGISTER_FLAGS_RUN_IN_THREAD,
                                                              subject, NULL,
                                                              g_variant_builder_end (&options),
                                                              NULL, &error);
  if (registration == NULL)
    g_debug ("No password prompt on this terminal: %s", error->message);

  return registration;
}

CtlAgent *
ctl_agent_new (void)
{
  g_autoptr (PolkitAgentListener) listener = NULL;
  gpointer registration;
  CtlAgent *agent;

  if (!isatty (STDIN_FILENO))
    return NULL;

  listener = polkit_agent_text_listener_new (NULL, NULL);
  registration = listener == NULL ? NULL : register_listener (listener);
  if (registration == NULL)
    return NULL;

  agent = g_new0 (CtlAgent, 1);
  agent->listener = g_steal_pointer (&listener);
  agent->registration = registration;
  guard_terminal (agent);
  return agent;
}

void
ctl_agent_free (CtlAgent *agent)
{
  for (gsize i = 0; i < G_N_ELEMENTS (fatal_signals); i++)
    sigaction (fatal_signals[i], &agent->actions[i], NULL);
  close (terminal);
  terminal = -1;

  polkit_agent_listener_unregister (agent->registration);
  g_object_unref (agent->listener);
  g_free (agent);
}
