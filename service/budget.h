/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* What all memory devices together may take: MaxMemory. Two sums are kept
 * below it: what the devices have declared, so that an administrator hears of
 * it when adding one, and what is really held by lent, persistent and retired
 * objects. Any thread. */
typedef struct _RegiondBudget RegiondBudget;

RegiondBudget *regiond_budget_new (guint64 most);
RegiondBudget *regiond_budget_ref (RegiondBudget *self);
void           regiond_budget_unref (RegiondBudget *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondBudget, regiond_budget_unref)

/* Adds @bytes to what is declared. LimitExceeded names MaxMemory and what is
 * left of it. */
gboolean regiond_budget_declare (RegiondBudget *self, guint64 bytes, GError **error);
void     regiond_budget_undeclare (RegiondBudget *self, guint64 bytes);

/* Adds @bytes to what is held. LimitExceeded as above. What a process that has
 * just died held comes back within a quarter of a second: off the main thread,
 * so long is waited for it. */
gboolean regiond_budget_take (RegiondBudget *self, guint64 bytes, GError **error);
void     regiond_budget_give (RegiondBudget *self, guint64 bytes);

/* Whether @bytes could be taken now. */
gboolean regiond_budget_has_room (RegiondBudget *self, guint64 bytes);

/* What is held now, in bytes. */
guint64  regiond_budget_get_held (RegiondBudget *self);
