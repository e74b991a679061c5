/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Who has how much: the leases of each user and connection, and the memory of
 * each user. A lease is charged before it is made, and counts until nothing of
 * it is left in any process. Any thread. */
typedef struct _RegiondLedger RegiondLedger;

/* Each stands under the key of that name in regiond.conf. */
typedef struct {
  guint   leases;
  guint   leases_per_user;
  guint   leases_per_connection;
  guint   proxied_leases_per_user;
  guint64 memory_per_user; /* bytes */
} RegiondLimits;

RegiondLedger *regiond_ledger_new (const RegiondLimits *limits);
RegiondLedger *regiond_ledger_ref (RegiondLedger *self);
void           regiond_ledger_unref (RegiondLedger *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondLedger, regiond_ledger_unref)

/* Who pays for what. */
typedef struct {
  guint32       uid;
  const char   *connection; /* unique bus name */
  gconstpointer device;     /* only compared */
  guint64       memory;     /* bytes of all regions of the device: the first lease takes them */
  gboolean      proxied;    /* of these there are few: mechanisms/proxy.h */
} RegiondPurchase;

/* Whether it could be charged, memory aside that ended leases still have: it may
 * be on its way back. LimitExceeded names the limit. */
gboolean       regiond_ledger_admits (RegiondLedger *self, const RegiondPurchase *purchase, GError **error);

/* What a lease costs. */
typedef struct _RegiondCharge RegiondCharge;

/* One lease more; and, with the first one of the user on the device, the
 * device's memory. NULL with LimitExceeded; @patience is then set where only
 * memory of leases that have ended is in the way. */
RegiondCharge *regiond_ledger_charge (RegiondLedger *self, const RegiondPurchase *purchase, gboolean *patience,
                                      GError **error);

/* The lease has ended, and something of it is left. The device's memory is
 * charged no more, but @bytes of @object (only compared), once however many
 * leases of the user's are left on it. NULL: it has no memory any more. */
void           regiond_charge_end (RegiondCharge *self, gconstpointer object, guint64 bytes);

/* Nothing of the lease is left. */
void           regiond_charge_free (RegiondCharge *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondCharge, regiond_charge_free)
