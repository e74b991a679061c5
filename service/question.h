/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/identity.h"

#include <gio/gio.h>
#include <polkit/polkit.h>

/* One question to polkit: may the bus name do this? Reference-counted: a lease
 * keeps those that it was granted with, and they are asked again (review.h). */
typedef struct {
  const char    *action;      /* "org.regiond1.read-region" … */
  char          *subject;     /* a unique bus name: who pays for the question */
  PolkitSubject *about;       /* whom it is about; NULL: @subject */
  guint32        uid;         /* @subject's user */
  char          *purpose;     /* for error messages: "open region bar2 (rwm) of device shm0" */
  char          *details;     /* docs/polkit.md is the vocabulary: key, NUL, value, NUL, …: every lease has one */
  gsize          details_size;
  gboolean       interactive; /* a person may be asked */
  gboolean       prompted;    /* a person has been asked, and said yes */
  guint          epoch;       /* of the policy by which it was answered last; 0: it has not been */
} RegiondQuestion;

/* A question about what @invocation asks for. @interactive: its option; the
 * message's own flag counts as well. @purpose is taken. */
RegiondQuestion *regiond_question_new (const char *action, GDBusMethodInvocation *invocation, gboolean interactive,
                                       char *purpose);

/* The same about org.regiond1.manage-devices. @group, @force: what the call takes
 * along, and whether it heeds what is in the way. */
RegiondQuestion *regiond_question_new_managing (GDBusMethodInvocation *invocation, gboolean interactive, char *purpose,
                                                gboolean group, gboolean force);
RegiondQuestion *regiond_question_ref (RegiondQuestion *self);
void             regiond_question_unref (RegiondQuestion *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondQuestion, regiond_question_unref)

/* As polkit's library wants them. */
PolkitDetails   *regiond_question_make_details (RegiondQuestion *self);

/* Whom it is about; a reference. */
PolkitSubject   *regiond_question_get_about (RegiondQuestion *self);

/* The same for questions that polkit cannot tell apart: action, whom it is
 * about, and details. */
char            *regiond_question_make_key (RegiondQuestion *self);

void             regiond_question_add (RegiondQuestion *self, const char *key, const char *value);

/* What of the vocabulary speaks of a PCI device: address to iommu_group. */
void             regiond_question_add_identity (RegiondQuestion *self, const RegiondIdentity *identity);
