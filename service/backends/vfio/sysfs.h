/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <sys/stat.h>

/* The folder that the kernel keeps of one PCI device
 * (Documentation/ABI/testing/sysfs-bus-pci), by the names of what is in it, which
 * may lead further: "power/control", "driver/module". The folder is held open: a
 * device that is plugged into the same slot later is another one, and nothing of
 * it is reached from here. Any thread.
 *
 * Errors: Gone when the device is not there any more, NotFound when it has
 * nothing of that name, LimitExceeded, else Failed. */
typedef struct _RegiondSysfs RegiondSysfs;

/* "/sys/bus/pci/devices/0000:00:10.0"; where there is no such folder, the device is gone. */
RegiondSysfs *regiond_sysfs_new (const char *folder);
RegiondSysfs *regiond_sysfs_ref (RegiondSysfs *self);
void          regiond_sysfs_unref (RegiondSysfs *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondSysfs, regiond_sysfs_unref)

const char   *regiond_sysfs_get_folder (RegiondSysfs *self);

/* The last element of that: the device's address. */
const char   *regiond_sysfs_get_name (RegiondSysfs *self);

/* Whether the device that was there at first is still there. */
gboolean      regiond_sysfs_is_there (RegiondSysfs *self);

/* What an attribute says, without blanks around it. */
char         *regiond_sysfs_read (RegiondSysfs *self, const char *name, GError **error);

/* So, as a number: "0x1af4", "12", "-1" is not one. Failed for what is no number. */
gboolean      regiond_sysfs_read_number (RegiondSysfs *self, const char *name, guint64 *number, GError **error);

/* In one write(2): the kernel does what it says before it returns, so it may block. */
gboolean      regiond_sysfs_write (RegiondSysfs *self, const char *name, const char *text, GError **error);

/* Where a link ends ("driver" -> "vfio-pci"): the last element, or NULL where there is no such link. */
char         *regiond_sysfs_read_link (RegiondSysfs *self, const char *name);

/* What stat(2) says of it: the size of "config" and of "resource0" is that of the region. */
gboolean      regiond_sysfs_stat (RegiondSysfs *self, const char *name, struct stat *status, GError **error);

/* A descriptor, closed on exec, that the caller closes; or -1 with errno. */
int           regiond_sysfs_open (RegiondSysfs *self, const char *name, int flags);
