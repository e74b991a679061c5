/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Follows what one user's programs get, lose and are refused. */
typedef struct _AgentLeases AgentLeases;

typedef enum
{
  AGENT_NEWS_GOT,
  AGENT_NEWS_LEFT,    /* given back, or its program has ended: nobody took it */
  AGENT_NEWS_LOST,
  AGENT_NEWS_REFUSED,
} AgentNewsKind;

typedef struct
{
  AgentNewsKind kind;
  const char *lease; /* object path; NULL of what was refused */
  const char *text;  /* a sentence */
  guint count;       /* how many of them: 1, but for refusals of which most were not told */
} AgentNews;

typedef void (*AgentLeasesFunc) (const AgentNews *news,
                                 gpointer         data);

/* What there was before is no news, but its end is. @system has to have a main
 * context that runs. The service is never started by this. */
AgentLeases *agent_leases_new  (GDBusConnection *system,
                                guint32          uid,
                                AgentLeasesFunc  func,
                                gpointer         data);
void         agent_leases_free (AgentLeases *leases);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AgentLeases, agent_leases_free)
