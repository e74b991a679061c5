/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <polkit/polkit.h>

/* One question to polkit: may the bus name do this? */
typedef struct {
  const char    *action;      /* "org.regiond1.read-region" … */
  char          *subject;     /* a unique bus name */
  char          *purpose;     /* for error messages: "open region bar2 (rwm) of device shm0" */
  PolkitDetails *details;     /* docs/polkit.md is the vocabulary */
  gboolean       interactive; /* a person may be asked */
} RegiondQuestion;

/* A question about what @invocation asks for. @interactive: its option; the
 * message's own flag counts as well. @purpose is taken. */
RegiondQuestion *regiond_question_new (const char *action, GDBusMethodInvocation *invocation, gboolean interactive,
                                       char *purpose);
void             regiond_question_free (RegiondQuestion *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondQuestion, regiond_question_free)

void             regiond_question_add (RegiondQuestion *self, const char *key, const char *value);

typedef struct _RegiondAuthority RegiondAuthority;

/* Freeing it refuses the checks that still wait for polkitd to be found.
 * The timeouts, in milliseconds, are those of a question that may not and of
 * one that may prompt. polkitd need not be there. */
RegiondAuthority *regiond_authority_new (guint timeout, guint prompt_timeout);
void              regiond_authority_free (RegiondAuthority *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondAuthority, regiond_authority_free)

/* Asks, and takes @question. TRUE only for a plain yes. Everything else is an
 * error: AccessDenied (no; polkitd gone, hung or failing; an unknown action; a
 * remembered authorization, see docs/polkit.md), InteractiveAuthorizationRequired,
 * G_IO_ERROR_CANCELLED. */
void              regiond_authority_check (RegiondAuthority *self, RegiondQuestion *question,
                                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
gboolean          regiond_authority_check_finish (RegiondAuthority *self, GAsyncResult *result, GError **error);
