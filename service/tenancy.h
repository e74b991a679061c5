/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "leases.h"

/* The leases on one device: who may come in beside whom, how each one ends,
 * and what ended ones have left behind. Look first, cut only what is live or
 * leaked, and what becomes of those who share: docs/architecture.md, "The end of a
 * lease". Main thread only. */
typedef struct _RegiondTenancy RegiondTenancy;

typedef struct {
  void (*emptied) (gpointer owner);                   /* the last active lease has ended */
  void (*changed) (gpointer owner);                   /* any number below */
  void (*unsettled) (gpointer owner, gboolean wait);  /* nobody can be let in until it is settled whose a reference is */
  void (*vacated) (gpointer owner, RegiondRegion *region); /* the last active lease on it has ended */
  void (*drained) (gpointer owner);                   /* what was held against ended leases can be let go (severs) */
} RegiondTenancyEvents;

typedef struct {
  gboolean tolerate; /* leaked references leave the others alone (Linger=tolerate) */
  gboolean severs;   /* behind it is a real device, which an ended lease must not reach (RegiondBackendClass) */
  RegiondAuthorization authorization; /* what a change of the policy does to the leases */
} RegiondTenancyRules;

/* @owner has the tenancy; leases may be the last to keep it, so it is held
 * while they are looked at. */
RegiondTenancy *regiond_tenancy_new (const RegiondTenancyEvents *events, GObject *owner,
                                     const RegiondTenancyRules *rules);
void            regiond_tenancy_free (RegiondTenancy *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondTenancy, regiond_tenancy_free)

/* Whether @client could get a lease now, on this device or on another one of its
 * IOMMU group: @device is the one that it wants. Busy names who has the device;
 * Lingering says whose references are left, and what to do. */
gboolean        regiond_tenancy_admits (RegiondTenancy *self, RegiondClient *client, gboolean exclusive,
                                        const char *device, GError **error);

/* Whether no other user has a lease; Busy names him. */
gboolean        regiond_tenancy_admits_user (RegiondTenancy *self, guint32 uid, const char *device, GError **error);

/* Takes in a lease and puts it on the bus. LimitExceeded or Failed when its
 * references cannot be watched; then nothing is taken in. */
gboolean        regiond_tenancy_add (RegiondTenancy *self, RegiondLease *lease, GError **error);

/* Ends active leases, and whatever has to end with them. An ended one is left
 * as it is. */
void            regiond_tenancy_end (RegiondTenancy *self, RegiondLease *lease, RegiondEnd end);
void            regiond_tenancy_end_some (RegiondTenancy *self, GPtrArray *leases, RegiondEnd end);
void            regiond_tenancy_end_all (RegiondTenancy *self, RegiondEnd end);

/* Tells the owners of all active leases that they end in @grace ms. */
void            regiond_tenancy_warn (RegiondTenancy *self, const char *reason, guint grace);

/* Forgets what ended leases have left behind: the service ends. */
void            regiond_tenancy_abandon (RegiondTenancy *self);

/* Looks now which references are gone. */
void            regiond_tenancy_look (RegiondTenancy *self);

/* How long (µs) whoever is merely asked must let be before it looks: it has just
 * looked, and looking must not take more than a tenth of the time. */
gint64          regiond_tenancy_get_rest (RegiondTenancy *self);

/* Whether anybody but the bus name has an active lease. */
gboolean        regiond_tenancy_has_others (RegiondTenancy *self, const char *name);

/* Whether what ended leases leave behind is left alone (RegiondTenancyRules). */
gboolean        regiond_tenancy_is_tolerant (RegiondTenancy *self);

guint           regiond_tenancy_count_active (RegiondTenancy *self);
guint           regiond_tenancy_count_lingering (RegiondTenancy *self);

/* Whether a reference of an ended lease may still be that of a dying process. */
gboolean        regiond_tenancy_is_draining (RegiondTenancy *self);

/* An ended lease that still reaches the device, since it cannot be cut; or NULL. */
RegiondLease   *regiond_tenancy_find_uncut (RegiondTenancy *self);

/* Whether something of an ended lease is left because of which what was taken
 * from it must stay taken. */
gboolean        regiond_tenancy_is_laden (RegiondTenancy *self);

/* Whether an ended lease may yet reach the device, but not for long. */
gboolean        regiond_tenancy_is_unsettled (RegiondTenancy *self);

/* The unique name that has the device for itself, or "". */
const char     *regiond_tenancy_get_exclusive (RegiondTenancy *self);

RegiondAuthorization regiond_tenancy_get_authorization (RegiondTenancy *self);

/* The active leases: a set (leases.h), the tenancy's own. */
GHashTable     *regiond_tenancy_get_active (RegiondTenancy *self);

/* Object paths of those that have ended, NULL-terminated, in the order of opening. */
char          **regiond_tenancy_list_ended (RegiondTenancy *self);
