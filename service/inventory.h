/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/loans.h"
#include "daemon.h"

/* The PCI devices that are bound to vfio-pci, each a device on the bus for as
 * long as it is. Where something is still lent of one from before regiond was started, or of
 * another one that was at its bus addresses, it is claimed before anything else is done to
 * it, and no other device is touched. Main thread only (RegiondInventory is declared in daemon.h). */

/* Shows nothing yet. @folder: what outlives the service is there (/run/regiond). */
RegiondInventory *regiond_inventory_new (RegiondDaemon *daemon, const char *folder, RegiondLoans *loans);

/* Before the bus name is taken: shows what there is, and from then on what comes.
 * What was lent has been claimed when this returns, so it blocks: for
 * REGIOND_DEVICE_TURN_MOST_MS at the most, whatever hangs. */
void              regiond_inventory_start (RegiondInventory *self);

/* Looks now: what BindDevice has just bound is on the bus then. */
void              regiond_inventory_update (RegiondInventory *self);

/* Shows nothing more; what is on the bus stays there. */
void              regiond_inventory_free (RegiondInventory *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondInventory, regiond_inventory_free)

/* @folders (NULL-terminated, in sysfs) are all PCI devices that there are: shows
 * those on vfio-pci, and takes off the bus what is not among them any more; its
 * leases end with "unplugged". */
void              regiond_inventory_look (RegiondInventory *self, const char *const *folders);

/* The device at @address is not there any more or has lost its driver, and
 * whatever is there now is another one. */
void              regiond_inventory_lose (RegiondInventory *self, const char *address);
