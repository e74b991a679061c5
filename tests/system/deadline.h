/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef gboolean (*Condition) (gpointer data);

/* Asks until it is so, the more rarely the longer it takes: every two milliseconds at first,
 * every fifty later. Whether it became so in time. */
gboolean wait_for (Condition condition,
                   gpointer data,
                   guint milliseconds);

/* The same; the test fails with WHAT if it does not become so in time. */
void wait_until (Condition condition,
                 gpointer data,
                 guint milliseconds,
                 const char *what);

/* Milliseconds since START, which is of g_get_monotonic_time(). */
guint milliseconds_since (gint64 start);
