/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A bar on the standard error that shows how far a long copy is. Where that is
 * no terminal, or the copy is a short one, nothing is shown. */
typedef struct _CtlProgress CtlProgress;

CtlProgress *ctl_progress_new  (guint64 total);
void         ctl_progress_set  (CtlProgress *progress,
                                guint64      done);
/* Wipes the bar away. */
void         ctl_progress_free (CtlProgress *progress);

/* The bar as text, @width cells wide at most. */
char *ctl_progress_format (guint64 done,
                           guint64 total,
                           guint   width);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlProgress, ctl_progress_free)
