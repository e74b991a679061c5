/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bytes.h"
#include "fuzz.h"

#include "backends/vfio/registers.h"

#include <linux/pci_regs.h>
#include <string.h>

/* A device whose config space is anything, and in which every register keeps
 * what is written to it: whatever a lease is let write, in whatever order, the
 * device stays where it is, masters no bus, and is as isolated as it was. The
 * input: some bytes that are put into its config space, then writes. */

typedef struct {
  guint8            now[REGIOND_REGISTERS_MOST];
  guint8            before[REGIOND_REGISTERS_MOST];
  gsize             size;
  RegiondRegisters *registers;
} Device;

int
LLVMFuzzerInitialize (int    *argc,
                      char ***argv)
{
  fuzz_prepare ();
  return 0;
}

static guint
get_word (const guint8 *space,
          guint         offset)
{
  return space[offset] | space[offset + 1] << 8;
}

/* Lower offsets first: that is where the lists are. */
static guint
take_place (Device *self,
            Bytes  *bytes)
{
  guint place = bytes_take (bytes);

  return (place < 0xf0 ? place : (place & 0xf) << 8 | bytes_take (bytes)) % self->size;
}

static void
make (Device *self,
      Bytes  *bytes)
{
  guint n;

  memset (self, 0, sizeof *self);
  n = bytes_take (bytes);
  self->size = n & 1 ? 256 : 4096;
  for (n /= 2; n > 0; n--)
    {
      guint place = take_place (self, bytes);

      self->now[place] = bytes_take (bytes);
    }

  /* As it is when it is lent. */
  self->now[PCI_COMMAND] &= ~PCI_COMMAND_MASTER;
  memcpy (self->before, self->now, sizeof self->now);
  self->registers = regiond_registers_new (self->now, self->size);
}

/* What is allowed as a whole is allowed byte by byte, and to who is alone. */
static void
check_parts (Device       *self,
             guint         offset,
             gsize         width,
             const guint8 *wanted)
{
  g_assert_true (regiond_registers_permit (self->registers, TRUE, offset, width, self->now + offset, wanted));
  for (gsize i = 0; i < width; i++)
    g_assert_true (regiond_registers_permit (self->registers, TRUE, offset + i, 1, self->now + offset + i,
                                             wanted + i));
}

static void
write_once (Device *self,
            Bytes  *bytes)
{
  guint8 wanted[8];
  guint how = bytes_take (bytes);
  gboolean exclusive = how & 1;
  gsize width = 1 + (how >> 1) % sizeof wanted;
  guint offset = take_place (self, bytes);

  for (gsize i = 0; i < width; i++)
    wanted[i] = bytes_take (bytes);
  if (!regiond_registers_permit (self->registers, exclusive, offset, width, self->now + offset, wanted))
    return;

  g_assert_cmpuint (offset + width, <=, self->size);
  check_parts (self, offset, width, wanted);
  memcpy (self->now + offset, wanted, width);
}

static void
check_same (Device *self,
            guint   offset,
            gsize   width)
{
  for (gsize i = offset; i < MIN (offset + width, self->size); i++)
    {
      if (self->now[i] != self->before[i])
        g_error ("The byte at 0x%" G_GSIZE_MODIFIER "x was changed from 0x%02x to 0x%02x", i, self->before[i],
                 self->now[i]);
    }
}

/* The lists as Linux walks them: so many steps, whatever they lead to. */
static void
check_lists (Device *self)
{
  guint at = self->before[PCI_CAPABILITY_LIST] & ~3u;

  if (!(get_word (self->before, PCI_STATUS) & PCI_STATUS_CAP_LIST))
    at = 0;
  for (guint steps = 0; steps < 48 && at >= PCI_STD_HEADER_SIZEOF && self->before[at] != 0xff; steps++)
    {
      check_same (self, at, 2);
      if (self->before[at] == PCI_CAP_ID_EXP)
        check_same (self, at + PCI_EXP_DEVCTL, 2);
      if (self->before[at] == PCI_CAP_ID_AF)
        check_same (self, at + PCI_AF_CTRL, 1);
      at = self->before[at + PCI_CAP_LIST_NEXT] & ~3u;
    }

  at = self->size > 256 ? 256 : 0;
  for (guint steps = 0; steps < 480 && at >= 256 && get_word (self->before, at) != 0; steps++)
    {
      check_same (self, at, 4);
      if (get_word (self->before, at) != PCI_EXT_CAP_ID_VNDR)
        check_same (self, at, 12);
      if (get_word (self->before, at) == PCI_EXT_CAP_ID_SRIOV)
        check_same (self, at, PCI_EXT_CAP_SRIOV_SIZEOF);
      at = get_word (self->before, at + 2) >> 4 & ~3u;
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data,
                        size_t        size)
{
  Bytes bytes = { data, size };
  Device device;

  make (&device, &bytes);
  while (bytes.left > 0)
    write_once (&device, &bytes);

  g_assert_cmpuint (device.now[PCI_COMMAND] & PCI_COMMAND_MASTER, ==, 0);
  check_same (&device, PCI_VENDOR_ID, 4);
  check_same (&device, PCI_BASE_ADDRESS_0, PCI_STD_HEADER_SIZEOF - PCI_BASE_ADDRESS_0);
  check_lists (&device);
  regiond_registers_free (device.registers);
  return 0;
}
