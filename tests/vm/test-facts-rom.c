/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapping.h"
#include "vfio.h"

/* e1000e on vfio-pci, with its device fd open. */
typedef struct
{
  Pci *pci;
  Vfio vfio;
  struct vfio_region_info info;
} Bed;

static void
bed_init (Bed *self)
{
  self->pci = pci_find (GUEST_E1000E);
  guest_bind (self->pci->address);
  vfio_hold (&self->vfio, self->pci);
  vfio_open (&self->vfio);
  self->info = vfio_get_region (&self->vfio, VFIO_PCI_ROM_REGION_INDEX);
}

static void
bed_clear (Bed *self)
{
  vfio_release (&self->vfio);
  guest_give_back (self->pci->address);
  pci_free (self->pci);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bed, bed_clear)

static void
test_read_only (void)
{
  g_auto (Bed) bed = { 0 };
  guint16 signature = 0;

  bed_init (&bed);
  g_assert_cmpuint (bed.info.flags, ==, VFIO_REGION_INFO_FLAG_READ);
  g_assert_cmpuint (bed.info.size, >, 0);
  g_assert_cmpint (vfio_read (&bed.vfio, VFIO_PCI_ROM_REGION_INDEX, 0, &signature, sizeof signature), ==, 0);
  g_assert_cmphex (signature, ==, 0xaa55);
  g_assert_cmpint (vfio_write (&bed.vfio, VFIO_PCI_ROM_REGION_INDEX, 0, &signature, sizeof signature), ==, EINVAL);
  g_assert_true (mmap (NULL, 4096, PROT_READ, MAP_SHARED, bed.vfio.device, bed.info.offset) == MAP_FAILED);
  g_assert_cmpint (errno, ==, EINVAL);
}

static void
test_whole (void)
{
  g_auto (Bed) bed = { 0 };
  g_autofree guint8 *rom = NULL;
  gint64 start;

  bed_init (&bed);
  rom = g_malloc0 (bed.info.size);
  start = g_get_monotonic_time ();
  g_assert_cmpint (vfio_read (&bed.vfio, VFIO_PCI_ROM_REGION_INDEX, 0, rom, bed.info.size), ==, 0);
  g_test_message ("%u KiB in %u ms", (guint) (bed.info.size / 1024), (guint) ((g_get_monotonic_time () - start) / 1000));
  g_assert_cmphex (rom[0], ==, 0x55);
}

/* Switched off through the device fd: the kernel knows, and says so. */
static void
test_decoding_off (void)
{
  g_auto (Bed) bed = { 0 };
  guint16 command = 0, signature;

  bed_init (&bed);
  g_assert_cmpint (vfio_write (&bed.vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &command, sizeof command), ==, 0);
  g_assert_cmpint (vfio_read (&bed.vfio, VFIO_PCI_ROM_REGION_INDEX, 0, &signature, sizeof signature), ==, ENOMEM);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/facts-rom/it-is-read-only", test_read_only);
  g_test_add_func ("/facts-rom/it-is-read-as-a-whole", test_whole);
  g_test_add_func ("/facts-rom/with-memory-decoding-off-it-is-enomem", test_decoding_off);
  return g_test_run ();
}
