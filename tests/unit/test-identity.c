/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/identity.h"
#include "fixture.h"
#include "sysfs-tree.h"

#include <glib/gstdio.h>

static void
put_ids (SysfsTree  *tree,
         const char *vendor,
         const char *device,
         const char *class)
{
  g_autofree char *modalias = g_strdup_printf ("pci:v0000%.4sd0000%.4ssv00001AF4sd00001100bc05sc00i00\n",
                                               vendor + 2, device + 2);

  sysfs_tree_put (tree, "vendor", vendor, -1);
  sysfs_tree_put (tree, "device", device, -1);
  sysfs_tree_put (tree, "subsystem_vendor", "0x1af4\n", -1);
  sysfs_tree_put (tree, "subsystem_device", "0x1100\n", -1);
  sysfs_tree_put (tree, "class", class, -1);
  sysfs_tree_put (tree, "modalias", modalias, -1);
}

static void
put_group (SysfsTree *tree)
{
  sysfs_tree_put (tree, "../groups/7/devices/0000:00:10.1", "", 0);
  sysfs_tree_put (tree, "../groups/7/devices/0000:00:10.0", "", 0);
  sysfs_tree_link (tree, "iommu_group", "../groups/7");
}

static void
test_all (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondIdentity) identity = NULL;
  g_autoptr (GError) error = NULL;

  put_ids (&tree, "0xfffe\n", "0x1110\n", "0x050001\n");
  put_group (&tree);
  sysfs_tree_link (&tree, "driver", "../../drivers/vfio-pci");
  identity = regiond_identity_read (tree.sysfs, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (identity->address, ==, "0000:00:10.0");
  g_assert_cmpstr (identity->id, ==, "0000_00_10_0");
  g_assert_cmphex (identity->vendor, ==, 0xfffe);
  g_assert_cmphex (identity->device, ==, 0x1110);
  g_assert_cmphex (identity->subsystem_vendor, ==, 0x1af4);
  g_assert_cmphex (identity->subsystem, ==, 0x1100);
  g_assert_cmphex (identity->class, ==, 0x050001);
  g_assert_cmpstr (identity->driver, ==, "vfio-pci");
  g_assert_cmpint (identity->iommu_group, ==, 7);
  g_assert_cmpuint (g_strv_length (identity->group_devices), ==, 2);
  g_assert_cmpstr (identity->group_devices[0], ==, "0000:00:10.0");
  g_assert_cmpstr (identity->group_devices[1], ==, "0000:00:10.1");
  g_assert_cmpstr (identity->description, ==, "Vendor fffe device 1110");
  g_assert_false (regiond_identity_is_bridge (identity));
}

static void
test_alone (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondIdentity) identity = NULL;

  put_ids (&tree, "0xfffe\n", "0x0001\n", "0x060400\n");
  identity = regiond_identity_read (tree.sysfs, NULL);

  g_assert_cmpstr (identity->driver, ==, "");
  g_assert_cmpint (identity->iommu_group, ==, -1);
  g_assert_cmpuint (g_strv_length (identity->group_devices), ==, 0);
  g_assert_true (regiond_identity_is_bridge (identity));
}

static void
test_names (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondIdentity) identity = NULL;

  if (!g_file_test ("/lib/udev/hwdb.bin", G_FILE_TEST_EXISTS) && !g_file_test ("/etc/udev/hwdb.bin", G_FILE_TEST_EXISTS))
    {
      g_test_skip ("this machine has no hardware database");
      return;
    }

  put_ids (&tree, "0x1AF4\n", "0x1110\n", "0x050000\n");
  identity = regiond_identity_read (tree.sysfs, NULL);
  g_assert_true (g_str_has_prefix (identity->description, "Red Hat, Inc. Inter-VM shared memory"));
}

static void
test_changes (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondIdentity) before = NULL, same = NULL, bound = NULL, joined = NULL;

  put_ids (&tree, "0xfffe\n", "0x0001\n", "0x050000\n");
  put_group (&tree);
  before = regiond_identity_read (tree.sysfs, NULL);
  same = regiond_identity_read (tree.sysfs, NULL);
  sysfs_tree_link (&tree, "driver", "../../drivers/vfio-pci");
  bound = regiond_identity_read (tree.sysfs, NULL);
  sysfs_tree_put (&tree, "../groups/7/devices/0000:00:10.2", "", 0);
  joined = regiond_identity_read (tree.sysfs, NULL);

  g_assert_true (regiond_identity_equal (before, same));
  g_assert_false (regiond_identity_equal (before, bound));
  g_assert_false (regiond_identity_equal (bound, joined));
}

static void
test_unplugged (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (GError) error = NULL;

  put_ids (&tree, "0xfffe\n", "0x0001\n", "0x050000\n");
  sysfs_tree_unplug (&tree);
  g_assert_null (regiond_identity_read (tree.sysfs, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "0000:00:10.0");
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/identity/all-that-lspci-says-is-there", test_all);
  g_test_add_func ("/identity/a-bridge-without-driver-and-group", test_alone);
  g_test_add_func ("/identity/names-come-from-the-hardware-database", test_names);
  g_test_add_func ("/identity/another-driver-or-member-is-a-change", test_changes);
  g_test_add_func ("/identity/an-unplugged-device-is-gone", test_unplugged);
  return g_test_run ();
}
