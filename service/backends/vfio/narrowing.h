/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/sysfs.h"

/* `reset_method` of a device in sysfs, which names one method alone while that is used.
 * What it said before is in a file meanwhile, in a folder that outlives regiond but
 * not the machine: who comes after a crash puts it back. What blocks is for one
 * thread at a time. */
typedef struct _RegiondNarrowing RegiondNarrowing;

/* @folder: /run/regiond but in tests. */
RegiondNarrowing *regiond_narrowing_new (RegiondSysfs *sysfs, const char *folder);
void              regiond_narrowing_free (RegiondNarrowing *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondNarrowing, regiond_narrowing_free)

/* What it says, or would if a crash had not left it narrow. NULL where there is no such file. */
char             *regiond_narrowing_read (RegiondNarrowing *self);

/* It is narrow now: by this run, or one that crashed. */
gboolean          regiond_narrowing_is_left (RegiondNarrowing *self);

/* Names @method alone. Blocks. Failed, LimitExceeded: also where it cannot be noted
 * what it was. */
gboolean          regiond_narrowing_begin (RegiondNarrowing *self, const char *method, GError **error);

/* Puts back what it was, where it is narrow. Blocks. */
void              regiond_narrowing_end (RegiondNarrowing *self);
