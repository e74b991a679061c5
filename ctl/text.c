/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

char *
ctl_text_clean (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *clean = g_string_new (NULL);

  for (const char *c = valid; *c != '\0'; c = g_utf8_next_char (c))
    {
      gunichar character = g_utf8_get_char (c);

      /* Left out of the printable ones: what turns the direction of a line. */
      if (g_unichar_isprint (character) && g_unichar_type (character) != G_UNICODE_FORMAT)
        g_string_append_unichar (clean, character);
      else
        g_string_append_c (clean, '?');
    }

  return g_string_free (clean, FALSE);
}

static guint
get_character_width (gunichar character)
{
  if (g_unichar_iszerowidth (character))
    return 0;

  return g_unichar_iswide (character) ? 2 : 1;
}

guint
ctl_text_get_width (const char *text)
{
  guint width = 0;

  for (const char *c = text; *c != '\0'; c = g_utf8_next_char (c))
    width += get_character_width (g_utf8_get_char (c));

  return width;
}

/* How many bytes of @text fit into @width cells. */
static gsize
measure (const char *text,
         guint       width)
{
  const char *c;

  for (c = text; *c != '\0'; c = g_utf8_next_char (c))
    {
      guint character = get_character_width (g_utf8_get_char (c));

      if (character > width)
        break;
      width -= character;
    }

  return c - text;
}

char *
ctl_text_ellipsize (const char *text,
                    guint       width)
{
  const char *ellipsis = g_get_charset (NULL) ? "…" : "...";
  guint room;

  if (ctl_text_get_width (text) <= width)
    return g_strdup (text);

  room = width - MIN (width, ctl_text_get_width (ellipsis));
  return g_strdup_printf ("%.*s%.*s",
                          (int) measure (text, room), text,
                          (int) measure (ellipsis, width), ellipsis);
}
