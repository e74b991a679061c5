/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "duration.h"

#include <string.h>

#include "error.h"

static const struct
{
  const char *suffix;
  guint64 milliseconds;
} units[] = {
  { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "min", 60 * 1000 }, { "h", 60 * 60 * 1000 },
};

static gboolean
find_unit (const char *suffix,
           guint64    *unit)
{
  for (gsize i = 0; i < G_N_ELEMENTS (units); i++)
    if (g_str_equal (suffix, units[i].suffix))
      {
        *unit = units[i].milliseconds;
        return TRUE;
      }

  return FALSE;
}

gboolean
ctl_duration_parse (const char *text,
                    const char *what,
                    guint32    *milliseconds,
                    GError    **error)
{
  g_autofree char *digits = NULL;
  guint64 number, unit, total;
  gsize length = strspn (text, "0123456789");

  digits = g_strndup (text, length);
  if (g_ascii_string_to_unsigned (digits, 10, 0, G_MAXUINT32, &number, NULL) &&
      find_unit (text + length, &unit) &&
      g_uint64_checked_mul (&total, number, unit) && total <= G_MAXUINT32)
    {
      *milliseconds = total;
      return TRUE;
    }

  g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE,
               "%s “%s” is not a duration, such as 500ms, 5s, 2min or 1h", what, text);
  return FALSE;
}

char *
ctl_duration_format (gint64 microseconds)
{
  gint64 seconds = MAX (microseconds, 0) / G_USEC_PER_SEC;

  if (seconds < 60)
    return g_strdup_printf ("%" G_GINT64_FORMAT "s", seconds);
  if (seconds < 60 * 60)
    return g_strdup_printf ("%" G_GINT64_FORMAT "min", seconds / 60);
  if (seconds < 48 * 60 * 60)
    return g_strdup_printf ("%" G_GINT64_FORMAT "h", seconds / 60 / 60);

  return g_strdup_printf ("%" G_GINT64_FORMAT "d", seconds / 60 / 60 / 24);
}
