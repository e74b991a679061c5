/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "duration.h"
#include "error.h"
#include "size.h"

static void
test_sizes (void)
{
  static const struct
  {
    const char *text;
    guint64 size;
  } cases[] = {
    { "0", 0 }, { "1", 1 }, { "4096", 4096 }, { "0x1000", 4096 }, { "0X1f", 31 }, { "64K", 65536 },
    { "64k", 65536 }, { "4M", 4 << 20 }, { "1G", 1 << 30 }, { "2T", G_GUINT64_CONSTANT (2) << 40 },
    { "0x10K", 16384 }, { "18446744073709551615", G_MAXUINT64 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      guint64 size = 42;

      g_assert_true (ctl_size_parse (cases[i].text, "SIZE", &size, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (size, ==, cases[i].size);
    }
}

static void
test_no_sizes (void)
{
  static const char *const cases[] = {
    "", " ", "-1", "+1", " 1", "1 ", "4 elephants", "K", "1KB", "1KiB", "0x", "0xK", "1.5M", "1P",
    "18446744073709551616", "16777216T",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      guint64 size;

      g_assert_false (ctl_size_parse (cases[i], "LENGTH", &size, &error));
      g_assert_error (error, CTL_ERROR, CTL_ERROR_USAGE);
      g_assert_true (g_str_has_prefix (error->message, "LENGTH "));
      g_assert_cmpint (ctl_error_get_status (error), ==, CTL_STATUS_USAGE);
    }
}

static void
test_sizes_come_back (void)
{
  static const guint64 sizes[] = {
    0, 1, 1023, 1024, 1025, 4096, 1 << 20, (1 << 20) + 1024, G_GUINT64_CONSTANT (5) << 40,
    G_GUINT64_CONSTANT (1) << 50, G_MAXUINT64,
  };
  g_autofree char *four = ctl_size_format (4 << 20);

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = ctl_size_format (sizes[i]);
      guint64 size;

      g_assert_true (ctl_size_parse (text, "SIZE", &size, NULL));
      g_assert_cmpuint (size, ==, sizes[i]);
    }

  g_assert_cmpstr (four, ==, "4M");
}

static void
test_durations (void)
{
  static const struct
  {
    const char *text;
    guint32 milliseconds;
  } cases[] = {
    { "0", 0 }, { "5", 5000 }, { "5s", 5000 }, { "250ms", 250 }, { "2min", 120000 }, { "1h", 3600000 },
  };
  static const char *const wrong[] = { "", "s", "-1", "1.5s", "5 s", "5m", "1d", "4294968", "99999999999" };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint32 milliseconds = 42;

      g_assert_true (ctl_duration_parse (cases[i].text, "--grace", &milliseconds, NULL));
      g_assert_cmpuint (milliseconds, ==, cases[i].milliseconds);
    }

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      guint32 milliseconds;

      g_assert_false (ctl_duration_parse (wrong[i], "--grace", &milliseconds, &error));
      g_assert_error (error, CTL_ERROR, CTL_ERROR_USAGE);
    }
}

static void
test_ages (void)
{
  static const struct
  {
    gint64 seconds;
    const char *text;
  } cases[] = {
    { -5, "0s" }, { 0, "0s" }, { 59, "59s" }, { 60, "1min" }, { 3599, "59min" }, { 3600, "1h" },
    { 47 * 3600, "47h" }, { 48 * 3600, "2d" }, { 400 * 86400, "400d" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = ctl_duration_format (cases[i].seconds * G_USEC_PER_SEC);

      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/size/parse", test_sizes);
  g_test_add_func ("/size/refuse", test_no_sizes);
  g_test_add_func ("/size/format-reads-back", test_sizes_come_back);
  g_test_add_func ("/duration/parse", test_durations);
  g_test_add_func ("/duration/age", test_ages);
  return g_test_run ();
}
