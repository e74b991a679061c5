/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "fixture.h"
#include "sysfs-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void
test_reads (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL, *control = NULL;
  guint64 number;

  sysfs_tree_put (&tree, "reset_method", "flr bus\n", -1);
  sysfs_tree_put (&tree, "power/control", "auto\n", -1);
  sysfs_tree_put (&tree, "vendor", "0x1af4\n", -1);
  sysfs_tree_put (&tree, "numa_node", "12\n", -1);

  text = regiond_sysfs_read (tree.sysfs, "reset_method", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "flr bus");
  control = regiond_sysfs_read (tree.sysfs, "power/control", &error);
  g_assert_cmpstr (control, ==, "auto");
  g_assert_true (regiond_sysfs_read_number (tree.sysfs, "vendor", &number, &error));
  g_assert_cmpuint (number, ==, 0x1af4);
  g_assert_true (regiond_sysfs_read_number (tree.sysfs, "numa_node", &number, &error));
  g_assert_cmpuint (number, ==, 12);
  g_assert_cmpstr (regiond_sysfs_get_name (tree.sysfs), ==, "0000:00:10.0");
  g_assert_cmpstr (regiond_sysfs_get_folder (tree.sysfs), ==, tree.folder);
}

static void
test_no_numbers (void)
{
  const char *const bad[] = { "-1\n", "0x\n", "", "twelve", "0x1g", "99999999999999999999", "1 2" };
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  guint64 number;

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      sysfs_tree_put (&tree, "numa_node", bad[i], -1);
      g_assert_false (regiond_sysfs_read_number (tree.sysfs, "numa_node", &number, &error));
      assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "numa_node", "0000:00:10.0");
    }
}

static void
test_writes (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  sysfs_tree_put (&tree, "power/control", "", -1);
  g_assert_true (regiond_sysfs_write (tree.sysfs, "power/control", "on", &error));
  text = sysfs_tree_get (&tree, "power/control");
  g_assert_cmpstr (text, ==, "on");
}

static void
test_links (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autofree char *driver = NULL;

  sysfs_tree_link (&tree, "driver", "../../bus/pci/drivers/vfio-pci");
  sysfs_tree_put (&tree, "vendor", "0x1af4\n", -1);
  driver = regiond_sysfs_read_link (tree.sysfs, "driver");
  g_assert_cmpstr (driver, ==, "vfio-pci");
  g_assert_null (regiond_sysfs_read_link (tree.sysfs, "iommu_group"));
  g_assert_null (regiond_sysfs_read_link (tree.sysfs, "vendor"));
}

static void
test_absent (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GError) reading = NULL, writing = NULL;

  g_assert_null (regiond_sysfs_read (tree.sysfs, "reset_method", &reading));
  assert_error_says (reading, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "reset_method", "0000:00:10.0");
  g_assert_false (regiond_sysfs_write (tree.sysfs, "reset", "1", &writing));
  assert_error_says (writing, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "reset", "0000:00:10.0");
  g_assert_cmpint (regiond_sysfs_open (tree.sysfs, "resource2", O_RDWR), ==, -1);
  g_assert_cmpint (errno, ==, ENOENT);
}

/* /dev/full takes no write, as an attribute may not. */
static void
test_refused (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GError) error = NULL;

  sysfs_tree_link (&tree, "reset", "/dev/full");
  g_assert_false (regiond_sysfs_write (tree.sysfs, "reset", "1", &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "reset", g_strerror (ENOSPC));
}

static void
test_unplugged (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GError) reading = NULL, writing = NULL;

  sysfs_tree_put (&tree, "vendor", "0x1af4\n", -1);
  g_assert_true (regiond_sysfs_is_there (tree.sysfs));
  sysfs_tree_unplug (&tree);
  g_assert_false (regiond_sysfs_is_there (tree.sysfs));
  g_assert_null (regiond_sysfs_read (tree.sysfs, "vendor", &reading));
  g_assert_error (reading, REGIOND_ERROR, REGIOND_ERROR_GONE);

  sysfs_tree_plug (&tree);
  sysfs_tree_put (&tree, "vendor", "0x8086\n", -1);
  g_assert_false (regiond_sysfs_is_there (tree.sysfs));
  g_assert_false (regiond_sysfs_write (tree.sysfs, "vendor", "1", &writing));
  g_assert_error (writing, REGIOND_ERROR, REGIOND_ERROR_GONE);
  g_assert_cmpint (regiond_sysfs_open (tree.sysfs, "vendor", O_RDONLY), ==, -1);
}

static void
test_never_there (void)
{
  g_autoptr (RegiondSysfs) sysfs = regiond_sysfs_new ("/sys/bus/pci/devices/ffff:ff:1f.7");
  g_autoptr (GError) error = NULL;

  g_assert_false (regiond_sysfs_is_there (sysfs));
  g_assert_null (regiond_sysfs_read (sysfs, "vendor", &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "ffff:ff:1f.7");
  g_assert_null (regiond_sysfs_read_link (sysfs, "driver"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sysfs/attributes-are-read", test_reads);
  g_test_add_func ("/sysfs/what-is-no-number-is-none", test_no_numbers);
  g_test_add_func ("/sysfs/attributes-are-written", test_writes);
  g_test_add_func ("/sysfs/links-lead-to-names", test_links);
  g_test_add_func ("/sysfs/what-a-device-lacks-is-not-found", test_absent);
  g_test_add_func ("/sysfs/what-the-kernel-refuses-is-told", test_refused);
  g_test_add_func ("/sysfs/the-next-device-in-the-slot-is-another", test_unplugged);
  g_test_add_func ("/sysfs/without-a-folder-the-device-is-gone", test_never_there);
  return g_test_run ();
}
