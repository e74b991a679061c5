/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/sysfs.h"

/* What a PCI device is called and where it sits: all that a line of lspci says,
 * and the IOMMU group. It does not change; when the driver or the group does,
 * another one is read. */
typedef struct {
  char   *address; /* "0000:00:10.0" */
  char   *id;      /* "0000_00_10_0", its path element on the bus */
  guint32 vendor;
  guint32 device;
  guint32 subsystem_vendor; /* 0: it has none */
  guint32 subsystem;
  guint32 class;          /* 0x010802: class, subclass, programming interface */
  char   *driver;         /* the kernel's; "": none */
  int     iommu_group;    /* -1: none */
  GStrv   group_devices;  /* the addresses of all that are in the group, itself too, sorted */
  char   *description;    /* "Red Hat, Inc. Inter-VM shared memory"; ids where there are no names */
} RegiondIdentity;

/* Reads what is in @sysfs, whose folder is named after the address, and asks udev's hardware
 * database (hwdb(7)) for the names. It does not block for long: sysfs answers
 * these from memory. NotFound where the folder is not that of a PCI device. */
RegiondIdentity *regiond_identity_read (RegiondSysfs *sysfs, GError **error);

RegiondIdentity *regiond_identity_ref (RegiondIdentity *self);
void             regiond_identity_unref (RegiondIdentity *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondIdentity, regiond_identity_unref)

/* Whether nothing differs that can change while a device is there: driver and group. */
gboolean         regiond_identity_equal (const RegiondIdentity *self, const RegiondIdentity *other);

/* The class of a bridge (0x06....), which cannot be bound. */
gboolean         regiond_identity_is_bridge (const RegiondIdentity *self);
