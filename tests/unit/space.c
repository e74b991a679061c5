/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "space.h"

#include <linux/pci_regs.h>
#include <string.h>

void
space_put8 (Space *self,
            guint  offset,
            guint  value)
{
  self->bytes[offset] = value;
}

void
space_put16 (Space *self,
             guint  offset,
             guint  value)
{
  space_put8 (self, offset, value & 0xff);
  space_put8 (self, offset + 1, value >> 8);
}

void
space_put32 (Space  *self,
             guint   offset,
             guint32 value)
{
  space_put16 (self, offset, value & 0xffff);
  space_put16 (self, offset + 2, value >> 16);
}

guint
space_get16 (const Space *self,
             guint        offset)
{
  return self->bytes[offset] | self->bytes[offset + 1] << 8;
}

guint32
space_get32 (const Space *self,
             guint        offset)
{
  return space_get16 (self, offset) | (guint32) space_get16 (self, offset + 2) << 16;
}

void
space_init (Space *self,
            gsize  size)
{
  memset (self, 0, sizeof *self);
  self->size = size;
  space_put16 (self, PCI_VENDOR_ID, 0x1b36);
  space_put16 (self, PCI_DEVICE_ID, 0x0010);
  space_put16 (self, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
  space_put16 (self, PCI_STATUS, PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_DETECTED_PARITY);
  space_put32 (self, PCI_BASE_ADDRESS_0, 0xfe800000);
  space_put32 (self, PCI_BASE_ADDRESS_2, 0xfd00000c);
  space_put32 (self, PCI_BASE_ADDRESS_3, 0x00000020);
  space_put8 (self, PCI_INTERRUPT_LINE, 11);
  space_put8 (self, PCI_INTERRUPT_PIN, 1);
}

void
space_add (Space *self,
           guint  offset,
           guint  id)
{
  space_put8 (self, self->last != 0 ? self->last + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST, offset);
  space_put16 (self, PCI_STATUS, space_get16 (self, PCI_STATUS) | PCI_STATUS_CAP_LIST);
  space_put8 (self, offset, id);
  self->last = offset;
}

void
space_add_extended (Space *self,
                    guint  offset,
                    guint  id)
{
  if (self->last_extended != 0)
    space_put32 (self, self->last_extended, space_get32 (self, self->last_extended) | offset << 20);
  space_put32 (self, offset, id | 1 << 16);
  self->last_extended = offset;
}

void
space_init_ivshmem (Space *self)
{
  space_init (self, 256);
  space_put16 (self, PCI_VENDOR_ID, 0x1af4);
  space_put16 (self, PCI_DEVICE_ID, 0x1110);
}

void
space_init_nvme (Space *self)
{
  space_init (self, 4096);
  space_add (self, 0x40, PCI_CAP_ID_PM);
  space_put16 (self, 0x40 + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
  space_add (self, 0x50, PCI_CAP_ID_MSI);
  space_put16 (self, 0x50 + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT);
  space_add (self, 0x70, PCI_CAP_ID_VPD);
  space_add (self, 0x80, PCI_CAP_ID_EXP);
  space_put16 (self, 0x80 + PCI_EXP_FLAGS, 2);
  space_put16 (self, 0x80 + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_RELAX_EN);
  space_put16 (self, 0x80 + PCI_EXP_DEVSTA, PCI_EXP_DEVSTA_CED);
  space_add (self, 0xc0, PCI_CAP_ID_MSIX);
  space_add (self, 0xd0, PCI_CAP_ID_AF);
  space_add (self, 0xe0, PCI_CAP_ID_VNDR);
  space_put8 (self, 0xe0 + PCI_CAP_FLAGS, 0x10);

  space_add_extended (self, 0x100, PCI_EXT_CAP_ID_ATS);
  space_add_extended (self, 0x110, PCI_EXT_CAP_ID_SRIOV);
  space_add_extended (self, 0x160, PCI_EXT_CAP_ID_ACS);
  space_add_extended (self, 0x170, PCI_EXT_CAP_ID_PASID);
  space_add_extended (self, 0x180, PCI_EXT_CAP_ID_VNDR);
  space_put32 (self, 0x184, 0x20 << 20);
  space_add_extended (self, 0x1a0, PCI_EXT_CAP_ID_DSN);
}
