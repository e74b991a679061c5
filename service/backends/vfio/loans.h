/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/sysfs.h"

/* What is lent of which PCI device, in a folder that outlives regiond but not
 * the machine (/run/regiond): after a crash exactly these devices are claimed,
 * which cuts what is left, and no other one is touched.
 *
 * A loan is the serial number of the keyring that witnesses one open file
 * description of a BAR (mechanisms/witness.h). It outlives the process that
 * made it: as long as the description is anywhere, so is the keyring. With the
 * loans stands where the BARs lie: a mapping survives the removal of its device
 * and reaches whatever is put at the same bus addresses next (facts of the
 * kernel), so a loan counts against any device there.
 *
 * Any thread. */
typedef struct _RegiondLoans RegiondLoans;

/* Reads what is on record in @folder, which is made where it is not there. A file that
 * cannot be understood counts as one loan that nothing is known of. Failed
 * when the folder can be neither read nor made: nothing can be lent then. */
RegiondLoans *regiond_loans_new (const char *folder, GError **error);
RegiondLoans *regiond_loans_ref (RegiondLoans *self);
void          regiond_loans_unref (RegiondLoans *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondLoans, regiond_loans_unref)

/* A device that is there, before it is shown: takes note of where its memory BARs
 * lie. Returns the serial numbers (gint32) of what is still lent of them, by this
 * device or by one that was there before, and puts it on record as this one's.
 * Empty as a rule. A serial number 0 stands for what nothing is known of. */
GArray       *regiond_loans_place (RegiondLoans *self, RegiondSysfs *sysfs);

/* Puts a loan on record, before its fd is handed out. @serial 0: it has no
 * witness. LimitExceeded or Failed: then it must not be handed out. */
gboolean      regiond_loans_lend (RegiondLoans *self, const char *address, gint32 serial, GError **error);

/* It is proved that nothing of what was lent of the device is left. */
void          regiond_loans_forget (RegiondLoans *self, const char *address);

/* The addresses of those of which something may be left, NULL-terminated, sorted.
 * What has proved to be gone by now is dropped, and said in the log. */
char        **regiond_loans_list (RegiondLoans *self);
