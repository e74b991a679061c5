/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* How often something costly is done on the main thread: a tenth of its time is enough.
 * What it costs is the processor's time: while the thread stands still for others it is
 * no burden. All zeros: it has not been done yet. */
typedef struct {
  gint64 start; /* of the processor's time, µs */
  gint64 cost;  /* of the last time, µs */
  gint64 ended; /* monotonic, µs */
} RegiondPace;

/* Around it. */
void   regiond_pace_begin (RegiondPace *self);
void   regiond_pace_end (RegiondPace *self);

/* How long (µs) to rest after it, in all; and from now on. */
gint64 regiond_pace_get_pause (const RegiondPace *self);
gint64 regiond_pace_get_rest (const RegiondPace *self);
