/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hexdump.h"

#include <string.h>

#define LINE 16

static const char digits[] = "0123456789abcdef";

void
ctl_hexdump_init (CtlHexdump *dump,
                  guint64     offset,
                  gboolean    all)
{
  *dump = (CtlHexdump) { .offset = offset, .all = all };
}

static void
append_offset (GString *text,
               guint64  offset)
{
  char number[16];
  int start = sizeof (number);

  /* printf would take most of the time of a large dump. */
  while (offset != 0 || start > 8)
    {
      number[--start] = digits[offset % 16];
      offset /= 16;
    }

  g_string_append_len (text, number + start, sizeof (number) - start);
}

static void
append_line (GString      *text,
             const guint8 *bytes,
             gsize         length)
{
  char line[2 + 3 * LINE + 2 + LINE + 3];
  char *hex = line + 2;
  char *characters = line + 2 + 3 * LINE + 2;

  memset (line, ' ', sizeof (line));
  *characters++ = '|';
  for (gsize i = 0; i < length; i++)
    {
      if (i == LINE / 2)
        hex++;
      *hex++ = digits[bytes[i] >> 4];
      *hex++ = digits[bytes[i] & 15];
      hex++;
      *characters++ = g_ascii_isprint (bytes[i]) ? (char) bytes[i] : '.';
    }
  *characters++ = '|';
  *characters++ = '\n';

  g_string_append_len (text, line, characters - line);
}

static gboolean
is_repeated (CtlHexdump   *dump,
             const guint8 *bytes,
             gsize         length)
{
  return !dump->all && dump->any && length == LINE && memcmp (dump->last, bytes, LINE) == 0;
}

void
ctl_hexdump_append (CtlHexdump   *dump,
                    GString      *text,
                    const guint8 *bytes,
                    gsize         length)
{
  while (length > 0)
    {
      gsize part = MIN (length, LINE);

      if (is_repeated (dump, bytes, part))
        {
          if (!dump->hidden)
            g_string_append (text, "*\n");
          dump->hidden = TRUE;
        }
      else
        {
          append_offset (text, dump->offset);
          append_line (text, bytes, part);
          memcpy (dump->last, bytes, part);
          dump->hidden = FALSE;
        }

      dump->any = TRUE;
      dump->offset += part;
      bytes += part;
      length -= part;
    }
}

void
ctl_hexdump_finish (CtlHexdump *dump,
                    GString    *text)
{
  append_offset (text, dump->offset);
  g_string_append_c (text, '\n');
}
