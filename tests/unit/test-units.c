/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "units.h"

static void
test_sizes (void)
{
  static const struct {
    const char *text;
    guint64     bytes;
  } cases[] = {
    { "0", 0 },
    { "4096", 4096 },
    { "4K", 4096 },
    { "4M", 4 << 20 },
    { "3G", G_GUINT64_CONSTANT (3) << 30 },
    { "2T", G_GUINT64_CONSTANT (2) << 40 },
    { "9223372036854775807", G_MAXINT64 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint64 bytes = 1;

      g_assert_true (regiond_units_parse_size (cases[i].text, &bytes));
      g_assert_cmpuint (bytes, ==, cases[i].bytes);
    }
}

static void
test_bad_sizes (void)
{
  const char *const bad[] = { "", "K", "4 K", "4k", "4KB", "4Ki", "4 elephants", "-4", "+4", " 4", "4 ", "0x10",
                              "4.5M", "9223372036854775808", "8388608T", "18446744073709551616", "99999999999T" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      guint64 bytes;

      if (regiond_units_parse_size (bad[i], &bytes))
        g_error ("'%s' is taken for a size", bad[i]);
    }
}

static void
test_durations (void)
{
  static const struct {
    const char *text;
    guint       milliseconds;
  } cases[] = {
    { "25", 25000 }, { "25s", 25000 }, { "250ms", 250 }, { "5min", 300000 }, { "1ms", 1 }, { "1440min", 86400000 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint milliseconds = 0;

      g_assert_true (regiond_units_parse_duration (cases[i].text, &milliseconds));
      g_assert_cmpuint (milliseconds, ==, cases[i].milliseconds);
    }
}

static void
test_bad_durations (void)
{
  const char *const bad[] = { "", "0", "0ms", "s", "5 min", "5m", "1h", "-1", "soon", "1441min", "86400001ms",
                              "18446744073709551615s" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      guint milliseconds;

      if (regiond_units_parse_duration (bad[i], &milliseconds))
        g_error ("'%s' is taken for a duration", bad[i]);
    }
}

static void
test_format (void)
{
  static const struct {
    guint64     bytes;
    const char *text;
  } cases[] = {
    { 0, "0" },         { 1, "1" },           { 4096, "4K" },       { 4097, "4097" },
    { 4 << 20, "4M" },  { 1536 << 10, "1536K" }, { G_GUINT64_CONSTANT (1) << 40, "1T" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = regiond_units_format_size (cases[i].bytes);
      guint64 again;

      g_assert_cmpstr (text, ==, cases[i].text);
      g_assert_true (regiond_units_parse_size (text, &again));
      g_assert_cmpuint (again, ==, cases[i].bytes);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/units/sizes-count-in-1024", test_sizes);
  g_test_add_func ("/units/four-elephants-are-no-size", test_bad_sizes);
  g_test_add_func ("/units/a-bare-duration-is-seconds", test_durations);
  g_test_add_func ("/units/never-and-for-ever-are-no-durations", test_bad_durations);
  g_test_add_func ("/units/a-size-is-written-as-a-person-would", test_format);
  return g_test_run ();
}
