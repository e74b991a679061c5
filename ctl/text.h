/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A copy of @text that is safe to print: what is no printable character is
 * replaced, for descriptions and labels are other people's words. */
char *ctl_text_clean (const char *text);

/* How many terminal cells clean @text fills. */
guint ctl_text_get_width (const char *text);

/* Clean @text, cut to at most @width cells with an ellipsis at its end. */
char *ctl_text_ellipsize (const char *text,
                          guint       width);
