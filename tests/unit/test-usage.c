/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/usage.h"
#include "fixture.h"
#include "pci-bus.h"

#include <glib/gstdio.h>

#define ADDRESS "0000:01:00.0"
#define DEVICE "sys/bus/pci/devices/" ADDRESS
#define OTHER "sys/bus/pci/devices/0000:02:00.0"
#define DISK DEVICE "/nvme/nvme0/nvme0n1"

/* A machine that boots from elsewhere, and has a disk with one partition. */
static void
prepare (PciBus *bus)
{
  pci_bus_init (bus);
  pci_bus_add_device (bus, ADDRESS, "0x010802\n", NULL, 1);
  pci_bus_put (bus, DISK "/nvme0n1p1/partition", "1\n");
  pci_bus_link (bus, "sys/class/block/nvme0n1", DISK);
  pci_bus_link (bus, "sys/class/block/nvme0n1p1", DISK "/nvme0n1p1");
  pci_bus_link (bus, "sys/dev/block/259:0", DISK);
  pci_bus_link (bus, "sys/dev/block/259:1", DISK "/nvme0n1p1");
  pci_bus_put (bus, "sys/devices/virtual/block/dm-0/dm/name", "luks\n");
  pci_bus_link (bus, "sys/class/block/dm-0", "sys/devices/virtual/block/dm-0");
  pci_bus_link (bus, "sys/dev/block/254:0", "sys/devices/virtual/block/dm-0");
  pci_bus_put (bus, OTHER "/ata1/sda/dev", "8:0\n");
  pci_bus_link (bus, "sys/class/block/sda", OTHER "/ata1/sda");
  pci_bus_link (bus, "sys/dev/block/8:0", OTHER "/ata1/sda");
  pci_bus_put (bus, "proc/self/mountinfo", "26 1 8:0 / / rw,relatime shared:1 - ext4 /dev/sda rw\n"
                                           "27 26 0:5 / /dev rw - devtmpfs udev rw\n");
  pci_bus_put (bus, "proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/sda partition 4 0 -2\n");
}

static gboolean
check (PciBus  *bus,
       GError **error)
{
  g_autofree char *folder = g_build_filename (bus->top, DEVICE, NULL);
  g_autoptr (RegiondSysfs) sysfs = regiond_sysfs_new (folder);

  return regiond_usage_check (sysfs, bus->top, error);
}

static void
assert_free (PciBus *bus)
{
  g_autoptr (GError) error = NULL;

  check (bus, &error);
  g_assert_no_error (error);
}

static void
assert_used (PciBus     *bus,
             const char *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (check (bus, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_BUSY, ADDRESS, word, "'force'");
}

static void
test_free (void)
{
  g_auto (PciBus) bus;

  prepare (&bus);
  assert_free (&bus);
}

#define MOUNTED(what) "26 1 8:0 / / rw - ext4 /dev/sda rw\n" what

static void
test_mounted (void)
{
  static const struct {
    const char *line, *where;
  } cases[] = {
    { MOUNTED ("30 26 259:0 / /srv rw - vfat /dev/nvme0n1 rw\n"), "/srv" },
    { MOUNTED ("30 26 259:1 / /srv/my\\040data rw - vfat /dev/nvme0n1p1 rw\n"), "/srv/my data" },
    { MOUNTED ("30 26 0:42 / /pool rw shared:7 master:1 - btrfs /dev/nvme0n1p1 rw\n"), "/pool" },
    { MOUNTED ("30 26 254:0 / /crypt rw - ext4 /dev/mapper/luks rw\n"), "/crypt" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (PciBus) bus;

      prepare (&bus);
      pci_bus_link (&bus, "sys/devices/virtual/block/dm-0/slaves/nvme0n1p1", DISK "/nvme0n1p1");
      pci_bus_put (&bus, "proc/self/mountinfo", cases[i].line);
      assert_used (&bus, cases[i].where);
    }
}

/* The root on LVM on RAID on a partition. */
static void
test_below (void)
{
  g_auto (PciBus) bus;

  prepare (&bus);
  pci_bus_put (&bus, "sys/devices/virtual/block/md0/md0p1/partition", "1\n");
  pci_bus_link (&bus, "sys/devices/virtual/block/dm-0/slaves/md0p1", "sys/devices/virtual/block/md0/md0p1");
  pci_bus_link (&bus, "sys/devices/virtual/block/md0/slaves/sda", OTHER "/ata1/sda");
  pci_bus_put (&bus, "proc/self/mountinfo", MOUNTED ("30 26 254:0 / /var rw - ext4 /dev/mapper/var rw\n"));
  assert_free (&bus);
  pci_bus_link (&bus, "sys/devices/virtual/block/md0/slaves/nvme0n1", DISK);
  assert_used (&bus, "/var");
}

static void
test_multipath (void)
{
  g_auto (PciBus) bus;

  prepare (&bus);
  pci_bus_put (&bus, "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme1n1/dev", "259:7\n");
  pci_bus_link (&bus, "sys/dev/block/259:7", "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme1n1");
  pci_bus_put (&bus, "proc/self/mountinfo", MOUNTED ("30 26 259:7 / /fast rw - ext4 /dev/nvme1n1 rw\n"));
  assert_free (&bus);
  pci_bus_link (&bus, "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0", DEVICE "/nvme/nvme0");
  assert_used (&bus, "/fast");
}

static void
test_elsewhere (void)
{
  g_auto (PciBus) bus;

  prepare (&bus);
  pci_bus_put (&bus, "sys/fs/ext4/features/dummy", "");
  assert_free (&bus);
  pci_bus_put (&bus, "sys/fs/ext4/nvme0n1p1/dummy", "");
  assert_used (&bus, "container");
}

static void
test_btrfs_member (void)
{
  g_auto (PciBus) bus;

  prepare (&bus);
  pci_bus_put (&bus, "sys/fs/btrfs/0f3a/devices/sda", "");
  assert_free (&bus);
  pci_bus_put (&bus, "sys/fs/btrfs/0f3a/devices/nvme0n1", "");
  assert_used (&bus, "file system");
}

static void
test_swap (void)
{
  g_auto (PciBus) bus;

  prepare (&bus);
  pci_bus_put (&bus, "proc/swaps", "Filename\tType\n/dev/nvme0n1p1                          partition\t4\n");
  assert_used (&bus, "swap");
}

static void
test_unreadable (void)
{
  g_auto (PciBus) bus;
  g_autofree char *path = NULL;

  prepare (&bus);
  path = g_build_filename (bus.top, "proc/self/mountinfo", NULL);
  g_assert_cmpint (g_unlink (path), ==, 0);
  assert_used (&bus, "mounted");
}

static void
test_consoles (void)
{
  g_auto (PciBus) serial, screen;

  prepare (&serial);
  pci_bus_put (&serial, DEVICE "/tty/ttyS4/console", "N\n");
  pci_bus_link (&serial, "sys/class/tty/ttyS4", DEVICE "/tty/ttyS4");
  pci_bus_put (&serial, "sys/devices/platform/ttyS0/console", "Y\n");
  pci_bus_link (&serial, "sys/class/tty/ttyS0", "sys/devices/platform/ttyS0");
  assert_free (&serial);
  pci_bus_put (&serial, DEVICE "/tty/ttyS4/console", "Y\n");
  assert_used (&serial, "serial");

  prepare (&screen);
  pci_bus_put (&screen, DEVICE "/boot_vga", "1\n");
  pci_bus_put (&screen, "sys/class/vtconsole/vtcon0/bind", "1\n");
  pci_bus_put (&screen, "sys/class/vtconsole/vtcon0/name", "(S) dummy device\n");
  assert_free (&screen);
  pci_bus_put (&screen, "sys/class/vtconsole/vtcon1/bind", "1\n");
  pci_bus_put (&screen, "sys/class/vtconsole/vtcon1/name", "(M) frame buffer device\n");
  assert_used (&screen, "graphics");
  pci_bus_put (&screen, DEVICE "/boot_vga", "0\n");
  assert_free (&screen);
}

static void
test_network (void)
{
  g_auto (PciBus) bus;

  prepare (&bus);
  pci_bus_put (&bus, "sys/devices/virtual/net/br0/operstate", "up\n");
  pci_bus_link (&bus, "sys/class/net/br0", "sys/devices/virtual/net/br0");
  pci_bus_put (&bus, DEVICE "/net/eth0/operstate", "down\n");
  pci_bus_link (&bus, DEVICE "/net/eth0/device", DEVICE);
  pci_bus_link (&bus, "sys/class/net/eth0", DEVICE "/net/eth0");
  assert_free (&bus);
  pci_bus_put (&bus, DEVICE "/net/eth0/operstate", "up\n");
  assert_used (&bus, "network");
  pci_bus_put (&bus, OTHER "/net/eth1/operstate", "down\n");
  pci_bus_link (&bus, OTHER "/net/eth1/device", OTHER);
  pci_bus_link (&bus, "sys/class/net/eth1", OTHER "/net/eth1");
  assert_used (&bus, "network");
  pci_bus_put (&bus, OTHER "/net/eth1/operstate", "up\n");
  assert_free (&bus);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/usage/nothing-depends-on-an-idle-disk", test_free);
  g_test_add_func ("/usage/a-mounted-file-system", test_mounted);
  g_test_add_func ("/usage/volumes-upon-raid-upon-partitions-are-followed", test_below);
  g_test_add_func ("/usage/a-disk-with-several-ways-to-it", test_multipath);
  g_test_add_func ("/usage/mounted-where-regiond-does-not-see-it", test_elsewhere);
  g_test_add_func ("/usage/one-disk-of-a-file-system-of-several", test_btrfs_member);
  g_test_add_func ("/usage/swap", test_swap);
  g_test_add_func ("/usage/what-cannot-be-seen-is-not-taken-for-free", test_unreadable);
  g_test_add_func ("/usage/consoles", test_consoles);
  g_test_add_func ("/usage/the-only-network-link", test_network);
  return g_test_run ();
}
