/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#define AGENT_NOTIFICATIONS "org.freedesktop.Notifications"
#define AGENT_NOTIFICATIONS_PATH "/org/freedesktop/Notifications"

/* What the desktop is asked to show. */
typedef struct
{
  guint32 replaces;    /* the number of the one that it takes the place of, or 0 */
  const char *summary;
  const char *body;    /* plain text */
  const char *action;  /* the action's name, or NULL */
  const char *label;   /* what its button says */
  guint8 urgency;      /* 0: low, 1: normal */
} AgentNotice;

/* Shows it: by whatever notification service the session has, which is started if
 * it can be. Markup and buttons are for those that know them. */
void agent_notice_show (GDBusConnection    *session,
                        const AgentNotice  *notice,
                        GAsyncReadyCallback callback,
                        gpointer            data);

/* Its number, or 0 with an error. */
guint32 agent_notice_show_finish (GAsyncResult *result,
                                  GError      **error);

/* Takes it away again. */
void agent_notice_close (GDBusConnection *session,
                         guint32          number);
