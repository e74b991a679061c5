/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "question.h"

/* What polkit says to a question. */
typedef enum {
  REGIOND_ANSWER_YES,
  REGIOND_ANSWER_CHALLENGE,  /* a password would do */
  REGIOND_ANSWER_REMEMBERED, /* yes, from the memory of a password: that does not count */
  REGIOND_ANSWER_NO,
} RegiondAnswer;

RegiondAnswer regiond_answer_read (PolkitAuthorizationResult *result);

/* Why the answer is no permission, in the words of the error that OpenRegion
 * gives; not for YES. */
GError       *regiond_answer_make_error (RegiondAnswer self, const RegiondQuestion *question);
