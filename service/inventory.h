/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/loans.h"
#include "daemon.h"

/* The PCI devices that are bound to vfio-pci, each a device on the bus for as
 * long as it is. Where something is still lent of one from before regiond was started, or of
 * another one that was at its bus addresses, it is claimed before it is shown, and no
 * other device is touched. Main thread only (RegiondInventory is declared in daemon.h). */

/* Shows nothing yet. */
RegiondInventory *regiond_inventory_new (RegiondDaemon *daemon, RegiondLoans *loans);

/* Before the bus name is taken: shows what there is, and from then on what comes.
 * Claims first what was lent, and so blocks. */
void              regiond_inventory_start (RegiondInventory *self);

/* Looks now: what BindDevice has just bound is on the bus then, or is waited for. */
void              regiond_inventory_update (RegiondInventory *self);

/* Shows nothing more; what is on the bus stays there. */
void              regiond_inventory_free (RegiondInventory *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondInventory, regiond_inventory_free)

/* @folders (NULL-terminated, in sysfs) are all PCI devices that there are: shows
 * those on vfio-pci, and takes off the bus what is not among them any more; its
 * leases end with "unplugged". With @wait nothing is left to be shown when this
 * returns (claiming blocks: at the start only). */
void              regiond_inventory_look (RegiondInventory *self, const char *const *folders, gboolean wait);

/* The device at @address is not there any more or has lost its driver, and
 * whatever is there now is another one. */
void              regiond_inventory_lose (RegiondInventory *self, const char *address);

/* Calls @func once the device at @address is on the bus, or (NULL) if it is not going to be: its
 * being claimed has to be waited for. It may be called before this returns. */
typedef void (*RegiondInventoryFunc) (RegiondDevice *device, gpointer data);
void              regiond_inventory_await (RegiondInventory *self, const char *address, RegiondInventoryFunc func,
                                           gpointer data);
