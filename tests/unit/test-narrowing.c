/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/narrowing.h"
#include "fixture.h"
#include "sysfs-tree.h"

#include <glib/gstdio.h>

static void
check (SysfsTree  *tree,
       const char *wanted)
{
  g_autofree char *now = sysfs_tree_get (tree, "reset_method");

  /* A plain file keeps the rest of what was there. */
  g_assert_true (g_str_has_prefix (now, wanted));
}

static void
test_put_back (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondNarrowing) narrowing = NULL;
  g_autofree char *record = NULL;

  sysfs_tree_put (&tree, "reset_method", "flr bus\n", -1);
  narrowing = regiond_narrowing_new (tree.sysfs, tree.top);
  record = g_build_filename (tree.top, "reset-methods", "0000:00:10.0", NULL);
  g_assert_false (regiond_narrowing_is_left (narrowing));
  g_assert_true (regiond_narrowing_begin (narrowing, "bus", NULL));
  check (&tree, "bus");
  g_assert_true (g_file_test (record, G_FILE_TEST_EXISTS));
  regiond_narrowing_end (narrowing);
  check (&tree, "flr bus");
  g_assert_false (g_file_test (record, G_FILE_TEST_EXISTS));
}

/* Somebody else comes after it. */
static void
test_crash (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondNarrowing) narrowing = NULL, later = NULL;
  g_autofree char *methods = NULL;

  sysfs_tree_put (&tree, "reset_method", "flr bus\n", -1);
  narrowing = regiond_narrowing_new (tree.sysfs, tree.top);
  g_assert_true (regiond_narrowing_begin (narrowing, "bus", NULL));
  g_clear_pointer (&narrowing, regiond_narrowing_free);

  later = regiond_narrowing_new (tree.sysfs, tree.top);
  g_assert_true (regiond_narrowing_is_left (later));
  methods = regiond_narrowing_read (later);
  g_assert_cmpstr (methods, ==, "flr bus");

  /* What it was is not what it is by then. */
  g_assert_true (regiond_narrowing_begin (later, "flr", NULL));
  check (&tree, "flr");
  regiond_narrowing_end (later);
  check (&tree, "flr bus");
  g_assert_false (regiond_narrowing_is_left (later));
}

static void
test_alone (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondNarrowing) narrowing = NULL;

  sysfs_tree_put (&tree, "reset_method", "flr\n", -1);
  narrowing = regiond_narrowing_new (tree.sysfs, tree.top);
  g_assert_true (regiond_narrowing_begin (narrowing, "flr", NULL));
  g_assert_false (regiond_narrowing_is_left (narrowing));
  regiond_narrowing_end (narrowing);
  check (&tree, "flr");
}

static void
test_cannot_be_noted (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondNarrowing) narrowing = NULL;
  g_autoptr (GError) error = NULL;

  sysfs_tree_put (&tree, "reset_method", "flr bus\n", -1);
  narrowing = regiond_narrowing_new (tree.sysfs, "/dev/null");
  g_assert_false (regiond_narrowing_begin (narrowing, "flr", &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "reset-methods", "noted");
  check (&tree, "flr bus");
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/narrowing/it-is-what-it-was-afterwards", test_put_back);
  g_test_add_func ("/narrowing/who-comes-after-a-crash-puts-it-back", test_crash);
  g_test_add_func ("/narrowing/where-there-is-one-alone-nothing-is-changed", test_alone);
  g_test_add_func ("/narrowing/what-cannot-be-noted-is-not-done", test_cannot_be_noted);
  return g_test_run ();
}
