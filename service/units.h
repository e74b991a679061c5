/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* "4096", "4K", "4M", "4G", "4T" (powers of 1024) in bytes. FALSE for anything
 * else, and for what does not fit 63 bits. */
gboolean regiond_units_parse_size (const char *text, guint64 *bytes);

/* "250ms", "25s", "5min"; a bare number is seconds. In milliseconds. FALSE for
 * anything else, for 0 and for more than a day. */
gboolean regiond_units_parse_duration (const char *text, guint *milliseconds);

/* A size as a person would write it: "4M", "12K", "4097". */
char *regiond_units_format_size (guint64 bytes);
