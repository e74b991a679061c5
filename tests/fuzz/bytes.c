/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bytes.h"

guint
bytes_take (Bytes *self)
{
  if (self->left == 0)
    return 0;

  self->left--;
  return *self->at++;
}

guint
bytes_take_below (Bytes *self,
                  guint  limit)
{
  return bytes_take (self) % limit;
}

guint
bytes_take_word (Bytes *self)
{
  guint low = bytes_take (self);

  return low | bytes_take (self) << 8;
}

gint64
bytes_take_offset (Bytes *self)
{
  static const gint64 edges[] = {
    -1, G_MININT64, G_MAXINT64, G_MAXINT64 - 4095, G_MAXINT32, G_MAXUINT32, 1LL << 32, 1LL << 62,
  };
  guint word = bytes_take_word (self);

  return word >= 0xfff0 ? edges[word % G_N_ELEMENTS (edges)] : word;
}
