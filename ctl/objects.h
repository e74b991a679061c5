/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus.h"

/* One device or lease, as it was when it was looked at. */
typedef struct
{
  char *path;
  GVariant *properties; /* a{sv} */
} CtlObject;

/* Properties that the object does not have read as "" and 0. */
const char *ctl_object_get_string (const CtlObject *object,
                                   const char      *property);
guint64     ctl_object_get_number (const CtlObject *object,
                                   const char      *property);

/* What follows the last slash of an object's path: a lease's number. */
const char *ctl_path_get_name (const char *path);

/* Everything that regiond has, in the order of ids and numbers. */
typedef struct
{
  GPtrArray *devices; /* of CtlObject */
  GPtrArray *leases;  /* of CtlObject */
} CtlObjects;

CtlObjects *ctl_objects_load (CtlBus  *bus,
                              GError **error);
void        ctl_objects_free (CtlObjects *objects);

/* The same from the reply of GetManagedObjects. */
CtlObjects *ctl_objects_new (GVariant *managed);

/* The device with the id or the object path @device, or an error. */
const CtlObject *ctl_objects_find_device (CtlObjects *objects,
                                          const char *device,
                                          GError    **error);

/* Leaves only the leases on @device. */
void ctl_objects_keep_leases_of (CtlObjects      *objects,
                                 const CtlObject *device);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlObjects, ctl_objects_free)
