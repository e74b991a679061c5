/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/config.h"
#include "backends/vfio/grip.h"
#include "backends/vfio/sysfs.h"

/* How a device is made as new: by its reset, what was saved of its config space, and
 * zeros for those regions of which its configuration says so. What blocks is for one
 * thread at a time. */
typedef struct _RegiondCleaner RegiondCleaner;

/* @config has to live as long. @folder: RegiondResetter's. @zero_regions: names. */
RegiondCleaner    *regiond_cleaner_new (RegiondSysfs *sysfs, const char *folder, RegiondConfig *config,
                                        const char *const *zero_regions);
void               regiond_cleaner_free (RegiondCleaner *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondCleaner, regiond_cleaner_free)

/* As regiond_resetter_get_methods. */
const char *const *regiond_cleaner_get_methods (RegiondCleaner *self);

/* A reset, where there is any way: one that cannot be reset says so (ResetMethods), and
 * is lent as it is. Errors of regiond_resetter_reset. Blocks. */
gboolean           regiond_cleaner_reset (RegiondCleaner *self, RegiondGrip *grip, gboolean mapped, GError **error);

/* All of it, with nobody on it, through the open handle. Blocks. */
gboolean           regiond_cleaner_make_fresh (RegiondCleaner *self, RegiondGrip *grip, GPtrArray *regions,
                                               GError **error);

/* A run that crashed in the middle of a reset has left something to put right: whether;
 * does it, which blocks. */
gboolean           regiond_cleaner_must_recover (RegiondCleaner *self);
void               regiond_cleaner_recover (RegiondCleaner *self);
