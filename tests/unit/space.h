/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The config space of a PCI function, made by hand. */
typedef struct {
  guint8 bytes[4096];
  gsize  size;
  guint  last; /* where the last capability is */
  guint  last_extended;
} Space;

/* A function without capabilities, of 256 or 4096 bytes: memory decoding on, BAR
 * 0 and BAR 2, and error flags that are set. */
void    space_init (Space *self, gsize size);

void    space_put8 (Space *self, guint offset, guint value);
void    space_put16 (Space *self, guint offset, guint value);
void    space_put32 (Space *self, guint offset, guint32 value);
guint   space_get16 (const Space *self, guint offset);
guint32 space_get32 (const Space *self, guint offset);

/* Adds a capability to the end of the list, in the lower or the extended half. */
void    space_add (Space *self, guint offset, guint id);
void    space_add_extended (Space *self, guint offset, guint id);

/* ivshmem-plain: nothing at all. */
void    space_init_ivshmem (Space *self);

/* As nvme: power management at 0x40, MSI (64 bits, masks) at 0x50, VPD at 0x70,
 * PCI Express at 0x80, MSI-X at 0xc0, AF at 0xd0, one of the vendor's at 0xe0;
 * ATS at 0x100, SR-IOV at 0x110, ACS at 0x160, PASID at 0x170, the vendor's at
 * 0x180, of 32 bytes. */
void    space_init_nvme (Space *self);
