/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/identity.h"

/* Puts PCI devices on vfio-pci, and gives them back to the drivers that they had.
 * What these were is kept in files, so that a restart does not forget it; not a
 * restart of the machine, after which nothing is bound. Any thread; @sysfs and
 * @folder are "/sys" and "/run/regiond" but in tests. */
typedef struct _RegiondBinding RegiondBinding;

RegiondBinding *regiond_binding_new (const char *sysfs, const char *folder, gboolean unsafe_noiommu);
RegiondBinding *regiond_binding_ref (RegiondBinding *self);
void            regiond_binding_unref (RegiondBinding *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondBinding, regiond_binding_unref)

/* The device at @address. NotFound where there is none. */
RegiondIdentity *regiond_binding_find (RegiondBinding *self, const char *address, GError **error);

/* What would have to be bound so that the device can be lent: it, or with @group every
 * endpoint of its IOMMU group that is not on vfio-pci already. Addresses, NULL-terminated, itself
 * first. Reads sysfs, no more. NotSupported: a bridge, or there is no vfio-pci, or
 * no mode of it for what has no IOMMU; NotIsolated: no IOMMU group, or one with another member whose driver would be in the way; Busy:
 * there is nothing to do. */
char           **regiond_binding_plan (RegiondBinding *self, const RegiondIdentity *identity, gboolean group,
                                       GError **error);

/* Binds all of @addresses or none. Returns when the kernel has bound them. Blocks. Busy:
 * one of them is under way, or @force is FALSE and something of the machine depends
 * on it (usage.h); Failed. */
gboolean         regiond_binding_bind (RegiondBinding *self, const char *const *addresses, gboolean force,
                                       GError **error);

/* Takes the device from vfio-pci and gives it to the driver that it had: none
 * where it had none, and any that wants it where it was not bound by the above. Blocks, for as long
 * as somebody has it open by VFIO. Busy: it is under way; Failed: it has no driver now. */
gboolean         regiond_binding_give_back (RegiondBinding *self, const char *address, GError **error);
