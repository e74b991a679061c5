/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"
#include "text.h"

static void
test_bar (void)
{
  g_autofree char *begin = ctl_progress_format (0, 64 << 20, 50);
  g_autofree char *half = ctl_progress_format (32 << 20, 64 << 20, 50);
  g_autofree char *end = ctl_progress_format (64 << 20, 64 << 20, 50);

  g_assert_true (g_str_has_prefix (begin, "[ "));
  g_assert_nonnull (g_strrstr (begin, "   0%"));
  g_assert_nonnull (g_strrstr (half, "#  "));
  g_assert_nonnull (g_strrstr (half, "  50%"));
  g_assert_nonnull (g_strrstr (end, "#] 100%"));
}

static void
test_any_width_fits (void)
{
  for (guint width = 0; width < 200; width++)
    {
      g_autofree char *text = ctl_progress_format (123456789, G_GUINT64_CONSTANT (1) << 40, width);

      g_assert_cmpuint (ctl_text_get_width (text), <=, width);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/progress/bar", test_bar);
  g_test_add_func ("/progress/any-width-fits", test_any_width_fits);
  return g_test_run ();
}
