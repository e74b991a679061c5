/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"
#include "budget.h"
#include "mechanisms/memfd.h"
#include "watch.h"

#include <gio/gio.h>

/* A device's ROM as its leases see it: read once while the device is opened, since
 * it must not be decoded together with BARs. Nobody can write to it; so one that
 * was taken from a holder is replaced by a copy. Any thread. */
typedef struct _RegiondSnapshot RegiondSnapshot;

/* Empty. @device: its address. */
RegiondSnapshot *regiond_snapshot_new (const char *device, RegiondWatch *watch, RegiondBudget *budget);
void             regiond_snapshot_free (RegiondSnapshot *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondSnapshot, regiond_snapshot_free)

/* Reads it, in place of what there was. Blocks. A ROM that cannot be read leaves it
 * empty, and is said in the journal; FALSE for G_IO_ERROR_CANCELLED alone. */
gboolean         regiond_snapshot_read (RegiondSnapshot *self, RegiondHandle *handle, GCancellable *cancellable,
                                        GError **error);

/* One that can be lent. Blocks where it has to be copied. Failed where it is empty,
 * LimitExceeded. */
RegiondMemfd    *regiond_snapshot_get (RegiondSnapshot *self, GError **error);

/* What has been lent is not lent again. */
void             regiond_snapshot_retire (RegiondSnapshot *self);

/* It is empty again. */
void             regiond_snapshot_drop (RegiondSnapshot *self);
