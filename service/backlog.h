/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Answers that are held back while the bus cannot keep up, or regiond. What has
 * been sent stands in one line, whoever it is for, and a dbus-daemon that is
 * flooded takes some 4 KiB of it in each round of all its connections, of which
 * one may last a second. What has come stands in one line as well, and is read
 * the faster the less is sent. So the answers to those who have very many calls
 * unanswered wait here; and what is sent past them, an answer to somebody else
 * or a question to polkit, waits for none of them. Each name's come in turn. On
 * GDBus's own thread, but for making and freeing one. */
typedef struct _RegiondBacklog RegiondBacklog;

RegiondBacklog *regiond_backlog_new (GDBusConnection *connection);
void            regiond_backlog_free (RegiondBacklog *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondBacklog, regiond_backlog_free)

/* Whether something waits here, or the bus has yet to take what was sent, or
 * regiond to read what has come. */
gboolean        regiond_backlog_is_needed (RegiondBacklog *self);

/* Takes @answer; it is sent when its turn comes. */
void            regiond_backlog_hold (RegiondBacklog *self, GDBusMessage *answer);

/* To be told of every message that is about to be sent: whether it comes from here. */
gboolean        regiond_backlog_has_released (RegiondBacklog *self, GDBusMessage *message);

/* An error that many get. */
typedef struct {
  const char *error; /* its name */
  const char *why;
} RegiondRefusal;

/* The same for a call that is answered with @refusal, which stays; while it
 * waits it takes hardly any room. It is sent at once if nothing is needed. */
void            regiond_backlog_refuse (RegiondBacklog *self, const char *name, guint32 serial,
                                        const RegiondRefusal *refusal);
