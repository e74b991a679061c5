/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Whether @text is printable UTF-8 of at most @most characters. */
gboolean regiond_text_is_printable (const char *text,
                                    gsize       most);

/* @text, which somebody has sent, in single quotes for a message: at most 64
 * characters of it, and none that would not print. */
char    *regiond_text_quote (const char *text);
