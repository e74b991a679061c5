/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tenancy.h"

/* The devices of one IOMMU group. The IOMMU does not keep them from one another,
 * so they are leased to one user at a time, and who has one of them for himself
 * has the group. Main thread only. */
typedef struct _RegiondGroups RegiondGroups;

RegiondGroups *regiond_groups_new (void);
void           regiond_groups_free (RegiondGroups *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondGroups, regiond_groups_free)

/* A device that is on the bus is in the group of that number. -1 is none: it is
 * in the one that it was in no more. */
void           regiond_groups_put (RegiondGroups *self, RegiondDevice *device, int number);

/* Whether an ended lease may yet reach another device of its group, but not for
 * long: nobody is given @device meanwhile. */
gboolean       regiond_groups_must_wait (RegiondGroups *self, RegiondDevice *device);

/* Whether the other devices of its group admit @client to @device. Busy names
 * the device that is leased, and who has it; Lingering, where ended leases of
 * others are in the way. */
gboolean       regiond_groups_admit (RegiondGroups *self, RegiondDevice *device, RegiondClient *client,
                                     gboolean exclusive, GError **error);
