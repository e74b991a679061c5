/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Isolation of one IOMMU group: the group's VFIO fd and a type1 container in
 * which nothing is mapped, so that no device of the group reaches any memory,
 * whatever is done to its registers (tests/vm/test-facts-dma.c: also under iommu=pt, where
 * a device whose group nobody holds reaches all of it). There is one for each
 * group, however many devices of it are lent: the kernel lets a group be opened
 * once. Any thread; making one blocks. */
typedef struct _RegiondContainer RegiondContainer;

/* A reference of the group's container, made if there is none.
 * Busy: another program with VFIO has the group. NotIsolated: a member's driver
 * stands in the way and is named, there is no IOMMU (and not @unsafe_noiommu), or
 * the group has no node. NotSupported: VFIO is not there, or not permitted. The
 * messages say what to do. */
RegiondContainer *regiond_container_acquire (guint group, gboolean unsafe_noiommu, GError **error);

/* The group is let go of with the last reference; devices of it must be closed
 * by then. */
RegiondContainer *regiond_container_ref (RegiondContainer *self);
void              regiond_container_unref (RegiondContainer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondContainer, regiond_container_unref)

/* A new VFIO fd of the device at @address ("0000:00:10.0"). -1 with errno:
 * ENODEV when it is no longer of the group, or bound to another driver. */
int               regiond_container_open_device (RegiondContainer *self, const char *address);

/* The group's VFIO fd, for ioctls that want it as a proof; the container's own. */
int               regiond_container_get_group_fd (RegiondContainer *self);
