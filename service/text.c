/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

#define QUOTE_MOST 64

gboolean
regiond_text_is_printable (const char *text,
                           gsize       most)
{
  gsize length = 0;

  if (!g_utf8_validate (text, -1, NULL))
    return FALSE;

  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      if (!g_unichar_isprint (g_utf8_get_char (text)) || ++length > most)
        return FALSE;
    }

  return TRUE;
}

char *
regiond_text_quote (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *quoted = g_string_new ("'");
  const char *at = valid;

  for (gsize i = 0; *at != '\0' && i < QUOTE_MOST; i++, at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      g_string_append_unichar (quoted, g_unichar_isprint (c) ? c : '?');
    }

  g_string_append (quoted, *at != '\0' ? "…'" : "'");
  return g_string_free (quoted, FALSE);
}
