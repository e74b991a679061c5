/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pace.h"

#include <time.h>

#define REST_FACTOR 9

/* Of this thread, in µs. */
static gint64
get_processor_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

void
regiond_pace_begin (RegiondPace *self)
{
  self->start = get_processor_time ();
}

void
regiond_pace_end (RegiondPace *self)
{
  self->cost = get_processor_time () - self->start;
  self->ended = g_get_monotonic_time ();
}

gint64
regiond_pace_get_pause (const RegiondPace *self)
{
  return self->cost * REST_FACTOR;
}

gint64
regiond_pace_get_rest (const RegiondPace *self)
{
  return MAX (0, self->ended + regiond_pace_get_pause (self) - g_get_monotonic_time ());
}
