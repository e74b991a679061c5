/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

typedef enum
{
  AGENT_YES,
  AGENT_CANCEL,
  AGENT_SILENT, /* the person does not answer */
} AgentAnswer;

/* Stands in for the person at a password prompt, for one process. */
typedef struct Agent Agent;

/* Returns when polkitd knows the agent. */
Agent *agent_start (GPid subject,
                    AgentAnswer answer);

/* The text of the last prompt, or NULL when nobody was prompted. */
char *agent_get_message (Agent *agent);

/* How many prompts there were. */
guint agent_count (Agent *agent);

/* How many of them polkit has taken back. */
guint agent_count_withdrawn (Agent *agent);

void agent_free (Agent *agent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Agent, agent_free)
