/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "options.h"
#include "terms.h"
#include "text.h"
#include "units.h"

#include <string.h>

/* What clients send beside fds: access strings, dictionaries of options, and
 * the texts that messages quote. Each input is tried as all of them: as a text,
 * as a dictionary in GVariant's text format, and as one in its binary form. */

typedef struct {
  gint32      process;
  gboolean    exclusive;
  guint32     grace;
  guint64     length;
  const char *label;
} Values;

#define N_KNOWN 5

int
LLVMFuzzerInitialize (int    *argc,
                      char ***argv)
{
  fuzz_prepare ();
  return 0;
}

static void
try_terms (const char *text)
{
  RegiondAccess access;
  RegiondRevocation revocation;

  if (regiond_access_parse (text, &access))
    {
      g_assert_cmpstr (regiond_access_to_string (access), ==, text);
      g_assert_true (access & (REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE));
    }
  if (regiond_revocation_parse (text, &revocation))
    g_assert_cmpstr (regiond_revocation_to_string (revocation), ==, text);
}

static void
try_units (const char *text)
{
  guint64 bytes, again;
  guint milliseconds;

  if (regiond_units_parse_size (text, &bytes))
    {
      g_autofree char *short_form = regiond_units_format_size (bytes);

      g_assert_cmpuint (bytes, <=, G_MAXINT64);
      g_assert_true (regiond_units_parse_size (short_form, &again));
      g_assert_cmpuint (again, ==, bytes);
      g_assert_cmpuint (bytes, >=, g_ascii_strtoull (text, NULL, 10));
    }
  if (regiond_units_parse_duration (text, &milliseconds))
    {
      g_assert_cmpuint (milliseconds, >, 0);
      g_assert_cmpuint (milliseconds, <=, 24 * 60 * 60 * 1000);
    }
}

static void
try_text (const char *text)
{
  g_autofree char *quoted = regiond_text_quote (text);
  g_autofree char *whole = g_strdup_printf ("'%s'", text);

  g_assert_true (regiond_text_is_printable (quoted, 64 + strlen ("''…")));
  if (regiond_text_is_printable (text, 64))
    g_assert_cmpstr (quoted, ==, whole);
  if (regiond_text_is_printable (text, 3))
    g_assert_cmpint (g_utf8_strlen (text, -1), <=, 3);
}

/* Says what reading it should give, by another way. */
static gboolean
foresee (GVariant            *dictionary,
         const RegiondOption *known,
         Values              *values)
{
  guint seen = 0;

  for (gsize i = 0; i < g_variant_n_children (dictionary); i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (dictionary, i);
      g_autoptr (GVariant) key = g_variant_get_child_value (entry, 0);
      g_autoptr (GVariant) boxed = g_variant_get_child_value (entry, 1);
      g_autoptr (GVariant) value = g_variant_get_variant (boxed);
      gsize k = 0;

      while (k < N_KNOWN && !g_str_equal (known[k].name, g_variant_get_string (key, NULL)))
        k++;
      if (k == N_KNOWN || !g_str_equal (known[k].type, g_variant_get_type_string (value)) || seen & 1 << k)
        return FALSE;

      seen |= 1 << k;
      switch (known[k].type[0])
        {
        case 'b':
          values->exclusive = g_variant_get_boolean (value);
          break;
        case 'u':
          values->grace = g_variant_get_uint32 (value);
          break;
        case 'h':
          values->process = g_variant_get_handle (value);
          break;
        case 't':
          values->length = g_variant_get_uint64 (value);
          break;
        default:
          values->label = g_variant_get_string (value, NULL);
        }
    }

  return TRUE;
}

static void
try_dictionary (GVariant *dictionary)
{
  Values read = { -1, FALSE, 7, G_MAXUINT64, "" }, wanted = read;
  const RegiondOption known[N_KNOWN] = {
    { "bind-to", "h", &read.process },
    { "exclusive", "b", &read.exclusive },
    { "grace", "u", &read.grace },
    { "label", "s", &read.label },
    { "length", "t", &read.length },
  };
  g_autoptr (GError) error = NULL;
  gboolean good = regiond_options_read (dictionary, known, N_KNOWN, &error);

  g_assert_true (good == foresee (dictionary, known, &wanted));
  if (good)
    {
      g_assert_no_error (error);
      g_assert_cmpint (read.process, ==, wanted.process);
      g_assert_cmpint (read.exclusive, ==, wanted.exclusive);
      g_assert_cmpuint (read.grace, ==, wanted.grace);
      g_assert_cmpuint (read.length, ==, wanted.length);
      g_assert_cmpstr (read.label, ==, wanted.label);
      return;
    }

  /* It goes over the bus, and must not be as long as somebody likes. */
  g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpuint (strlen (error->message), <, 600);
}

int
LLVMFuzzerTestOneInput (const guint8 *data,
                        size_t        size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GVariant) parsed = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new (data, size); /* aligned, as the bus library has it */
  g_autoptr (GVariant) binary = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, bytes, FALSE));

  try_terms (text);
  try_units (text);
  try_text (text);

  /* GLib's own parser fails an assertion of its own for what is no UTF-8. */
  if (g_utf8_validate (text, -1, NULL))
    parsed = g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
  if (parsed != NULL)
    try_dictionary (parsed);
  try_dictionary (binary);
  return 0;
}
