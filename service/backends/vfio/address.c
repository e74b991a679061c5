/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/address.h"

/* Hexadecimal digits, so many, up to @end; moves @text beyond it. */
static gboolean
parse_part (const char **text,
            gsize        fewest,
            gsize        most,
            char         end,
            guint32     *number)
{
  gsize n = 0;

  *number = 0;
  for (; n < most && g_ascii_isxdigit ((*text)[n]); n++)
    *number = *number << 4 | g_ascii_xdigit_value ((*text)[n]);
  if (n < fewest || (*text)[n] != end)
    return FALSE;

  *text += n + (end != '\0' ? 1 : 0);
  return TRUE;
}

gboolean
regiond_address_parse (const char     *text,
                       RegiondAddress *self)
{
  guint32 domain, bus, slot, function;

  if (!parse_part (&text, 4, 8, ':', &domain) || !parse_part (&text, 2, 2, ':', &bus) ||
      !parse_part (&text, 2, 2, '.', &slot) || !parse_part (&text, 1, 1, '\0', &function))
    return FALSE;
  if (slot > 31 || function > 7)
    return FALSE;

  *self = (RegiondAddress){ domain, bus, slot, function };
  return TRUE;
}

gboolean
regiond_address_parse_short (const char     *text,
                             RegiondAddress *self)
{
  g_autofree char *whole = g_strconcat ("0000:", text, NULL);

  return regiond_address_parse (text, self) || regiond_address_parse (whole, self);
}

char *
regiond_address_to_string (const RegiondAddress *self)
{
  return g_strdup_printf ("%04x:%02x:%02x.%x", self->domain, self->bus, self->slot, self->function);
}

char *
regiond_address_to_id (const RegiondAddress *self)
{
  return g_strdelimit (regiond_address_to_string (self), ":.", '_');
}

gboolean
regiond_address_equal (const RegiondAddress *self,
                       const RegiondAddress *other)
{
  return self->domain == other->domain && self->bus == other->bus && self->slot == other->slot &&
         self->function == other->function;
}
