/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "counts.h"

RegiondCounts *
regiond_counts_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

guint
regiond_counts_get (RegiondCounts *self,
                    const char    *name)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (self, name));
}

void
regiond_counts_change (RegiondCounts *self,
                       const char    *name,
                       int            change)
{
  guint count = regiond_counts_get (self, name) + change;

  if (count > 0)
    g_hash_table_insert (self, g_strdup (name), GUINT_TO_POINTER (count));
  else
    g_hash_table_remove (self, name);
}
