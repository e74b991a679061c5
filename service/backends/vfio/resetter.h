/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"
#include "backends/vfio/sysfs.h"

/* How a PCI device is made fresh: by the kernel, through the sysfs files
 * `reset_method` and `reset` (Linux 5.15 and later), which leave mappings standing;
 * where it has no such way, by VFIO's hot reset of its bus, if it is alone on that. Every
 * call but get_methods and is_narrow blocks, some for seconds, and a reset that hangs for as long
 * as it hangs. One reset at a time. */
typedef struct _RegiondResetter RegiondResetter;

/* @folder is where it is noted what `reset_method` was while it is changed (narrowing.h). */
RegiondResetter   *regiond_resetter_new (RegiondSysfs *sysfs, const char *folder);
void               regiond_resetter_free (RegiondResetter *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondResetter, regiond_resetter_free)

/* The kernel's names, the preferred first: what resets the function (flr, af_flr,
 * device_specific, acpi: in the kernel's order), then its bus (bus, cxl_bus) where
 * it is alone on that, then what the kernel may have besides. pm, which is known to
 * report success and clean nothing, only where there is no other. Or "hot" alone, once a reset has
 * shown that there is nothing else. NULL-terminated; lives as long as @self. */
const char *const *regiond_resetter_get_methods (RegiondResetter *self);

/* Whether a reset has shown that hot is the only way. */
gboolean           regiond_resetter_needs_handle (RegiondResetter *self);

/* Whether a former run has left `reset_method` changed, which widen puts right. */
gboolean           regiond_resetter_is_narrow (RegiondResetter *self);
void               regiond_resetter_widen (RegiondResetter *self);

/* By the first of these that works. What can be checked is checked: that the device
 * answers as the one it was, and has its config space back; that it was cleaned
 * cannot be. @handle, or NULL, is for hot, which is Busy while anything of
 * it is @mapped. NotSupported where there is no way; ResetFailed says which were
 * tried, and how each failed; Gone. */
gboolean           regiond_resetter_reset (RegiondResetter *self, RegiondHandle *handle, gboolean mapped,
                                           GError **error);
