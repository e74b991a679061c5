/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

static void
test_printable (void)
{
  g_autofree char *most = g_strnfill (64, 'x');
  g_autofree char *more = g_strnfill (65, 'x');
  g_autoptr (GString) umlauts = g_string_new (NULL);

  for (int i = 0; i < 64; i++)
    g_string_append (umlauts, "ü");

  g_assert_true (regiond_text_is_printable ("", 0));
  g_assert_true (regiond_text_is_printable ("two words", 64));
  g_assert_true (regiond_text_is_printable (most, 64));
  g_assert_true (regiond_text_is_printable (umlauts->str, 64));
  g_assert_false (regiond_text_is_printable (more, 64));
  g_assert_false (regiond_text_is_printable ("a\nb", 64));
  g_assert_false (regiond_text_is_printable ("\033[2J", 64));
  g_assert_false (regiond_text_is_printable ("\xff", 64));
}

static void
expect_quoted (const char *text,
               const char *wanted)
{
  g_autofree char *quoted = regiond_text_quote (text);

  g_assert_cmpstr (quoted, ==, wanted);
}

static void
test_quote (void)
{
  g_autofree char *most = g_strnfill (64, 'x'), *more = g_strnfill (10000, 'x');
  g_autofree char *whole = g_strdup_printf ("'%s'", most), *cut = g_strdup_printf ("'%s…'", most);

  expect_quoted ("", "''");
  expect_quoted ("bär 2", "'bär 2'");
  expect_quoted ("a\nb\033[2J", "'a?b?[2J'");
  expect_quoted (most, whole);
  expect_quoted (more, cut);
  expect_quoted ("a\xff", "'a\357\277\275'");
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/text/a-label-is-counted-in-characters", test_printable);
  g_test_add_func ("/text/what-is-quoted-cannot-do-harm", test_quote);
  return g_test_run ();
}
