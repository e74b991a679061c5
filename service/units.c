/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "units.h"

typedef struct {
  const char *name;
  guint64     factor;
} Unit;

static const Unit sizes[] = {
  { "", 1 },
  { "K", G_GUINT64_CONSTANT (1) << 10 },
  { "M", G_GUINT64_CONSTANT (1) << 20 },
  { "G", G_GUINT64_CONSTANT (1) << 30 },
  { "T", G_GUINT64_CONSTANT (1) << 40 },
};

static const Unit durations[] = {
  { "", 1000 },
  { "ms", 1 },
  { "s", 1000 },
  { "min", 60 * 1000 },
};

#define DAY_MS (24 * 60 * 60 * G_GUINT64_CONSTANT (1000))

/* A decimal number without a sign, directly followed by one of the units. */
static gboolean
parse (const char *text,
       const Unit *units,
       gsize       n_units,
       guint64     most,
       guint64    *value)
{
  gsize digits = strspn (text, "0123456789");
  g_autofree char *number = g_strndup (text, digits);
  guint64 count;

  if (!g_ascii_string_to_unsigned (number, 10, 0, most, &count, NULL))
    return FALSE;

  for (gsize i = 0; i < n_units; i++)
    {
      if (g_str_equal (text + digits, units[i].name))
        return g_uint64_checked_mul (value, count, units[i].factor) && *value <= most;
    }

  return FALSE;
}

gboolean
regiond_units_parse_size (const char *text,
                          guint64    *bytes)
{
  return parse (text, sizes, G_N_ELEMENTS (sizes), G_MAXINT64, bytes);
}

gboolean
regiond_units_parse_duration (const char *text,
                              guint      *milliseconds)
{
  guint64 value;

  if (!parse (text, durations, G_N_ELEMENTS (durations), DAY_MS, &value) || value == 0)
    return FALSE;

  *milliseconds = value;
  return TRUE;
}

char *
regiond_units_format_size (guint64 bytes)
{
  for (gsize i = G_N_ELEMENTS (sizes) - 1; i > 0; i--)
    {
      if (bytes >= sizes[i].factor && bytes % sizes[i].factor == 0)
        return g_strdup_printf ("%" G_GUINT64_FORMAT "%s", bytes / sizes[i].factor, sizes[i].name);
    }

  return g_strdup_printf ("%" G_GUINT64_FORMAT, bytes);
}
