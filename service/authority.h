/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/identity.h"

#include <gio/gio.h>
#include <polkit/polkit.h>

/* One question to polkit: may the bus name do this? */
typedef struct {
  const char    *action;      /* "org.regiond1.read-region" … */
  char          *subject;     /* a unique bus name */
  guint32        uid;         /* its user */
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

/* What of the vocabulary speaks of a PCI device: address to iommu_group. */
void             regiond_question_add_identity (RegiondQuestion *self, const RegiondIdentity *identity);

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
