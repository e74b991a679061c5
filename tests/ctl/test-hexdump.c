/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "hexdump.h"

static char *
dump (const guint8 *bytes,
      gsize         length,
      guint64       offset,
      gboolean      all,
      gsize         chunk)
{
  GString *text = g_string_new (NULL);
  CtlHexdump state;

  ctl_hexdump_init (&state, offset, all);
  for (gsize done = 0; done < length; done += chunk)
    ctl_hexdump_append (&state, text, bytes + done, MIN (chunk, length - done));
  ctl_hexdump_finish (&state, text);
  return g_string_free (text, FALSE);
}

static void
test_lines (void)
{
  const char *bytes = "Hello, region!\n\001\377 tail";
  g_autofree char *text = dump ((const guint8 *) bytes, strlen (bytes), 0, FALSE, 4096);

  g_assert_cmpstr (text, ==,
                   "00000000  48 65 6c 6c 6f 2c 20 72  65 67 69 6f 6e 21 0a 01  |Hello, region!..|\n"
                   "00000010  ff 20 74 61 69 6c                                 |. tail|\n"
                   "00000016\n");
}

static void
test_squeezing (void)
{
  guint8 zeros[16 * 6 + 3] = { 0 };
  g_autofree char *squeezed = dump (zeros, sizeof (zeros), 0x1000, FALSE, 4096);
  g_autofree char *in_chunks = dump (zeros, sizeof (zeros), 0x1000, FALSE, 32);
  g_autofree char *all = dump (zeros, sizeof (zeros), 0x1000, TRUE, 4096);
  g_auto (GStrv) lines = g_strsplit (all, "\n", -1);

  g_assert_cmpstr (squeezed, ==,
                   "00001000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
                   "*\n"
                   "00001060  00 00 00                                          |...|\n"
                   "00001063\n");
  g_assert_cmpstr (in_chunks, ==, squeezed);
  g_assert_cmpuint (g_strv_length (lines), ==, 6 + 1 + 1 + 1);
}

static void
test_squeezing_ends (void)
{
  guint8 bytes[16 * 4] = { 0 };
  g_autofree char *text = NULL;

  bytes[16 * 3] = 'x';
  text = dump (bytes, sizeof (bytes), 0, FALSE, 16);
  g_assert_cmpstr (text, ==,
                   "00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
                   "*\n"
                   "00000030  78 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |x...............|\n"
                   "00000040\n");
}

static void
test_far_offsets (void)
{
  g_autofree char *text = dump ((const guint8 *) "x", 1, G_GUINT64_CONSTANT (0x123456789a), FALSE, 16);

  g_assert_true (g_str_has_prefix (text, "123456789a  78 "));
  g_assert_true (g_str_has_suffix (text, "\n123456789b\n"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hexdump/lines", test_lines);
  g_test_add_func ("/hexdump/equal-lines-are-left-out", test_squeezing);
  g_test_add_func ("/hexdump/until-another-comes", test_squeezing_ends);
  g_test_add_func ("/hexdump/far-offsets", test_far_offsets);
  return g_test_run ();
}
