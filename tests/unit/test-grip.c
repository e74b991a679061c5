/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/grip.h"
#include "error.h"
#include "fixture.h"
#include "space.h"
#include "sysfs-tree.h"

#include <linux/pci_regs.h>

#define NONE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
#define MEMORY "0x00000000fe800000 0x00000000fe800fff 0x0000000000040200\n"
#define AT_WORK (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

/* Somebody has taken it from vfio-pci by hand, and its new driver is at work. */
static void
test_taken (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  g_autoptr (RegiondConfig) config = NULL;
  g_autoptr (RegiondGate) gate = NULL;
  g_autoptr (RegiondBars) bars = NULL;
  g_autoptr (RegiondGrip) grip = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *now = NULL;
  Space space;

  space_init_nvme (&space);
  space.bytes[PCI_COMMAND] = AT_WORK;
  sysfs_tree_put (&tree, "config", space.bytes, space.size);
  sysfs_tree_put (&tree, "resource", MEMORY NONE NONE NONE NONE NONE NONE, -1);
  sysfs_tree_link (&tree, "driver", "nvme");
  config = regiond_config_new (tree.sysfs);
  gate = regiond_gate_new (tree.sysfs);
  bars = regiond_bars_new (tree.sysfs, watch, NULL, NULL);
  grip = regiond_grip_new (&(RegiondGripSetup){ .sysfs = tree.sysfs, .config = config, .gate = gate, .bars = bars });
  g_assert_true (regiond_grip_is_taken (grip));
  g_assert_false (regiond_grip_isolate (grip, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "0000:00:10.0", "another driver");
  now = sysfs_tree_get (&tree, "config");
  g_assert_cmphex (now[PCI_COMMAND], ==, AT_WORK);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/grip/another-driver-is-let-be", test_taken);
  return g_test_run ();
}
