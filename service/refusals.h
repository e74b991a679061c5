/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "device.h"

/* Refuses calls for a region (RegiondRefusals is declared in daemon.h). Everybody on the
 * bus is told (the signal OpenRefused of org.regiond1.Manager): of so many of each
 * user's, since whoever likes can be refused as fast as the bus carries it. */

/* Of one user's refusals in a second so many are told, and the rest is counted. */
#define REGIOND_REFUSALS_MOST 10

RegiondRefusals *regiond_refusals_new (GDBusConnection *connection);
void             regiond_refusals_free (RegiondRefusals *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondRefusals, regiond_refusals_free)

/* Takes note of a refusal of @uid's at the time @now (monotonic µs). Whether it is
 * to be told; if so, how many were not since the last one that was. */
gboolean         regiond_refusals_count (RegiondRefusals *self, guint32 uid, gint64 now, guint *omitted);

/* Whose arguments are right. */
typedef struct {
  RegiondDevice         *device; /* NULL: it is not known what the call was for */
  const RegiondWindow   *window; /* its region and access count; NULL like @device */
  RegiondClient         *client; /* who has left is not told about: that is what was in the way */
  GDBusMethodInvocation *invocation;
} RegiondRefusedCall;

/* Logs it, tells everybody if the device is known, and answers with @error, which is taken;
 * G_IO_ERROR_CANCELLED is Gone: the caller has left. */
void             regiond_refusals_refuse (RegiondRefusals *self, const RegiondRefusedCall *call, GError *error);
