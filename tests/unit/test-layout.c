/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/layout.h"
#include "error.h"
#include "fixture.h"
#include "sysfs-tree.h"

#define NONE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

/* BAR 0 of 4 KiB, BAR 1 of 32 ports, BAR 2 (and 3) of 64 bits, prefetchable, 4
 * MiB; BAR 4 smaller than a page; BAR 5 without an address; a ROM. */
static const char resource[] = "0x00000000fe800000 0x00000000fe800fff 0x0000000000040200\n"
                               "0x000000000000c000 0x000000000000c01f 0x0000000000040101\n"
                               "0x0000002000000000 0x00000020003fffff 0x000000000014220c\n" NONE
                               "0x00000000fe801000 0x00000000fe8010ff 0x0000000000040200\n"
                               "0x0000000000000000 0x0000000000000fff 0x0000000020040200\n"
                               "0x00000000fe840000 0x00000000fe87ffff 0x0000000000046200\n" NONE NONE NONE NONE NONE;

static void
put (SysfsTree  *tree,
     const char *text,
     gsize       config_size)
{
  g_autofree char *config = g_malloc0 (config_size);

  sysfs_tree_put (tree, "resource", text, -1);
  sysfs_tree_put (tree, "config", config, config_size);
}

static void
check (GPtrArray  *regions,
       const char *name,
       guint       index,
       guint64     size,
       const char *kind)
{
  RegiondRegion *region = regiond_region_find (regions, name);

  if (region == NULL)
    g_error ("There is no region %s", name);
  g_assert_cmpuint (region->index, ==, index);
  g_assert_cmpuint (region->size, ==, size);
  g_assert_cmpstr (region->kind, ==, kind);
}

static void
test_read (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GPtrArray) regions = NULL;
  g_autoptr (GError) error = NULL;

  put (&tree, resource, 4096);
  regions = regiond_layout_read (tree.sysfs, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (regions->len, ==, 6);
  check (regions, "bar0", 0, 4096, "mmio");
  check (regions, "bar1", 1, 32, "io");
  check (regions, "bar2", 2, 4 << 20, "mmio");
  check (regions, "bar4", 4, 256, "mmio");
  check (regions, "rom", 6, 256 << 10, "rom");
  check (regions, "config", 7, 4096, "config");
}

static void
test_flags (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GPtrArray) regions = NULL;
  RegiondRegion *bar0, *bar2;

  put (&tree, resource, 256);
  regions = regiond_layout_read (tree.sysfs, NULL);
  bar0 = regiond_region_find (regions, "bar0");
  bar2 = regiond_region_find (regions, "bar2");
  g_assert_false (bar0->prefetchable);
  g_assert_false (bar0->wide);
  g_assert_true (bar2->prefetchable);
  g_assert_true (bar2->wide);
}

static void
test_starts (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GError) error = NULL;
  guint64 start;

  put (&tree, resource, 256);
  g_assert_true (regiond_layout_read_start (tree.sysfs, 2, &start, &error));
  g_assert_cmphex (start, ==, 0x2000000000);
  g_assert_false (regiond_layout_read_start (tree.sysfs, 3, &start, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (regiond_layout_read_start (tree.sysfs, 7, &start, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND);
}

static void
test_nothing_but_config (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GPtrArray) regions = NULL;

  put (&tree, NONE NONE NONE NONE NONE NONE NONE, 256);
  regions = regiond_layout_read (tree.sysfs, NULL);
  g_assert_cmpuint (regions->len, ==, 1);
  check (regions, "config", 7, 256, "config");
}

static void
test_nonsense (void)
{
  const char *const bad[] = { "", NONE, NONE NONE NONE NONE NONE NONE "0x0 0x0\n",
                              NONE NONE NONE NONE NONE NONE "0x0 0x0 elephant\n",
                              NONE NONE NONE NONE NONE NONE "0 0 0\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_auto (SysfsTree) tree = sysfs_tree_set_up ();
      g_autoptr (GError) error = NULL;

      put (&tree, bad[i], 256);
      g_assert_null (regiond_layout_read (tree.sysfs, &error));
      assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "resource", "0000:00:10.0");
    }
}

static void
test_gone (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GError) error = NULL;

  put (&tree, resource, 256);
  sysfs_tree_unplug (&tree);
  g_assert_null (regiond_layout_read (tree.sysfs, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE);
}

static void
test_added (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GPtrArray) regions = NULL;

  put (&tree, resource, 256);
  regions = regiond_layout_read (tree.sysfs, NULL);
  regiond_layout_add (regions, 0, 4096);
  regiond_layout_add (regions, 3, 4096);
  regiond_layout_add (regions, 6, 0);
  regiond_layout_add (regions, 7, 4096);
  regiond_layout_add (regions, 8, 0xc0000);
  regiond_layout_add (regions, 9, 8192);
  regiond_layout_add (regions, 10, 0);
  regiond_layout_add (regions, 11, 100);
  g_assert_cmpuint (regions->len, ==, 9);
  check (regions, "bar0", 0, 4096, "mmio");
  check (regions, "rom", 6, 256 << 10, "rom");
  check (regions, "config", 7, 4096, "config");
  check (regions, "vga", 8, 0xc0000, "vga");
  check (regions, "specific9", 9, 8192, "device-specific");
  check (regions, "specific11", 11, 100, "device-specific");
}

/* Whoever has one of them has it as it was. */
static void
test_nothing_new (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GPtrArray) regions = NULL;
  g_autoptr (RegiondRegion) bar = NULL;

  put (&tree, resource, 256);
  regions = regiond_layout_read (tree.sysfs, NULL);
  bar = regiond_region_ref (regiond_region_find (regions, "bar0"));
  g_assert_false (regiond_layout_add (regions, 0, bar->size));
  g_assert_true (regiond_region_find (regions, "bar0") == bar);
  g_assert_false (regiond_layout_add (regions, 5, 0));
  g_assert_true (regiond_layout_add (regions, 0, 2 * bar->size));
  g_assert_cmpuint (regiond_region_find (regions, "bar0")->size, ==, 2 * bar->size);
  g_assert_true (regiond_layout_add (regions, 8, 0xc0000));
  g_assert_false (regiond_layout_add (regions, 8, 0xc0000));
}

static void
test_most (void)
{
  g_autoptr (GPtrArray) regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  g_autoptr (GError) error = NULL;

  for (guint i = 9; i < 200; i++)
    regiond_layout_add (regions, i, 4096);
  g_assert_true (regiond_region_check_set (regions, &error));
  g_assert_no_error (error);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/layout/regions-are-named-as-they-are-numbered", test_read);
  g_test_add_func ("/layout/flags-are-the-kernel's", test_flags);
  g_test_add_func ("/layout/starts-are-known", test_starts);
  g_test_add_func ("/layout/config-is-always-there", test_nothing_but_config);
  g_test_add_func ("/layout/nonsense-is-refused", test_nonsense);
  g_test_add_func ("/layout/of-a-device-that-left-there-is-none", test_gone);
  g_test_add_func ("/layout/vfio-adds-and-never-renames", test_added);
  g_test_add_func ("/layout/what-is-known-already-is-nothing-new", test_nothing_new);
  g_test_add_func ("/layout/there-are-never-too-many", test_most);
  return g_test_run ();
}
