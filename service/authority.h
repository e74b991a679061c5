/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answer.h"

typedef struct _RegiondAuthority RegiondAuthority;

/* Times in milliseconds, both from when a question comes in. */
typedef struct {
  guint timeout;        /* of a question that may not prompt */
  guint prompt_timeout; /* of one that has to */
  guint per_user;       /* how many may be under way */
  guint per_connection;
} RegiondPatience;

/* Freeing it refuses the checks that still wait. polkitd need not be there. */
RegiondAuthority *regiond_authority_new (const RegiondPatience *patience);
void              regiond_authority_free (RegiondAuthority *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondAuthority, regiond_authority_free)

/* Which policy is in force: another number after every sign that it may be another. */
guint             regiond_authority_get_epoch (RegiondAuthority *self);

/* Whether polkit is there to be asked, as far as is known. */
gboolean          regiond_authority_has_polkit (RegiondAuthority *self);

/* Told of such signs on the main thread: polkit announces a change, without
 * saying what has changed; @restarted: polkitd is there again. */
typedef void (*RegiondAuthorityFunc) (gpointer data, gboolean restarted);

/* One listener; NULL: none. */
void              regiond_authority_listen (RegiondAuthority *self, RegiondAuthorityFunc func, gpointer data);

/* Asks, and takes @question. TRUE only for a plain yes. Everything else is an
 * error: AccessDenied (no; polkitd gone, hung or failing; an unknown action; a
 * remembered authorization, see docs/polkit.md), InteractiveAuthorizationRequired,
 * LimitExceeded (at once), G_IO_ERROR_CANCELLED (at once).
 *
 * Questions wait in a queue that is fair between users (queue.h), since polkitd
 * answers one after the other. One that may prompt is first asked without; only
 * if polkit then wants a person it is asked again, in a queue of its own, so
 * that prompts, which last minutes, keep nobody waiting who needs none. */
void              regiond_authority_check (RegiondAuthority *self, RegiondQuestion *question,
                                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
gboolean          regiond_authority_check_finish (RegiondAuthority *self, GAsyncResult *result, GError **error);

/* What would be answered where nobody may be prompted (an action that polkit does
 * not know: no); takes @question. It waits and is counted like a call's. */
void              regiond_authority_foretell (RegiondAuthority *self, RegiondQuestion *question,
                                              GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);

/* The same about a lease that is out, and not counted: such questions are asked
 * when no call waits, or after every eighth call, so that who has many calls cannot
 * put them off for ever. They are fair between users as well, and wait without a
 * limit until polkitd is asked. */
void              regiond_authority_review (RegiondAuthority *self, RegiondQuestion *question,
                                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);

/* Of both. FALSE when there is no answer: the other errors of a check. */
gboolean          regiond_authority_answer_finish (RegiondAuthority *self, GAsyncResult *result, RegiondAnswer *answer,
                                                   GError **error);
