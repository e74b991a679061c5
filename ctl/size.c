/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "size.h"

#include <errno.h>
#include <string.h>

#include "error.h"

static const char suffixes[] = "KMGT";

static gboolean
parse_suffix (const char *text,
              guint64    *unit)
{
  const char *found;

  *unit = 1;
  if (*text == '\0')
    return TRUE;

  found = strchr (suffixes, g_ascii_toupper (*text));
  if (found == NULL || text[1] != '\0')
    return FALSE;

  *unit = G_GUINT64_CONSTANT (1) << (10 * (found - suffixes + 1));
  return TRUE;
}

gboolean
ctl_size_parse (const char *text,
                const char *what,
                guint64    *size,
                GError    **error)
{
  gboolean hex = g_ascii_strncasecmp (text, "0x", 2) == 0;
  const char *digits = hex ? text + 2 : text;
  char *end = NULL;
  guint64 number, unit;

  /* strtoull would also take a sign and leading blanks. */
  if (hex ? g_ascii_isxdigit (*digits) : g_ascii_isdigit (*digits))
    {
      errno = 0;
      number = g_ascii_strtoull (digits, &end, hex ? 16 : 10);
      if (errno == 0 && parse_suffix (end, &unit) && g_uint64_checked_mul (size, number, unit))
        return TRUE;
    }

  g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE,
               "%s “%s” is not a number of bytes, such as 4096, 0x1000, 64K, 4M or 1G", what, text);
  return FALSE;
}

char *
ctl_size_format (guint64 size)
{
  guint power = 0;

  while (size != 0 && size % 1024 == 0 && power < strlen (suffixes))
    {
      size /= 1024;
      power++;
    }

  if (power == 0)
    return g_strdup_printf ("%" G_GUINT64_FORMAT, size);

  return g_strdup_printf ("%" G_GUINT64_FORMAT "%c", size, suffixes[power - 1]);
}
