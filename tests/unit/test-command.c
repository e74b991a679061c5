/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/command.h"
#include "space.h"
#include "sysfs-tree.h"

#include <errno.h>
#include <linux/pci_regs.h>

static void
check (SysfsTree *tree,
       guint      wanted)
{
  g_autofree char *now = sysfs_tree_get (tree, "config");

  g_assert_cmphex ((guint8) now[PCI_COMMAND] | (guint8) now[PCI_COMMAND + 1] << 8, ==, wanted);
}

static void
test_switched (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  Space space;

  space_init_nvme (&space);
  space_put16 (&space, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER | PCI_COMMAND_SERR);
  sysfs_tree_put (&tree, "config", space.bytes, space.size);
  g_assert_true (regiond_command_switch (tree.sysfs, PCI_COMMAND_MEMORY, PCI_COMMAND_MASTER));
  check (&tree, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_SERR);
  g_assert_true (regiond_command_switch (tree.sysfs, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_IO));
  check (&tree, PCI_COMMAND_SERR);
}

static void
test_gone (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();

  errno = 0;
  g_assert_false (regiond_command_switch (tree.sysfs, 0, PCI_COMMAND_MEMORY));
  g_assert_cmpint (errno, ==, ENOENT);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/command/what-is-not-named-stays-what-it-is", test_switched);
  g_test_add_func ("/command/a-device-that-has-left-is-told-of", test_gone);
  return g_test_run ();
}
