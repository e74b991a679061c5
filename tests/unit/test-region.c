/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "region.h"

#include <string.h>
#include <unistd.h>

static void
add (GPtrArray  *regions,
     const char *name,
     guint64     size)
{
  RegiondRegion *region = regiond_region_new_memory (name, regions->len, size, NULL);

  g_assert_nonnull (region);
  g_ptr_array_add (regions, region);
}

static void
test_good (void)
{
  g_autofree char *longest = g_strnfill (32, 'n');
  const char *const names[] = { "a", "bar2", "B.a-r_2", longest };
  guint64 page = sysconf (_SC_PAGESIZE);

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (RegiondRegion) region = regiond_region_new_memory (names[i], i, page, NULL);

      g_assert_nonnull (region);
      g_assert_cmpstr (region->name, ==, names[i]);
      g_assert_cmpuint (region->index, ==, i);
      g_assert_cmpuint (region->size, ==, page);
      g_assert_cmpstr (region->kind, ==, "memory");
    }
}

static void
test_bad_names (void)
{
  g_autofree char *long_name = g_strnfill (33, 'n');
  const char *const names[] = { "", "2bar", "_bar", ".bar", "a bar", "b/ar", "bär", long_name };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (regiond_region_new_memory (names[i], 0, 4096, &error));
      assert_error_says (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, names[i], "name");
    }
}

static void
test_control (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (regiond_region_new_memory ("bar\n2", 0, 4096, &error));
  assert_error_says (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'bar?2'");
}

static void
test_bad_sizes (void)
{
  const guint64 sizes[] = { 0, 1, 4095, 4097, G_GUINT64_CONSTANT (1) << 63, G_MAXUINT64 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, sizes[i]);

      g_assert_null (regiond_region_new_memory ("bar2", 0, sizes[i], &error));
      assert_error_says (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "bar2", number, "page");
    }
}

static void
test_set (void)
{
  g_autoptr (GPtrArray) regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  g_autoptr (GError) none = NULL, twice = NULL;

  g_assert_false (regiond_region_check_set (regions, &none));
  assert_error_says (none, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "at least one");

  add (regions, "bar0", 4096);
  add (regions, "bar2", 8192);
  g_assert_true (regiond_region_check_set (regions, NULL));
  g_assert_cmpuint (regiond_region_total_size (regions), ==, 12288);
  g_assert_true (regiond_region_find (regions, "bar2") == g_ptr_array_index (regions, 1));
  g_assert_null (regiond_region_find (regions, "BAR2"));

  add (regions, "bar2", 4096);
  g_assert_false (regiond_region_check_set (regions, &twice));
  assert_error_says (twice, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "bar2", "twice");
}

static void
test_most (void)
{
  g_autoptr (GPtrArray) regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  g_autoptr (GError) taken = NULL, refused = NULL;

  for (int i = 0; i < 64; i++)
    {
      g_autofree char *name = g_strdup_printf ("r%d", i);

      add (regions, name, 4096);
    }
  g_assert_true (regiond_region_check_set (regions, &taken));
  g_assert_no_error (taken);

  add (regions, "r64", 4096);
  g_assert_false (regiond_region_check_set (regions, &refused));
  assert_error_says (refused, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "64", "65");
}

static void
test_total (void)
{
  g_autoptr (GPtrArray) regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  const guint64 half = (G_GUINT64_CONSTANT (1) << 63) - 4096;

  add (regions, "a", half);
  add (regions, "b", half);
  g_assert_cmpuint (regiond_region_total_size (regions), ==, 2 * half);
  add (regions, "c", half);
  g_assert_cmpuint (regiond_region_total_size (regions), ==, G_MAXUINT64);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/region/a-good-name-is-taken", test_good);
  g_test_add_func ("/region/a-bad-name-is-named", test_bad_names);
  g_test_add_func ("/region/a-newline-in-a-name-is-not-repeated", test_control);
  g_test_add_func ("/region/a-bad-size-is-named", test_bad_sizes);
  g_test_add_func ("/region/none-or-the-same-twice-is-no-device", test_set);
  g_test_add_func ("/region/sixty-four-are-taken-and-no-more", test_most);
  g_test_add_func ("/region/a-sum-beyond-everything-does-not-wrap", test_total);
  return g_test_run ();
}
