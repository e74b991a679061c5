/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* How many of something each bus name has; a name that has none takes no room. */
typedef GHashTable RegiondCounts;

/* To be freed with g_hash_table_unref(). */
RegiondCounts *regiond_counts_new (void);

guint          regiond_counts_get (RegiondCounts *self, const char *name);

/* @change: 1 or -1; never below 0. */
void           regiond_counts_change (RegiondCounts *self, const char *name, int change);
