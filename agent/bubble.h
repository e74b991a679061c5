/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* One notification that gathers everything of its kind. What comes while it is
 * shown is added to it, and it changes at most every two seconds: so whatever
 * programs do, a person has one of each kind to read. When it has been closed, by
 * the person or by time, the next one begins anew. */
typedef struct _AgentBubble AgentBubble;

typedef struct
{
  const char *one;     /* the summary, of one thing */
  const char *many;    /* of several, behind their number */
  const char *label;   /* of the button; NULL: there is none */
  const char *label_many;
  guint8 urgency;      /* as in AgentNotice */
} AgentBubbleKind;

/* The button of what was shown with @key has been pressed. */
typedef void (*AgentBubbleFunc) (const char *key,
                                 gpointer    data);

AgentBubble *agent_bubble_new  (GDBusConnection       *session,
                                const AgentBubbleKind *kind,
                                AgentBubbleFunc        func,
                                gpointer               data);
void         agent_bubble_free (AgentBubble *bubble);

/* Something has happened: @count times, and @text says it of one. With a @key it
 * is something that lasts until it is removed, or NULL. */
void agent_bubble_add (AgentBubble *bubble,
                       const char  *key,
                       const char  *text,
                       guint        count);

/* What @key stands for is over. Who has not been shown it yet is shown @past instead.
 * A bubble that has nothing left is taken away, when it could be read. */
void agent_bubble_remove (AgentBubble *bubble,
                          const char  *key,
                          const char  *past);

/* For how many things there is an entry: those with a key, and three more. */
guint agent_bubble_count_entries (AgentBubble *bubble);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AgentBubble, agent_bubble_free)
