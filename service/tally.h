/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What users cause that others are to hear of: so many of each user's in a second,
 * and the others are counted. Whoever likes can be refused as fast as the bus
 * carries it. */
typedef struct _RegiondTally RegiondTally;

/* Of one user's in a second so many are told. */
#define REGIOND_TALLY_MOST 10

RegiondTally *regiond_tally_new (void);
void          regiond_tally_free (RegiondTally *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondTally, regiond_tally_free)

/* Takes note of one of @uid's at the time @now (monotonic µs). Whether it is
 * to be told; if so, how many were not since the last one that was. */
gboolean      regiond_tally_count (RegiondTally *self, guint32 uid, gint64 now, guint *omitted);
