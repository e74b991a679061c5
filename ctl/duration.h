/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A span of time: a number and ms, s, min or h; a bare number is seconds.
 * Sets a usage error that names @what. */
gboolean ctl_duration_parse (const char *text,
                             const char *what,
                             guint32    *milliseconds,
                             GError    **error);

/* About how long @microseconds are, in at most five characters of one unit. */
char *ctl_duration_format (gint64 microseconds);
