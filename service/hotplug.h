/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Tells when PCI devices come, go, and change their drivers, and which there are. */
typedef struct _RegiondHotplug RegiondHotplug;

/* Something has happened. @lost: the address of a device that is not there any more, or
 * has lost its driver; it may have another one by now. NULL: of anything else, and
 * when events have been lost. The list says what there is now. */
typedef void (*RegiondHotplugFunc) (const char *lost, gpointer data);

/* Calls @func on the main thread from now on. Where the kernel gives no socket for its
 * events there is a warning, and nothing is told. */
RegiondHotplug *regiond_hotplug_new (RegiondHotplugFunc func, gpointer data);
void            regiond_hotplug_free (RegiondHotplug *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondHotplug, regiond_hotplug_free)

/* The folders in sysfs of all PCI devices, NULL-terminated. */
char          **regiond_hotplug_list (RegiondHotplug *self);
