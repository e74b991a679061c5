/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eventually.h"
#include "mapping.h"
#include "vfio.h"

#define BAR 2
/* One that is not there before; and what its first register says, which it cannot unless it is there. */
#define XHCI "qemu-xhci", "1b36:000d"
#define XHCI_SAYS 0x01000040

/* ivshmem on vfio-pci, group and container held. */
typedef struct
{
  Pci *pci;
  Vfio vfio;
} Bed;

static void
bed_init (Bed *self)
{
  self->pci = pci_find (GUEST_IVSHMEM);
  guest_bind (self->pci->address);
  vfio_hold (&self->vfio, self->pci);
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
expect_live (Mapping *mapping)
{
  guint32 value;

  g_assert_true (mapping_load (mapping->words, &value));
}

static void
expect_cut (Mapping *mapping)
{
  guint32 value;

  g_assert_false (mapping_load (mapping->words, &value));
}

/* Of another fd as well as of the mapping's own. */
static void
expect_refused (Bed *bed,
                Mapping *mapping)
{
  Mapping again;

  g_assert_cmpint (mapping_try_fd (&again, mapping->fd, mapping->size, PROT_READ), ==, EINVAL);
  g_assert_cmpint (mapping_try (&again, bed->pci, BAR, O_RDWR), ==, EINVAL);
}

static void
claim_cuts (int flags)
{
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };
  g_auto (Mapping) again = { -1 };

  bed_init (&bed);
  mapping_make (&mapping, bed.pci, BAR, flags);
  expect_live (&mapping);
  vfio_claim (&bed.vfio, BAR);
  expect_cut (&mapping);
  expect_refused (&bed, &mapping);

  vfio_close (&bed.vfio);
  expect_cut (&mapping);
  g_assert_cmpint (mapping_try_fd (&again, mapping.fd, mapping.size, PROT_READ), ==, 0);
  expect_live (&again);
}

static void
test_claim_cuts_read_write (void)
{
  claim_cuts (O_RDWR);
}

static void
test_claim_cuts_read_only (void)
{
  claim_cuts (O_RDONLY);
}

static void
test_claim_cuts_write_combining (void)
{
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };
  int fd;

  bed_init (&bed);
  fd = pci_open (bed.pci, "resource2_wc", O_RDWR);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (mapping_try_fd (&mapping, fd, pci_get_bar_size (bed.pci, BAR), PROT_READ | PROT_WRITE), ==, 0);
  expect_live (&mapping);
  vfio_claim (&bed.vfio, BAR);
  expect_cut (&mapping);
  close (fd);
}

/* The child says 1 while it reaches the BAR. */
static guint8
ask_child (int socket)
{
  guint8 answer = 2;

  g_assert_cmpint (write (socket, "", 1), ==, 1);
  g_assert_cmpint (read (socket, &answer, 1), ==, 1);
  return answer;
}

static void
answer_parent (int socket,
               Mapping *mapping)
{
  guint8 answer;
  guint32 value;

  while (read (socket, &answer, 1) == 1)
    {
      answer = mapping_load (mapping->words, &value);
      if (write (socket, &answer, 1) != 1)
        break;
    }
  _exit (0);
}

static void
test_claim_cuts_forked (void)
{
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };
  int ends[2];
  pid_t child;

  bed_init (&bed);
  mapping_make (&mapping, bed.pci, BAR, O_RDWR);
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  if ((child = fork ()) == 0)
    {
      close (ends[0]);
      answer_parent (ends[1], &mapping);
    }
  close (ends[1]);
  g_assert_cmpuint (ask_child (ends[0]), ==, 1);
  vfio_claim (&bed.vfio, BAR);
  g_assert_cmpuint (ask_child (ends[0]), ==, 0);
  close (ends[0]);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
}

/* pci-testdev has two that are memory. */
static void
test_which_are_claimed (void)
{
  g_autoptr (Pci) pci = pci_find (GUEST_TESTDEV);
  g_auto (Vfio) vfio = { 0 };
  Mapping mapping;
  gboolean all_at_open, newer;

  guest_bind (pci->address);
  all_at_open = vfio_claims_at_open (pci, 0);
  newer = guest_kernel_is_at_least (7, 0);
  g_test_message ("opening the device fd claims %s", all_at_open ? "every BAR" : "none");
  g_assert_cmpint (all_at_open, ==, newer);
  vfio_hold (&vfio, pci);
  vfio_claim (&vfio, 0);
  g_assert_cmpint (mapping_try (&mapping, pci, 0, O_RDWR), ==, EINVAL);
  g_assert_cmpint (mapping_try (&mapping, pci, 2, O_RDWR), ==, all_at_open ? EINVAL : 0);
  if (!all_at_open)
    mapping_clear (&mapping);
  vfio_release (&vfio);
  guest_give_back (pci->address);
}

/* A write does, and an mmap, and a read that fails since memory decoding is off. */
static void
test_what_claims (void)
{
  g_auto (Bed) bed = { 0 };
  guint32 value = 0;
  Mapping mapping;

  bed_init (&bed);
  vfio_open (&bed.vfio);
  g_assert_cmpint (vfio_write (&bed.vfio, BAR, 0, &value, sizeof value), ==, 0);
  g_assert_cmpint (mapping_try (&mapping, bed.pci, BAR, O_RDWR), ==, EINVAL);
  vfio_close (&bed.vfio);

  vfio_open (&bed.vfio);
  g_assert_cmpint (mapping_try_fd (&mapping, bed.vfio.device, 4096, PROT_READ), ==, 0);
  mapping_clear (&mapping);
  vfio_close (&bed.vfio);

  vfio_open (&bed.vfio);
  pci_set_command (bed.pci, PCI_COMMAND_MEMORY, 0);
  g_assert_cmpint (vfio_write (&bed.vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &value, 2), ==, 0);
  g_assert_cmpint (vfio_read (&bed.vfio, BAR, 0, &value, sizeof value), ==, EIO);
  g_assert_cmpint (mapping_try (&mapping, bed.pci, BAR, O_RDWR), ==, EINVAL);
}

static void
test_second_device_fd (void)
{
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };
  int first;

  bed_init (&bed);
  mapping_make (&mapping, bed.pci, BAR, O_RDWR);
  vfio_claim (&bed.vfio, BAR);
  first = dup (bed.vfio.device);
  vfio_close (&bed.vfio);
  expect_refused (&bed, &mapping);
  close (first);
  mapping_clear (&mapping);
  mapping_make (&mapping, bed.pci, BAR, O_RDWR);
}

static void
test_not_claimed (void)
{
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };

  bed_init (&bed);
  mapping_make (&mapping, bed.pci, BAR, O_RDWR);
  guest_give_back (bed.pci->address);
  expect_live (&mapping);
  guest_bind (bed.pci->address);
  expect_live (&mapping);
}

static void
test_read_only (void)
{
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };
  Mapping writable;
  struct stat file;
  guint32 value;

  bed_init (&bed);
  mapping_make (&mapping, bed.pci, BAR, O_RDONLY);
  g_assert_cmpint (mapping_try_fd (&writable, mapping.fd, mapping.size, PROT_READ | PROT_WRITE), ==, EACCES);
  g_assert_cmpint (mprotect ((void *) mapping.words, mapping.size, PROT_READ | PROT_WRITE), ==, -1);
  g_assert_cmpint (errno, ==, EACCES);
  g_assert_cmpint (pread (mapping.fd, &value, sizeof value, 0), ==, -1);
  g_assert_cmpint (errno, ==, EIO);
  g_assert_no_errno (fstat (mapping.fd, &file));
  g_assert_cmpint (file.st_size, ==, mapping.size);
  g_assert_true (mmap (NULL, 4096, PROT_READ, MAP_SHARED, mapping.fd, mapping.size) == MAP_FAILED);
  g_assert_cmpint (errno, ==, EINVAL);
}

static void
test_reopen (void)
{
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };
  int status;
  pid_t child;

  bed_init (&bed);
  mapping_make (&mapping, bed.pci, BAR, O_RDONLY);
  if ((child = fork ()) == 0)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", mapping.fd);

      _exit (setresuid (65534, 65534, 65534) == 0 && open (path, O_RDONLY) < 0 && errno == EACCES ? 0 : 1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
}

/* What a standing mapping does while the device does not answer, and that it does again after. */
static void
test_decoding_off (void)
{
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };
  guint32 value = 1;

  bed_init (&bed);
  pci_set_command (bed.pci, PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
  mapping_make (&mapping, bed.pci, BAR, O_RDWR);
  g_assert_true (mapping_store (mapping.words, 0x12345678));
  pci_set_command (bed.pci, PCI_COMMAND_MEMORY, 0);
  g_assert_true (mapping_load (mapping.words, &value));
  g_test_message ("a load with memory decoding off gives 0x%x", value);
  g_assert_true (value == 0 || value == G_MAXUINT32);
  g_assert_true (mapping_store (mapping.words, 0x87654321));
  pci_set_command (bed.pci, PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
  g_assert_true (mapping_load (mapping.words, &value));
  g_assert_cmphex (value, ==, 0x12345678);
}

/* The test that the service makes at its start: of a device whose driver has claimed its BARs. */
static void
test_strict (void)
{
  g_autoptr (Pci) pci = pci_find (GUEST_E1000E);
  g_autofree char *driver = guest_driver (pci->address);
  int error, expected = guest_is_locked_down () ? EPERM : guest_was_told ("iomem=relaxed") ? 0 : EINVAL;
  Mapping mapping;

  g_assert_cmpstr (driver, ==, "e1000e");
  error = mapping_try (&mapping, pci, 0, O_RDONLY);
  g_assert_cmpint (error, ==, expected);
  if (error == 0)
    mapping_clear (&mapping);
}

/* Written through the device fd as the kernel lets it; read raw. */
static void
test_config_raw (void)
{
  g_auto (Bed) bed = { 0 };
  guint32 value, raw;

  bed_init (&bed);
  g_assert_cmpint (pci_read_config (bed.pci, PCI_BASE_ADDRESS_2, 4, &raw), ==, 0);
  vfio_open (&bed.vfio);
  value = G_MAXUINT32;
  g_assert_cmpint (vfio_write (&bed.vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_BASE_ADDRESS_2, &value, 4), ==, 0);
  g_assert_cmpint (vfio_read (&bed.vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_BASE_ADDRESS_2, &value, 4), ==, 0);
  g_assert_cmphex (value, !=, raw);
  g_assert_cmpint (pci_read_config (bed.pci, PCI_BASE_ADDRESS_2, 4, &value), ==, 0);
  g_assert_cmphex (value, ==, raw);
}

/* The fd is of no use any more and the mapping is. When the device is back it may be somewhere else. */
static void
test_remove (void)
{
  g_autoptr (Pci) pci = pci_find (GUEST_IVSHMEM);
  g_auto (Mapping) mapping = { -1 };
  Mapping again;

  guest_bind (pci->address);
  mapping_make (&mapping, pci, BAR, O_RDWR);
  guest_set_attribute (pci->address, "remove", "1");
  g_assert_cmpint (mapping_try_fd (&again, mapping.fd, mapping.size, PROT_READ), ==, ENODEV);
  expect_live (&mapping);

  pci_rescan ();
  eventually (access (pci->folder, F_OK) == 0);
  expect_live (&mapping);
  g_assert_cmpint (mapping_try_fd (&again, mapping.fd, mapping.size, PROT_READ), ==, ENODEV);
}

/* Another device, where the first one was. */
static void
test_next_in_the_slot (void)
{
  g_autofree char *first = guest_plug (XHCI);
  g_autoptr (Pci) pci = pci_new (first);
  g_auto (Vfio) vfio = { 0 };
  g_auto (Mapping) mapping = { -1 };
  g_autofree char *second = NULL;
  guint64 start;
  guint32 value;

  guest_bind (pci->address);
  pci_set_command (pci, PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
  start = pci_get_bar_start (pci, 0);
  mapping_make (&mapping, pci, 0, O_RDWR);
  g_assert_true (mapping_load (mapping.words, &value));
  g_assert_cmphex (value, ==, XHCI_SAYS);
  guest_unplug ();
  g_assert_true (mapping_load (mapping.words, &value));
  g_assert_cmphex (value, !=, XHCI_SAYS);
  second = guest_plug (XHCI);
  g_assert_cmpstr (first, ==, second);
  g_assert_cmphex (pci_get_bar_start (pci, 0), ==, start);
  guest_bind (pci->address);
  pci_set_command (pci, PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
  g_assert_true (mapping_load (mapping.words, &value));
  g_assert_cmphex (value, ==, XHCI_SAYS);

  vfio_hold (&vfio, pci);
  vfio_claim (&vfio, 0);
  expect_cut (&mapping);
  vfio_release (&vfio);
  guest_give_back (pci->address);
  guest_unplug ();
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/facts-bar/strict-devmem-is-told-by-its-effect", test_strict);
  if (guest_is_locked_down () || guest_was_told ("iomem=relaxed"))
    return g_test_run ();
  g_test_add_func ("/facts-bar/a-claim-cuts-a-mapping", test_claim_cuts_read_write);
  g_test_add_func ("/facts-bar/a-claim-cuts-a-read-only-mapping", test_claim_cuts_read_only);
  g_test_add_func ("/facts-bar/a-claim-cuts-a-write-combining-mapping", test_claim_cuts_write_combining);
  g_test_add_func ("/facts-bar/a-claim-cuts-a-forked-mapping", test_claim_cuts_forked);
  g_test_add_func ("/facts-bar/which-bars-are-claimed-when", test_which_are_claimed);
  g_test_add_func ("/facts-bar/what-claims", test_what_claims);
  g_test_add_func ("/facts-bar/the-claim-lasts-until-the-last-device-fd", test_second_device_fd);
  g_test_add_func ("/facts-bar/unbinding-and-binding-again-cuts-nothing", test_not_claimed);
  g_test_add_func ("/facts-bar/read-only-stays-read-only", test_read_only);
  g_test_add_func ("/facts-bar/another-user-cannot-open-it-again", test_reopen);
  g_test_add_func ("/facts-bar/with-memory-decoding-off-a-mapping-reaches-nothing", test_decoding_off);
  g_test_add_func ("/facts-bar/config-in-sysfs-is-raw-while-the-device-is-open", test_config_raw);
  g_test_add_func ("/facts-bar/a-mapping-outlives-removal-and-its-fd-does-not", test_remove);
  g_test_add_func ("/facts-bar/a-mapping-reaches-the-next-device-in-the-slot-until-that-is-claimed", test_next_in_the_slot);
  return g_test_run ();
}
