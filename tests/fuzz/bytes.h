/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* An input, taken apart from its start: numbers as long as there is something
 * left, and then zeros. */
typedef struct {
  const guint8 *at;
  gsize         left;
} Bytes;

/* One byte. */
guint   bytes_take (Bytes *self);

/* One byte, as a number below @limit. */
guint   bytes_take_below (Bytes *self, guint limit);

/* Two bytes, the lower one first. */
guint   bytes_take_word (Bytes *self);

/* An offset or size: mostly a word; now and then one of those at which
 * arithmetic goes wrong. */
gint64  bytes_take_offset (Bytes *self);
