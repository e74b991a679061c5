/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Which bits of a PCI function's config space a lease may change
 * (docs/config-space.md says why): a table made of the bytes that stand there.
 * What it does not know may not be changed, by anybody. Pure logic: nothing here
 * reaches a device.
 *
 * Any lease that writes: error flags (STATUS, DEVSTA), cache line size, latency
 * timer. An exclusive one also: memory and I/O decoding, INTx disable, BIST, the
 * power state (of a device that keeps its config space in D3hot), VPD's address, MSI and MSI-X, and the registers of the device's
 * own, which are in vendor-specific capabilities or in none. Nobody: bus
 * mastering, the BARs, the ROM's base, anything of PCI Express beyond that, any
 * other capability, anything of a bridge. */
typedef struct _RegiondRegisters RegiondRegisters;

#define REGIOND_REGISTERS_MOST 4096

/* @size is 256 or 4096. Where the lists of capabilities lead in a circle or
 * nowhere, less may be changed, never more. */
RegiondRegisters *regiond_registers_new (const guint8 *space, gsize size);
void              regiond_registers_free (RegiondRegisters *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondRegisters, regiond_registers_free)

/* Whether the @width bytes at @offset, which are @now, may be written as @bytes.
 * What may not be changed may be written as it is; what acts when a 1 is written
 * (it clears a flag, starts something) is changed by a 1, and by nothing else.
 * FALSE for anything beyond the end. */
gboolean          regiond_registers_permit (RegiondRegisters *self, gboolean exclusive, guint64 offset, gsize width,
                                            const guint8 *now, const guint8 *bytes);

/* Where the first capability of that kind (PCI_CAP_ID_…) is, or 0. */
guint             regiond_registers_find (RegiondRegisters *self, guint8 capability);
