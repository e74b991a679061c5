/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon.h"
#include "lease.h"

/* Authorization goes on (docs/polkit.md, "When the policy changes"). When polkit announces that something has
 * changed, or polkitd has been started again, all leases whose device wants it are
 * reviewed in one round: each distinct question that was answered before is asked
 * again, without a prompt, after all calls (authority.h). At the end of the round
 * those end that would not be granted now, with "withdrawn" and no grace.
 *
 * A round begins 30 ms after such a sign, or 100 ms where more signs follow; of
 * those that come while one runs, one more is made. What is not an edit of rules or
 * actions (rulebook.h, which takes all of the three seconds after one for edits) waits until ten seconds
 * after the round before, if there was one.
 *
 * No answer is none: nothing ends for want of one, and what has not been answered is
 * asked ten seconds after the end of the round; where polkit is gone, all of the round. */
typedef struct _RegiondReview RegiondReview;

/* @daemon has it, and its authority and watch already. */
RegiondReview *regiond_review_new (RegiondDaemon *daemon);

/* Nobody is reviewed any more. */
void           regiond_review_free (RegiondReview *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondReview, regiond_review_free)

/* To be called with a new lease: polkit may have announced a change since it was
 * asked about it. */
void           regiond_review_admit (RegiondReview *self, RegiondLease *lease);
