/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "watch.h"

/* Whether polkit's rules or actions are being edited. polkit announces every
 * change in the same words: files, and also password agents and sessions that
 * come and go, which anybody can make happen. The folders are watched, as
 * polkit itself does, to tell them apart. Nothing is read. Main thread only. */
typedef struct _RegiondRulebook RegiondRulebook;

/* Those in which polkit looks. */
extern const char *const regiond_rulebook_folders[];

typedef void (*RegiondRulebookFunc) (gpointer data);

/* @folders: NULL-terminated, and outlives it; one that is not there is looked for
 * again. @edited is called for every sign of an edit. */
RegiondRulebook *regiond_rulebook_new (RegiondWatch *watch, const char *const *folders, RegiondRulebookFunc edited,
                                       gpointer data);
void             regiond_rulebook_free (RegiondRulebook *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondRulebook, regiond_rulebook_free)

/* Whether what polkit announces now may be an edit: there has been one in the last
 * three seconds (polkit is up to two late with a file that is not closed), or
 * there is a folder that cannot be watched. */
gboolean         regiond_rulebook_is_edited (RegiondRulebook *self);
