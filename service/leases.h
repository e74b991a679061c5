/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "lease.h"

/* A set of leases: a GHashTable that holds references to them. */
GHashTable   *regiond_leases_new (void);

/* A copy: what is done to a lease may change the set. */
GPtrArray    *regiond_leases_copy (GHashTable *self);

typedef gboolean (*RegiondLeasesFunc) (RegiondLease *lease, gconstpointer data);

/* One of those for which @func is TRUE, or NULL. */
RegiondLease *regiond_leases_find (GHashTable *self, RegiondLeasesFunc func, gconstpointer data);

/* One that is not of the bus name @name, among the exclusive ones only if so; or NULL. */
RegiondLease *regiond_leases_find_other (GHashTable *self, const char *name, gboolean exclusive_only);

/* One that @proof shows (hold.h), and that has all of @access; or NULL. */
RegiondLease *regiond_leases_find_shown (GHashTable *self, const RegiondProof *proof, RegiondAccess access);

/* Object paths, NULL-terminated, in the order of opening. */
char        **regiond_leases_list (GHashTable *self);
