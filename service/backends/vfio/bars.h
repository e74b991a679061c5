/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"
#include "backends/vfio/sysfs.h"
#include "mechanisms/bar.h"
#include "region.h"

#include <gio/gio.h>

/* Those BARs of a device that can be mapped: memory, of whole pages. (The kernel
 * would map a smaller one as well, with its neighbours' registers in the page.)
 * One thread at a time, but for counting. */
typedef struct _RegiondBars RegiondBars;

/* None yet. @claim asks for the BARs of @owner, which is not kept alive, to be
 * claimed. */
RegiondBars *regiond_bars_new (RegiondSysfs *sysfs, RegiondWatch *watch, GObject *owner, RegiondBarClaimFunc claim);
void         regiond_bars_free (RegiondBars *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondBars, regiond_bars_free)

/* Whether a region is such a BAR. */
gboolean     regiond_bars_fits (const RegiondRegion *region);

/* Opens the files of those among @regions. Gone, LimitExceeded, Failed. */
gboolean     regiond_bars_open (RegiondBars *self, GPtrArray *regions, GError **error);

/* That of the region of this index, or NULL. */
RegiondBar  *regiond_bars_get (RegiondBars *self, guint index);

/* Makes @handle claim @bar, or all (NULL), and looks which have been claimed by
 * that; says to regiond_kernel_learn what it shows. Nothing is read from the
 * device: a register may be sensitive to that. Failed when @bar is not claimed;
 * for all it is no error where the kernel just lets mappings be. */
gboolean     regiond_bars_claim (RegiondBars *self, RegiondHandle *handle, RegiondBar *bar, GError **error);

/* regiond's own descriptors of all files of those that are claimed now: at most
 * REGIOND_BARS_FILES_MOST. Returns how many. */
#define REGIOND_BARS_FILES_MOST (6 * REGIOND_BAR_FILES_MOST)
guint        regiond_bars_list_claimed (RegiondBars *self, int *files);

/* What has been claimed is cut for certain, or (@all) whatever there is, since the
 * device answers nobody: tells the BARs so, all but @but (NULL: none). */
void         regiond_bars_set_cut (RegiondBars *self, gboolean all, RegiondBar *but);

/* The handle has been closed. */
void         regiond_bars_set_free (RegiondBars *self);

/* How many references are left: of all that was lent, or of what has been cut. */
guint        regiond_bars_count_references (RegiondBars *self, gboolean cut_only);

/* Nothing more is lent of them. */
void         regiond_bars_close (RegiondBars *self);
