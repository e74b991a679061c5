/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapping.h"
#include "vfio.h"

#define BAR 2

static Pci *
get_ivshmem (void)
{
  Pci *pci = pci_find (GUEST_IVSHMEM);

  guest_bind (pci->address);
  return pci;
}

static void
test_mmap (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  Mapping mapping;

  g_assert_cmpint (mapping_try (&mapping, pci, BAR, O_RDWR), ==, EPERM);
  g_assert_cmpint (mapping_try (&mapping, pci, BAR, O_RDONLY), ==, EPERM);
  guest_give_back (pci->address);
}

static void
test_config (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  guint32 value;

  g_assert_cmpint (pci_read_config (pci, PCI_VENDOR_ID, 2, &value), ==, 0);
  g_assert_cmphex (value, ==, 0x1af4);
  g_assert_cmpint (pci_read_config (pci, PCI_COMMAND, 2, &value), ==, 0);
  g_assert_cmpint (pci_write_config (pci, PCI_COMMAND, 2, value), ==, EPERM);
  guest_give_back (pci->address);
}

static void
test_device_fd (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  g_auto (Vfio) vfio = { 0 };
  Mapping mapping;
  struct vfio_region_info info;
  guint32 value = 0x1234;
  guint16 command;

  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  g_assert_cmpint (vfio_write (&vfio, BAR, 0, &value, sizeof value), ==, 0);
  g_assert_cmpint (vfio_read (&vfio, BAR, 0, &value, sizeof value), ==, 0);
  g_assert_cmphex (value, ==, 0x1234);
  g_assert_cmpint (vfio_read (&vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &command, 2), ==, 0);
  g_assert_cmpint (vfio_write (&vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &command, 2), ==, 0);
  info = vfio_get_region (&vfio, 0);
  g_assert_cmpuint (info.offset, ==, 0);
  g_assert_cmpint (mapping_try_fd (&mapping, vfio.device, 256, PROT_READ), ==, info.flags & VFIO_REGION_INFO_FLAG_MMAP ? 0 : EINVAL);
  mapping_clear (&mapping);
  vfio_release (&vfio);
  guest_give_back (pci->address);
}

static void
test_none (void)
{
  g_test_skip ("this kernel is not locked down");
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  if (!guest_is_locked_down ())
    {
      g_test_add_func ("/facts-lockdown/there-is-none", test_none);
      return g_test_run ();
    }
  g_test_add_func ("/facts-lockdown/no-mapping-through-sysfs", test_mmap);
  g_test_add_func ("/facts-lockdown/config-in-sysfs-is-read-only", test_config);
  g_test_add_func ("/facts-lockdown/the-device-fd-does-everything", test_device_fd);
  return g_test_run ();
}
