/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/bars.h"
#include "sysfs-tree.h"

#include <unistd.h>

/* Two that can be mapped, one that is too small, ports. */
static GPtrArray *
make_regions (void)
{
  GPtrArray *regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  guint64 page = sysconf (_SC_PAGESIZE);

  g_ptr_array_add (regions, regiond_region_new ("bar0", 0, page, "mmio"));
  g_ptr_array_add (regions, regiond_region_new ("bar1", 1, 256, "mmio"));
  g_ptr_array_add (regions, regiond_region_new ("bar2", 2, 2 * page, "mmio"));
  g_ptr_array_add (regions, regiond_region_new ("bar4", 4, page, "io"));
  return regions;
}

typedef struct {
  SysfsTree     tree;
  RegiondWatch *watch;
  RegiondBars  *bars;
} Device;

static Device
device_set_up (void)
{
  g_autoptr (GPtrArray) regions = make_regions ();
  g_autoptr (GError) error = NULL;
  Device self;

  self.tree = sysfs_tree_set_up ();
  sysfs_tree_put (&self.tree, "resource0", "", -1);
  sysfs_tree_put (&self.tree, "resource2", "", -1);
  self.watch = regiond_watch_new (NULL);
  self.bars = regiond_bars_new (self.tree.sysfs, self.watch, NULL, NULL);
  regiond_bars_open (self.bars, regions, &error);
  g_assert_no_error (error);
  return self;
}

static void
device_clear (Device *self)
{
  regiond_bars_free (self->bars);
  regiond_watch_unref (self->watch);
  sysfs_tree_clear (&self->tree);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Device, device_clear)

static void
check (Device  *device,
       gboolean first,
       gboolean second)
{
  g_assert_cmpint (regiond_bar_is_claimed (regiond_bars_get (device->bars, 0)), ==, first);
  g_assert_cmpint (regiond_bar_is_claimed (regiond_bars_get (device->bars, 2)), ==, second);
}

static void
test_fitting (void)
{
  g_auto (Device) device = device_set_up ();

  g_assert_nonnull (regiond_bars_get (device.bars, 0));
  g_assert_null (regiond_bars_get (device.bars, 1));
  g_assert_null (regiond_bars_get (device.bars, 4));
  g_assert_null (regiond_bars_get (device.bars, 8));
}

/* A device that answers nobody has taken everything, claimed or not. */
static void
test_dark (void)
{
  g_auto (Device) device = device_set_up ();

  regiond_bars_set_cut (device.bars, FALSE, NULL);
  check (&device, FALSE, FALSE);
  regiond_bars_set_cut (device.bars, TRUE, NULL);
  check (&device, TRUE, TRUE);
  regiond_bars_set_free (device.bars);
  check (&device, FALSE, FALSE);
}

/* Of one it is not certain. */
static void
test_all_but_one (void)
{
  g_auto (Device) device = device_set_up ();

  regiond_bars_set_cut (device.bars, TRUE, regiond_bars_get (device.bars, 2));
  check (&device, TRUE, FALSE);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bars/only-what-has-whole-pages-can-be-mapped", test_fitting);
  g_test_add_func ("/bars/a-dark-device-has-taken-them-all", test_dark);
  g_test_add_func ("/bars/what-is-not-certain-is-not-said-to-be-cut", test_all_but_one);
  return g_test_run ();
}
