/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "eventually.h"
#include "mapping.h"
#include "vfio.h"

/* A register of a device that keeps what is written, and that a reset changes. */
typedef struct
{
  const char *id;
  guint bar;
  guint word;
  guint32 mark;
} Register;

static const Register of_ivshmem = { GUEST_IVSHMEM, 0, 0, 0x5a5a5a5a }; /* interrupt mask */
static const Register of_edu = { GUEST_EDU, 0, 0x80 / 4, 0x1234 };      /* source of DMA */
static const Register of_nvme = { GUEST_NVME, 0, 0x0c / 4, 0x5a5a5a5a };    /* INTMS */
static const Register of_e1000e = { GUEST_E1000E, 0, 0x28 / 4, 0x00c28001 }; /* FCAL */

typedef struct
{
  const Register *what;
  Pci *pci;
  Vfio vfio;
} Bed;

static void
decode (Pci *pci)
{
  pci_set_command (pci, PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
}

static void
bed_init (Bed *self,
          const Register *what)
{
  self->what = what;
  self->pci = pci_find (what->id);
  guest_bind (self->pci->address);
  /* In D3 it does not answer, and waking may reset it. */
  g_assert_cmpint (pci_write (self->pci, "power/control", "on"), ==, 0);
  decode (self->pci);
  vfio_hold (&self->vfio, self->pci);
}

static void
bed_clear (Bed *self)
{
  vfio_release (&self->vfio);
  g_assert_cmpint (pci_write (self->pci, "reset_method", "default"), !=, -1);
  g_assert_cmpint (pci_write (self->pci, "power/control", "auto"), ==, 0);
  guest_give_back (self->pci->address);
  pci_free (self->pci);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bed, bed_clear)

/* Through a mapping of sysfs: nothing of VFIO's is opened for it. */
static void
mark (Bed *self)
{
  g_auto (Mapping) mapping = { -1 };

  mapping_make (&mapping, self->pci, self->what->bar, O_RDWR);
  mapping.words[self->what->word] = self->what->mark;
  g_assert_cmphex (mapping.words[self->what->word], ==, self->what->mark);
}

static gboolean
is_marked (Bed *self)
{
  g_auto (Mapping) mapping = { -1 };

  decode (self->pci);
  mapping_make (&mapping, self->pci, self->what->bar, O_RDONLY);
  return mapping.words[self->what->word] == self->what->mark;
}

static void
mark_open (Bed *self)
{
  guint32 value = self->what->mark;

  g_assert_cmpint (vfio_write (&self->vfio, self->what->bar, self->what->word * 4, &value, sizeof value), ==, 0);
}

static gboolean
is_marked_open (Bed *self)
{
  guint32 value;

  g_assert_cmpint (vfio_read (&self->vfio, self->what->bar, self->what->word * 4, &value, sizeof value), ==, 0);
  return value == self->what->mark;
}

static gboolean
has_reset (Bed *self)
{
  struct vfio_device_info info = { .argsz = sizeof info };

  g_assert_no_errno (ioctl (self->vfio.device, VFIO_DEVICE_GET_INFO, &info));
  return (info.flags & VFIO_DEVICE_FLAGS_RESET) != 0;
}

static int
reset (Bed *self)
{
  return ioctl (self->vfio.device, VFIO_DEVICE_RESET) == 0 ? 0 : errno;
}

/* Of the group alone, which is what all of these have. */
static int
hot_reset (Bed *self)
{
  gsize size = sizeof (struct vfio_pci_hot_reset) + sizeof (gint32);
  g_autofree struct vfio_pci_hot_reset *request = g_malloc0 (size);

  request->argsz = size;
  request->count = 1;
  request->group_fds[0] = self->vfio.group;
  return ioctl (self->vfio.device, VFIO_DEVICE_PCI_HOT_RESET, request) == 0 ? 0 : errno;
}

static void
expect_methods (Bed *self,
                const char *expected)
{
  g_autofree char *methods = pci_read (self->pci, "reset_method");

  g_assert_cmpstr (methods, ==, expected);
}

/* There is none, and opening and closing changes nothing. */
static void
test_none (gconstpointer what)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed, what);
  expect_methods (&bed, NULL);
  g_assert_cmpint (pci_write (bed.pci, "reset", "1"), !=, 0);
  mark (&bed);
  vfio_open (&bed.vfio);
  g_assert_true (is_marked_open (&bed));
  g_assert_false (has_reset (&bed));
  g_assert_cmpint (reset (&bed), ==, EINVAL);
  g_assert_cmpint (hot_reset (&bed), ==, ENODEV);
  vfio_close (&bed.vfio);
  g_assert_true (is_marked (&bed));
}

static void
test_flr (void)
{
  g_auto (Bed) bed = { 0 };
  int copy;

  bed_init (&bed, &of_nvme);
  expect_methods (&bed, "flr bus");
  mark (&bed);
  vfio_open (&bed.vfio);
  g_assert_false (is_marked_open (&bed));
  g_assert_true (has_reset (&bed));
  mark_open (&bed);
  g_assert_true (is_marked_open (&bed));
  copy = dup (bed.vfio.device);
  close (copy);
  g_assert_true (is_marked_open (&bed));
  vfio_close (&bed.vfio);
  g_assert_false (is_marked (&bed));
}

static void
test_flr_on_request (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed, &of_nvme);
  vfio_open (&bed.vfio);
  mark_open (&bed);
  g_assert_cmpint (reset (&bed), ==, 0);
  g_assert_false (is_marked_open (&bed));
  mark_open (&bed);
  g_assert_cmpint (hot_reset (&bed), ==, 0);
  g_assert_false (is_marked_open (&bed));
  mark_open (&bed);
  g_assert_cmpint (pci_write (bed.pci, "reset", "1"), ==, 0);
  g_assert_false (is_marked_open (&bed));
}

/* It says that it did. */
static void
test_pm (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed, &of_e1000e);
  expect_methods (&bed, "pm bus");
  mark (&bed);
  vfio_open (&bed.vfio);
  g_assert_true (is_marked_open (&bed));
  g_assert_true (has_reset (&bed));
  g_assert_cmpint (reset (&bed), ==, 0);
  g_assert_true (is_marked_open (&bed));
  vfio_close (&bed.vfio);
  g_assert_true (is_marked (&bed));
}

static void
test_bus (void)
{
  g_auto (Bed) bed = { 0 };

  bed_init (&bed, &of_e1000e);
  g_assert_cmpint (pci_write (bed.pci, "reset_method", "bus"), ==, 0);
  expect_methods (&bed, "bus");
  mark (&bed);
  g_assert_cmpint (pci_write (bed.pci, "reset", "1"), ==, 0);
  g_assert_false (is_marked (&bed));

  vfio_open (&bed.vfio);
  mark_open (&bed);
  g_assert_cmpint (reset (&bed), ==, 0);
  g_assert_false (is_marked_open (&bed));
  mark_open (&bed);
  g_assert_cmpint (hot_reset (&bed), ==, 0);
  g_assert_false (is_marked_open (&bed));
}

/* Neither flr nor bus takes a mapping from anybody, nor what config space says of where things are. */
static void
test_mappings_stand (gconstpointer what)
{
  const Register *registers = what;
  g_auto (Bed) bed = { 0 };
  g_auto (Mapping) mapping = { -1 };
  guint32 before, after, value;

  bed_init (&bed, registers);
  g_assert_cmpint (pci_write (bed.pci, "reset_method", registers == &of_nvme ? "flr" : "bus"), ==, 0);
  g_assert_cmpint (pci_read_config (bed.pci, PCI_BASE_ADDRESS_0, 4, &before), ==, 0);
  mapping_make (&mapping, bed.pci, registers->bar, O_RDWR);
  mapping.words[registers->word] = registers->mark;
  g_assert_cmpint (pci_write (bed.pci, "reset", "1"), ==, 0);
  g_assert_true (mapping_load (&mapping.words[registers->word], &value));
  g_assert_cmphex (value, !=, registers->mark);
  g_assert_true (mapping_store (&mapping.words[registers->word], registers->mark));
  g_assert_true (mapping_load (&mapping.words[registers->word], &value));
  g_assert_cmphex (value, ==, registers->mark);
  g_assert_cmpint (pci_read_config (bed.pci, PCI_BASE_ADDRESS_0, 4, &after), ==, 0);
  g_assert_cmphex (after, ==, before);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_data_func ("/facts-reset/ivshmem-has-none-and-keeps-its-state", &of_ivshmem, test_none);
  g_test_add_data_func ("/facts-reset/edu-has-none-and-keeps-its-state", &of_edu, test_none);
  g_test_add_func ("/facts-reset/flr-at-open-and-at-the-last-close", test_flr);
  g_test_add_func ("/facts-reset/flr-on-request-and-a-hot-reset", test_flr_on_request);
  g_test_add_func ("/facts-reset/pm-says-that-it-did-and-resets-nothing", test_pm);
  g_test_add_func ("/facts-reset/bus-resets", test_bus);
  g_test_add_data_func ("/facts-reset/mappings-stand-an-flr", &of_nvme, test_mappings_stand);
  g_test_add_data_func ("/facts-reset/mappings-stand-a-bus-reset", &of_e1000e, test_mappings_stand);
  return g_test_run ();
}
