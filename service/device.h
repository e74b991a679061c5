/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "authority.h"
#include "backends/backend.h"
#include "backends/vfio/identity.h"
#include "daemon.h"
#include "regiond-dbus.h"
#include "tenancy.h"
#include "turns.h"

/* A device on the bus. It owns its state and is the only one that changes it;
 * openings, resets and leases are objects of their own that work on it. */
#define REGIOND_TYPE_DEVICE (regiond_device_get_type ())
G_DECLARE_FINAL_TYPE (RegiondDevice, regiond_device, REGIOND, DEVICE, RegiondDBusDeviceSkeleton)

typedef struct _RegiondDeviceTerms {
  const char            *id; /* the last element of its path */
  const char            *description;
  gboolean               tolerate; /* Linger=tolerate */
  RegiondAuthorization   authorization;
  const RegiondIdentity *identity; /* of a PCI device; NULL for others */
  RegiondBackend        *backend;
} RegiondDeviceTerms;

/* What is done to a real device, and has not come back for so long, has failed:
 * who waits for it is answered, and the state is "failed". */
#define REGIOND_DEVICE_TURN_MOST_MS (10 * 1000)

/* Not yet on the bus. Everything is copied or referenced. */
RegiondDevice  *regiond_device_new (RegiondDaemon *daemon, const RegiondDeviceTerms *terms);

void            regiond_device_export (RegiondDevice *self);

/* A PCI device has got another driver, or its IOMMU group other members. */
void            regiond_device_set_identity (RegiondDevice *self, const RegiondIdentity *identity);

/* Ends its leases with @end and takes it off the bus; everything that waits
 * for it gets Gone. */
void            regiond_device_remove (RegiondDevice *self, RegiondEnd end);

/* The last element of its path: the id, or a PCI device's address spelled so. */
const char     *regiond_device_get_key (RegiondDevice *self);

/* As in its Id: that of its path, or a PCI device's address. */
const char     *regiond_device_get_id (RegiondDevice *self);
const char     *regiond_device_get_path (RegiondDevice *self);
RegiondDaemon  *regiond_device_get_daemon (RegiondDevice *self);
RegiondBackend *regiond_device_get_backend (RegiondDevice *self);
RegiondTenancy *regiond_device_get_tenancy (RegiondDevice *self);
RegiondTurns   *regiond_device_get_turns (RegiondDevice *self);

/* The memory that its first lease takes, in bytes: a BAR takes none. */
guint64         regiond_device_get_size (RegiondDevice *self);

/* NotFound lists the regions that there are. */
RegiondRegion  *regiond_device_find_region (RegiondDevice *self, const char *name, GError **error);

RegiondDeviceState regiond_device_get_state (RegiondDevice *self);

/* Whether it is of a kind that an ended lease must not reach (RegiondBackendClass). */
gboolean        regiond_device_severs (RegiondDevice *self);

/* How many references are left of ended leases, and of a former run. */
guint           regiond_device_count_lingering (RegiondDevice *self);

/* Gone after removal and while it is being unplugged, ResetFailed in the state
 * "failed". */
gboolean        regiond_device_check_usable (RegiondDevice *self, GError **error);

/* Whether @client could get a lease on it now: all that can be seen at once. Also
 * NotIsolated; Busy and Lingering name who is in the way, and where. */
gboolean        regiond_device_admits (RegiondDevice *self, RegiondClient *client, gboolean exclusive,
                                       GError **error);

/* So for who is on this device alone, where it or another of its IOMMU group is
 * @wanted. */
gboolean        regiond_device_admits_beside (RegiondDevice *self, RegiondClient *client, gboolean exclusive,
                                              const char *wanted, GError **error);

/* Something that was done to it has not come back; nothing else can be done. */
gboolean        regiond_device_is_stuck (RegiondDevice *self);

/* Neither that, nor removed. */
gboolean        regiond_device_is_present (RegiondDevice *self);

/* Adds what of the polkit vocabulary speaks of the device itself. */
void            regiond_device_add_details (RegiondDevice *self, RegiondQuestion *question);

/* A turn that attaches, resets or parks is running. */
void            regiond_device_set_resetting (RegiondDevice *self, gboolean resetting);

/* NULL: the device works again. */
void            regiond_device_set_failure (RegiondDevice *self, const GError *failure);

/* For parking.c: whether a turn for it waits; whether there is something to be
 * settled, which is taken to be done now, or is put off until something has drained
 * again; whether it may be parked now. */
gboolean        regiond_device_is_parking (RegiondDevice *self);
void            regiond_device_set_parking (RegiondDevice *self, gboolean parking);
gboolean        regiond_device_begin_settling (RegiondDevice *self);
void            regiond_device_put_off_settling (RegiondDevice *self);
gboolean        regiond_device_can_park (RegiondDevice *self);

/* @error: it has failed. */
void            regiond_device_log_reset (RegiondDevice *self, const char *reason, const GError *error);
