/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/config.h"
#include "error.h"
#include "fixture.h"
#include "space.h"
#include "sysfs-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>
#include <unistd.h>

#define NONE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
#define MEMORY "0x00000000fe800000 0x00000000fe800fff 0x0000000000040200\n"
#define PORTS "0x000000000000c000 0x000000000000c01f 0x0000000000040101\n"

/* A device as nvme, in whose config space every byte keeps what is written. */
typedef struct {
  SysfsTree      tree;
  RegiondConfig *config;
  int            fd; /* the device's own side */
} Device;

static Device
device_set_up (void)
{
  g_autofree char *path = NULL;
  Space space;
  Device self;

  self.tree = sysfs_tree_set_up ();
  space_init_nvme (&space);
  sysfs_tree_put (&self.tree, "config", space.bytes, space.size);
  sysfs_tree_put (&self.tree, "resource", MEMORY PORTS NONE NONE NONE NONE NONE, -1);
  self.config = regiond_config_new (self.tree.sysfs);
  path = g_build_filename (self.tree.folder, "config", NULL);
  self.fd = open (path, O_RDWR | O_CLOEXEC);
  return self;
}

static void
device_clear (Device *self)
{
  close (self->fd);
  regiond_config_unref (self->config);
  sysfs_tree_clear (&self->tree);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Device, device_clear)

static guint
device_get (Device *self,
            guint   offset)
{
  guint8 bytes[2];

  g_assert_cmpint (pread (self->fd, bytes, 2, offset), ==, 2);
  return bytes[0] | bytes[1] << 8;
}

static void
device_set (Device *self,
            guint   offset,
            guint   word)
{
  const guint8 bytes[] = { word & 0xff, word >> 8 };

  g_assert_cmpint (pwrite (self->fd, bytes, 2, offset), ==, 2);
}

static int
write_word (RegiondSource *view,
            guint          offset,
            guint          word)
{
  const guint8 bytes[] = { word & 0xff, word >> 8 };

  return regiond_source_write (view, offset, sizeof bytes, bytes);
}

static void
must_save (Device *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_config_save (self->config, &error));
  g_assert_no_error (error);
}

static void
must_isolate (Device  *self,
              gboolean decode)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_config_isolate (self->config, decode, &error));
  g_assert_no_error (error);
}

static void
must_restore (Device *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_config_restore (self->config, &error));
  g_assert_no_error (error);
}

static void
test_reads (void)
{
  g_auto (Device) device = device_set_up ();
  g_autoptr (RegiondSource) shared = NULL, exclusive = NULL;
  Space space;
  guint8 whole[4096], odd[7];
  const guint8 *bytes;

  space_init_nvme (&space);
  shared = regiond_config_open (device.config, FALSE);
  exclusive = regiond_config_open (device.config, TRUE);
  g_assert_false (regiond_source_is_quick (shared));
  g_assert_false (regiond_source_is_retired (shared));
  g_assert_cmpint (regiond_source_read (shared, 0, sizeof whole, whole, &bytes), ==, 0);
  g_assert_cmpmem (bytes, sizeof whole, space.bytes, sizeof whole);
  g_assert_cmpint (regiond_source_read (exclusive, 0x43, sizeof odd, odd, &bytes), ==, 0);
  g_assert_cmpmem (bytes, sizeof odd, space.bytes + 0x43, sizeof odd);
  g_assert_cmpint (regiond_source_read (shared, 4094, 4, odd, &bytes), ==, EIO);
}

static void
test_refused (void)
{
  g_auto (Device) device = device_set_up ();
  g_autoptr (RegiondSource) shared = regiond_config_open (device.config, FALSE);
  g_autoptr (RegiondSource) exclusive = regiond_config_open (device.config, TRUE);

  g_assert_cmpint (write_word (shared, PCI_COMMAND, PCI_COMMAND_IO), ==, EPERM);
  g_assert_cmpint (write_word (exclusive, PCI_COMMAND, PCI_COMMAND_MASTER), ==, EPERM);
  g_assert_cmpint (write_word (exclusive, PCI_BASE_ADDRESS_0, 0x8000), ==, EPERM);
  g_assert_cmpint (device_get (&device, PCI_COMMAND), ==, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
  g_assert_cmpint (write_word (exclusive, PCI_COMMAND, PCI_COMMAND_IO), ==, EPERM);
  g_assert_cmpint (write_word (exclusive, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE), ==, 0);
  g_assert_cmpint (device_get (&device, PCI_COMMAND), ==, PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE);
}

/* The first half would be allowed; nothing of it is written. */
static void
test_whole_or_nothing (void)
{
  g_auto (Device) device = device_set_up ();
  const guint8 bytes[8] = { 16, 32, 0, 0, 1 };
  g_autoptr (RegiondSource) view = regiond_config_open (device.config, TRUE);

  g_assert_cmpint (regiond_source_write (view, PCI_CACHE_LINE_SIZE, sizeof bytes, bytes), ==, EPERM);
  g_assert_cmpint (device_get (&device, PCI_CACHE_LINE_SIZE), ==, 0);
  g_assert_cmpint (regiond_source_write (view, PCI_CACHE_LINE_SIZE, 4, bytes), ==, 0);
  g_assert_cmpint (device_get (&device, PCI_CACHE_LINE_SIZE), ==, 0x2010);
}

static void
test_isolated (void)
{
  g_auto (Device) device = device_set_up ();

  device_set (&device, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_SERR);
  must_save (&device);
  must_isolate (&device, TRUE);
  g_assert_cmphex (device_get (&device, PCI_COMMAND), ==,
                   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
}

/* A file that can be read and not written, as under lockdown, without a handle. */
static void
test_locked_down (void)
{
  g_autoptr (RegiondConfig) config = NULL;
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  int fd = memfd_create ("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_autoptr (RegiondSource) view = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  Space space;

  space_init_nvme (&space);
  sysfs_tree_put (&tree, "resource", MEMORY NONE NONE NONE NONE NONE NONE, -1);
  g_assert_cmpint (write (fd, space.bytes, space.size), ==, space.size);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_WRITE), ==, 0);
  path = g_strdup_printf ("/proc/%d/fd/%d", getpid (), fd);
  sysfs_tree_link (&tree, "config", path);
  config = regiond_config_new (tree.sysfs);
  view = regiond_config_open (config, FALSE);
  g_assert_cmpint (write_word (view, PCI_CACHE_LINE_SIZE, 1), ==, EPERM);
  g_assert_false (regiond_config_isolate (config, TRUE, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "0000:00:10.0", g_strerror (EPERM));
  close (fd);
}

static void
test_shut (void)
{
  g_auto (Device) device = device_set_up ();
  g_autoptr (RegiondSource) view = regiond_config_open (device.config, TRUE);

  must_save (&device);
  must_isolate (&device, FALSE);
  g_assert_cmphex (device_get (&device, PCI_COMMAND), ==, PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE);
  g_assert_cmpint (write_word (view, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE), ==, EPERM);
  g_assert_cmpint (regiond_source_write (view, PCI_COMMAND, 1, (const guint8[]){ PCI_COMMAND_MEMORY }), ==, EPERM);
  g_assert_cmpint (write_word (view, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE), ==, 0);
  must_restore (&device);
  g_assert_cmphex (device_get (&device, PCI_COMMAND) & PCI_COMMAND_MEMORY, ==, 0);
  must_isolate (&device, TRUE);
  g_assert_cmpint (write_word (view, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE), ==, 0);
}

/* While it is looked whether a mapping has escaped, and nobody knows yet. */
static void
test_shut_at_once (void)
{
  g_auto (Device) device = device_set_up ();
  g_autoptr (RegiondSource) view = regiond_config_open (device.config, TRUE);

  must_save (&device);
  must_isolate (&device, TRUE);
  regiond_config_shut (device.config);
  g_assert_cmpint (write_word (view, PCI_COMMAND, PCI_COMMAND_MEMORY), ==, EPERM);
  g_assert_cmpint (write_word (view, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE), ==, 0);
  must_restore (&device);
  g_assert_cmphex (device_get (&device, PCI_COMMAND) & PCI_COMMAND_MEMORY, ==, 0);
  must_isolate (&device, TRUE);
  g_assert_cmphex (device_get (&device, PCI_COMMAND) & PCI_COMMAND_MEMORY, ==, PCI_COMMAND_MEMORY);
}

static void
test_restored (void)
{
  g_auto (Device) device = device_set_up ();
  g_autoptr (RegiondSource) view = regiond_config_open (device.config, TRUE);

  must_save (&device);
  must_isolate (&device, TRUE);
  g_assert_cmpint (write_word (view, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE), ==, 0);
  g_assert_cmpint (write_word (view, 0x54, 0x1234), ==, 0);
  g_assert_cmpint (write_word (view, 0xc2, PCI_MSIX_FLAGS_ENABLE), ==, 0);
  g_assert_cmpint (write_word (view, 0xf0, 0x5678), ==, 0);
  g_assert_cmpint (write_word (view, 0x44, 3 | PCI_PM_CTRL_NO_SOFT_RESET), ==, 0);
  device_set (&device, 0x200, 0x9abc); /* by the device itself */
  must_restore (&device);
  g_assert_cmphex (device_get (&device, 0x44), ==, PCI_PM_CTRL_NO_SOFT_RESET);
  g_assert_cmphex (device_get (&device, 0x54), ==, 0);
  g_assert_cmphex (device_get (&device, 0xc2), ==, 0);
  g_assert_cmphex (device_get (&device, 0xf0), ==, 0);
  g_assert_cmphex (device_get (&device, 0x200), ==, 0x9abc);
  g_assert_cmphex (device_get (&device, PCI_COMMAND), ==, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
}

/* By a register in a BAR, for example: no lease has written it here. */
static void
test_woken (void)
{
  g_auto (Device) device = device_set_up ();

  must_save (&device);
  device_set (&device, 0x44, 3 | PCI_PM_CTRL_NO_SOFT_RESET | PCI_PM_CTRL_PME_STATUS);
  must_restore (&device);
  g_assert_cmphex (device_get (&device, 0x44), ==, PCI_PM_CTRL_NO_SOFT_RESET);
}

/* It was on when the device was found: that is no reason to leave it so. */
static void
test_restored_without_mastering (void)
{
  g_auto (Device) device = device_set_up ();

  device_set (&device, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
  must_save (&device);
  must_isolate (&device, TRUE);
  must_restore (&device);
  g_assert_cmphex (device_get (&device, PCI_COMMAND), ==, PCI_COMMAND_MEMORY);
}

static void
test_nothing_saved (void)
{
  g_auto (Device) device = device_set_up ();

  device_set (&device, PCI_COMMAND, PCI_COMMAND_MASTER);
  must_restore (&device);
  g_assert_cmphex (device_get (&device, PCI_COMMAND), ==, PCI_COMMAND_MASTER);
}

static void
test_unplugged (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondConfig) config = regiond_config_new (tree.sysfs);
  g_autoptr (RegiondSource) view = regiond_config_open (config, FALSE);
  g_autoptr (GError) error = NULL;
  const guint8 *bytes;
  guint8 byte;

  sysfs_tree_unplug (&tree);
  g_assert_cmpint (regiond_source_read (view, 0, 1, &byte, &bytes), ==, ENODEV);
  g_assert_cmpint (write_word (view, 0, 0), ==, ENODEV);
  g_assert_false (regiond_config_save (config, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE);
}

/* A virtual function has no decoding of its own: it cannot be made dark. */
static void
test_virtual (void)
{
  g_auto (Device) device = device_set_up ();
  g_autoptr (GError) error = NULL;

  sysfs_tree_link (&device.tree, "physfn", "0000:00:0f.0");
  must_isolate (&device, TRUE);
  g_assert_false (regiond_config_isolate (device.config, FALSE, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED, "0000:00:10.0", "virtual function");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/everybody-sees-the-same-bytes", test_reads);
  g_test_add_func ("/config/what-may-not-be-written-is-refused", test_refused);
  g_test_add_func ("/config/a-refused-write-writes-nothing", test_whole_or_nothing);
  g_test_add_func ("/config/a-device-that-is-lent-masters-no-bus", test_isolated);
  g_test_add_func ("/config/locked-down-it-is-not-lent", test_locked_down);
  g_test_add_func ("/config/shut-it-stays-shut", test_shut);
  g_test_add_func ("/config/shut-before-anybody-looks", test_shut_at_once);
  g_test_add_func ("/config/what-leases-wrote-is-put-back", test_restored);
  g_test_add_func ("/config/who-sleeps-is-woken", test_woken);
  g_test_add_func ("/config/bus-mastering-is-not-put-back", test_restored_without_mastering);
  g_test_add_func ("/config/without-a-lease-nothing-is-put-back", test_nothing_saved);
  g_test_add_func ("/config/of-a-device-that-left-nothing-is-read", test_unplugged);
  g_test_add_func ("/config/a-virtual-function-cannot-be-made-dark", test_virtual);
  return g_test_run ();
}
