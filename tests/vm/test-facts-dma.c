/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eventually.h"
#include "mapping.h"
#include "vfio.h"

/* QEMU's edu, docs/specs/edu: a DMA engine with a buffer of 4 KiB at 0x40000. */
#define DMA_SOURCE (0x80 / 4)
#define DMA_DESTINATION (0x88 / 4)
#define DMA_COUNT (0x90 / 4)
#define DMA_COMMAND (0x98 / 4)
#define DMA_START 1
#define DMA_TO_MEMORY 2
#define BUFFER 0x40000
#define PATTERN 0x600df00d

/* A page of this process that stays where it is, and where that is in physical memory. */
typedef struct
{
  volatile guint32 *words;
  guint64 physical;
} Page;

static Page
page_new (void)
{
  void *memory = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
  int pagemap = open ("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  guint64 entry = 0;

  g_assert_true (memory != MAP_FAILED);
  *(volatile guint32 *) memory = PATTERN;
  g_assert_cmpint (pread (pagemap, &entry, sizeof entry, (gsize) memory / 4096 * sizeof entry), ==, sizeof entry);
  close (pagemap);
  entry &= (G_GUINT64_CONSTANT (1) << 55) - 1;
  g_assert_cmpuint (entry, !=, 0);
  return (Page){ memory, entry * 4096 };
}

static void
run_engine (Mapping *edu,
            guint64 source,
            guint64 destination,
            guint32 direction)
{
  edu->words[DMA_SOURCE] = source;
  edu->words[DMA_DESTINATION] = destination;
  edu->words[DMA_COUNT] = 4;
  edu->words[DMA_COMMAND] = DMA_START | direction;
  eventually ((edu->words[DMA_COMMAND] & DMA_START) == 0);
}

/* Whether the engine copies the page's first word to its second one. */
static gboolean
reaches_memory (Mapping *edu,
                Page *page)
{
  page->words[1] = 0;
  run_engine (edu, page->physical, BUFFER, 0);
  run_engine (edu, BUFFER, page->physical + 4, DMA_TO_MEMORY);
  return page->words[1] == PATTERN;
}

/* Below 256 MiB, which is as far as edu counts. */
static Page
low_page (void)
{
  for (guint tries = 0; tries < 20000; tries++)
    {
      Page page = page_new ();

      if (page.physical < 0x0fffffff)
        return page;
    }
  g_error ("no page of memory that edu can address");
}

/* As a device might do behind config space. */
static void
switch_on (Pci *pci)
{
  pci_set_command (pci, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
}

static void
test_held (void)
{
  g_autoptr (Pci) pci = pci_find (GUEST_EDU);
  g_auto (Vfio) vfio = { 0 };
  g_auto (Mapping) edu = { -1 };
  Page page = low_page ();

  guest_bind (pci->address);
  vfio_hold (&vfio, pci);
  mapping_make (&edu, pci, 0, O_RDWR);
  switch_on (pci);
  g_assert_false (reaches_memory (&edu, &page));
  mapping_clear (&edu);
  vfio_release (&vfio);
  guest_give_back (pci->address);
}

/* That test can fail. */
static void
test_not_held (void)
{
  g_autoptr (Pci) pci = pci_find (GUEST_EDU);
  g_auto (Mapping) edu = { -1 };
  Page page = low_page ();

  guest_bind (pci->address);
  mapping_make (&edu, pci, 0, O_RDWR);
  switch_on (pci);
  g_assert_cmpint (reaches_memory (&edu, &page), ==, guest_was_told ("iommu=pt"));
  pci_set_command (pci, PCI_COMMAND_MASTER, 0);
  guest_give_back (pci->address);
}

static void
test_device_open (void)
{
  g_autoptr (Pci) pci = pci_find (GUEST_EDU);
  g_auto (Vfio) vfio = { 0 };
  g_auto (Mapping) edu = { -1 };
  Page page = low_page ();
  struct vfio_region_info info;

  guest_bind (pci->address);
  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  info = vfio_get_region (&vfio, 0);
  edu.size = info.size;
  edu.words = mmap (NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, vfio.device, info.offset);
  g_assert_true ((void *) edu.words != MAP_FAILED);
  switch_on (pci);
  g_assert_false (reaches_memory (&edu, &page));
  mapping_clear (&edu);
  vfio_release (&vfio);
  guest_give_back (pci->address);
}

static int
map_for_dma (Vfio *vfio,
             volatile void *memory,
             gsize size,
             guint64 at)
{
  struct vfio_iommu_type1_dma_map map = {
    .argsz = sizeof map,
    .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
    .vaddr = (guint64) memory,
    .iova = at,
    .size = size,
  };

  return ioctl (vfio->container, VFIO_IOMMU_MAP_DMA, &map) == 0 ? 0 : errno;
}

/* Somebody who has both a device of his own and a mapping of a BAR can have the one reach the other: that
 * takes no reference, and a claim does not undo it. */
static void
test_another_device (void)
{
  g_autoptr (Pci) edu_pci = pci_find (GUEST_EDU), ivshmem_pci = pci_find (GUEST_IVSHMEM);
  g_auto (Vfio) edu_vfio = { 0 }, ivshmem_vfio = { 0 };
  g_auto (Mapping) edu = { -1 }, bar = { -1 };
  guint32 value = 0;
  int error;

  guest_bind (edu_pci->address);
  guest_bind (ivshmem_pci->address);
  vfio_hold (&edu_vfio, edu_pci);
  vfio_hold (&ivshmem_vfio, ivshmem_pci);
  mapping_make (&edu, edu_pci, 0, O_RDWR);
  mapping_make (&bar, ivshmem_pci, 2, O_RDWR);
  bar.words[0] = PATTERN;
  bar.words[1] = 0;
  error = map_for_dma (&edu_vfio, bar.words, 4096, 0x100000);
  g_test_message ("mapping another device's BAR for DMA: %s", g_strerror (error));
  mapping_clear (&bar);
  vfio_claim (&ivshmem_vfio, 2);
  switch_on (edu_pci);
  run_engine (&edu, 0x100000, BUFFER, 0);
  run_engine (&edu, BUFFER, 0x100004, DMA_TO_MEMORY);
  g_assert_cmpint (vfio_read (&ivshmem_vfio, 2, 4, &value, sizeof value), ==, 0);
  g_test_message ("after the claim the other device %s", value == PATTERN ? "still reaches the BAR" : "reaches nothing");
  g_assert_cmpint (value == PATTERN, ==, error == 0);

  pci_set_command (ivshmem_pci, PCI_COMMAND_MEMORY, 0);
  run_engine (&edu, 0x100000, BUFFER, 0);
  run_engine (&edu, BUFFER, 0x100008, DMA_TO_MEMORY);
  pci_set_command (ivshmem_pci, PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
  g_assert_cmpint (vfio_read (&ivshmem_vfio, 2, 8, &value, sizeof value), ==, 0);
  g_assert_cmphex (value, !=, PATTERN);
  mapping_clear (&edu);
  vfio_release (&edu_vfio);
  vfio_release (&ivshmem_vfio);
  guest_give_back (edu_pci->address);
  guest_give_back (ivshmem_pci->address);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/facts-dma/a-device-of-a-held-group-reaches-no-memory", test_held);
  g_test_add_func ("/facts-dma/nor-while-it-is-open", test_device_open);
  g_test_add_func ("/facts-dma/a-device-of-a-group-that-nobody-holds-reaches-it-with-iommu-pt", test_not_held);
  g_test_add_func ("/facts-dma/another-device-that-was-given-a-bar-keeps-it", test_another_device);
  return g_test_run ();
}
