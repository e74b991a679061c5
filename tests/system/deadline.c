/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "deadline.h"

#define OFTEN_US 2000
#define SELDOM_US 50000

gboolean
wait_for (Condition condition,
          gpointer data,
          guint milliseconds)
{
  gint64 start = g_get_monotonic_time ();

  while (!condition (data))
    {
      if (milliseconds_since (start) > milliseconds)
        return FALSE;
      g_usleep (CLAMP ((g_get_monotonic_time () - start) / 16, OFTEN_US, SELDOM_US));
    }
  return TRUE;
}

void
wait_until (Condition condition,
            gpointer data,
            guint milliseconds,
            const char *what)
{
  if (!wait_for (condition, data, milliseconds))
    g_error ("waited %u ms in vain for %s", milliseconds, what);
}

guint
milliseconds_since (gint64 start)
{
  return (g_get_monotonic_time () - start) / 1000;
}
