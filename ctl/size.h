/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A number of bytes: decimal or 0x hexadecimal, with an optional suffix
 * K, M, G or T (powers of 1024). Sets a usage error that names @what. */
gboolean ctl_size_parse (const char *text,
                         const char *what,
                         guint64    *size,
                         GError    **error);

/* The shortest exact way to write @size, which ctl_size_parse() reads back. */
char *ctl_size_format (guint64 size);
