/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"

#include <gio/gio.h>

/* Tells everybody on the bus of calls for a region that were refused (the signal
 * OpenRefused of org.regiond1.Manager): so many of each user's, since whoever
 * likes can be refused as fast as the bus carries it. */
typedef struct _RegiondRefusals RegiondRefusals;

/* Of one user's refusals in a second so many are told, and the rest is counted. */
#define REGIOND_REFUSALS_MOST 10

RegiondRefusals *regiond_refusals_new (GDBusConnection *connection);
void             regiond_refusals_free (RegiondRefusals *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondRefusals, regiond_refusals_free)

/* Takes note of a refusal of @uid's at the time @now (monotonic µs). Whether it is
 * to be told; if so, how many were not since the last one that was. */
gboolean         regiond_refusals_count (RegiondRefusals *self, guint32 uid, gint64 now, guint *omitted);

/* A call for a region that was refused. */
typedef struct {
  const char    *device; /* object path */
  const char    *region;
  const char    *access;
  RegiondClient *client; /* who has left is not told about: that is what was in the way */
  const GError  *error;  /* as it is answered */
} RegiondRefusedCall;

void             regiond_refusals_tell (RegiondRefusals *self, const RegiondRefusedCall *call);
