/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"
#include "backends/vfio/sysfs.h"
#include "mechanisms/source.h"

/* The config space of a PCI device. It is read from sysfs, always: so everybody
 * sees the same bytes, whatever else is open. It is written through registers.h,
 * to sysfs; and where that refuses (EPERM, under lockdown), through VFIO's fd
 * while that is open. One access at a time. Any thread; all of it blocks while
 * the kernel resets the device. */
typedef struct _RegiondConfig RegiondConfig;

/* Opens nothing yet. */
RegiondConfig *regiond_config_new (RegiondSysfs *sysfs);
RegiondConfig *regiond_config_ref (RegiondConfig *self);
void           regiond_config_unref (RegiondConfig *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondConfig, regiond_config_unref)

/* @handle, until it is taken back with NULL: before it is closed. */
void           regiond_config_set_handle (RegiondConfig *self, RegiondHandle *handle);

/* The view of one lease. It reads and writes 1, 2 and 4 bytes, naturally aligned,
 * in one access, and anything else in such pieces. A write that would change what
 * it may not is EPERM, and then nothing of it is written; ENODEV when the device
 * has left. */
RegiondSource *regiond_config_open (RegiondConfig *self, gboolean exclusive);

/* Keeps what is there, for restoring, and learns which registers are where: when
 * the device has been reset, before anybody has it. Gone, Failed. */
gboolean       regiond_config_save (RegiondConfig *self, GError **error);

/* Before it is lent: bus mastering off, and INTx off, which nobody would answer
 * and others may share; its BARs decoded, or (@decode FALSE, until the next call)
 * no memory decoded, whatever a lease writes: a mapping may have escaped.
 * NotIsolated when the device goes on mastering the bus or decoding what it shall
 * not, Failed when it does not decode its BARs; Gone. */
gboolean       regiond_config_isolate (RegiondConfig *self, gboolean decode, GError **error);

/* From now on no lease switches the decoding of memory on, until isolate says otherwise. */
void           regiond_config_shut (RegiondConfig *self);

/* Puts back what was saved: the power state, then all that leases have written, then
 * COMMAND, without bus mastering whatever it was. Before a reset, which would
 * otherwise take what leases have left for what is right; and once more after one
 * that may not have cleaned. Nothing where nothing was saved. NotIsolated, Failed, Gone. */
gboolean       regiond_config_restore (RegiondConfig *self, GError **error);
