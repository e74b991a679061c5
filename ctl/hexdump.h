/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Bytes as hexdump -C shows them: 16 a line, with equal lines left out. */
typedef struct
{
  guint64 offset;  /* of what comes next */
  gboolean all;    /* leave nothing out */
  gboolean any;    /* a line was shown or left out */
  gboolean hidden; /* the last line was left out */
  guint8 last[16];
} CtlHexdump;

void ctl_hexdump_init (CtlHexdump *dump,
                       guint64     offset,
                       gboolean    all);

/* Appends the lines for @length bytes to @text. Only the last call may have a
 * length that is not a multiple of 16. */
void ctl_hexdump_append (CtlHexdump   *dump,
                         GString      *text,
                         const guint8 *bytes,
                         gsize         length);

/* Appends the last line, which is the offset of the end. */
void ctl_hexdump_finish (CtlHexdump *dump,
                         GString    *text);
