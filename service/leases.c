/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "leases.h"

GHashTable *
regiond_leases_new (void)
{
  return g_hash_table_new_full (NULL, NULL, g_object_unref, NULL);
}

GPtrArray *
regiond_leases_copy (GHashTable *self)
{
  GPtrArray *leases = g_ptr_array_new_full (g_hash_table_size (self), g_object_unref);
  GHashTableIter iter;
  gpointer lease;

  g_hash_table_iter_init (&iter, self);
  while (g_hash_table_iter_next (&iter, &lease, NULL))
    g_ptr_array_add (leases, g_object_ref (lease));
  return leases;
}

RegiondLease *
regiond_leases_find (GHashTable       *self,
                     RegiondLeasesFunc func,
                     gconstpointer     data)
{
  GHashTableIter iter;
  gpointer lease;

  g_hash_table_iter_init (&iter, self);
  while (g_hash_table_iter_next (&iter, &lease, NULL))
    {
      if (func (lease, data))
        return lease;
    }

  return NULL;
}

typedef struct {
  const char *name; /* whose it is not */
  gboolean    exclusive_only;
} Other;

static gboolean
is_other (RegiondLease *lease,
          gconstpointer data)
{
  const Other *other = data;

  return !g_str_equal (regiond_client_get_name (regiond_lease_get_client (lease)), other->name) &&
         (!other->exclusive_only || regiond_lease_get_window (lease)->exclusive);
}

RegiondLease *
regiond_leases_find_other (GHashTable *self,
                           const char *name,
                           gboolean    exclusive_only)
{
  Other other = { name, exclusive_only };

  return regiond_leases_find (self, is_other, &other);
}

typedef struct {
  const RegiondProof *proof;
  RegiondAccess       access; /* at least */
} Sight;

static gboolean
is_seen (RegiondLease *lease,
         gconstpointer data)
{
  const Sight *sight = data;

  return (regiond_lease_get_window (lease)->access & sight->access) == sight->access &&
         regiond_hold_is_shown (regiond_lease_get_hold (lease), sight->proof);
}

RegiondLease *
regiond_leases_find_shown (GHashTable         *self,
                           const RegiondProof *proof,
                           RegiondAccess       access)
{
  const Sight sight = { proof, access };

  return regiond_leases_find (self, is_seen, &sight);
}

static int
compare_paths (gconstpointer a,
               gconstpointer b)
{
  const char *left = *(const char *const *) a, *right = *(const char *const *) b;
  gsize length = strlen (left), other = strlen (right);

  /* The paths differ in a number at their end. */
  return length != other ? (length < other ? -1 : 1) : strcmp (left, right);
}

char **
regiond_leases_list (GHashTable *self)
{
  GPtrArray *paths = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer lease;

  g_hash_table_iter_init (&iter, self);
  while (g_hash_table_iter_next (&iter, &lease, NULL))
    g_ptr_array_add (paths, g_strdup (regiond_lease_get_path (lease)));
  g_ptr_array_sort (paths, compare_paths);
  g_ptr_array_add (paths, NULL);
  return (char **) g_ptr_array_free (paths, FALSE);
}
