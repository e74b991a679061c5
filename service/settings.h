/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/address.h"
#include "backends/vfio/identity.h"
#include "terms.h"

#include <gio/gio.h>

/* One memory device: a file in devices.d, or the arguments of AddMemoryDevice. */
typedef struct {
  char      *id;
  char      *description; /* NULL: none was given */
  gboolean   persist;
  gboolean   tolerate; /* Linger=tolerate */
  RegiondAuthorization authorization;
  GPtrArray *regions;  /* RegiondRegion */
} RegiondDeviceSettings;

RegiondDeviceSettings *regiond_device_settings_new (const char *id, RegiondAuthorization authorization);
void                   regiond_device_settings_free (RegiondDeviceSettings *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondDeviceSettings, regiond_device_settings_free)

/* How PCI devices are served: a file in devices.d with Backend=vfio. Devices that
 * no file matches are served as well, by the defaults. */
typedef struct {
  char             *id; /* of the file */
  char             *fault; /* what is wrong with it: its devices are not served, and nothing else of it is known; NULL */
  gboolean          by_address; /* matches the device at @address; else all of @vendor and @device */
  RegiondAddress    address;
  guint32           vendor;
  guint32           device;
  char             *description;  /* NULL: what the hardware database says */
  RegiondRevocation minimum;      /* what guarantees less is not lent; on-close: anything goes */
  RegiondAuthorization authorization;
  GStrv             zero_regions; /* "bar2", …: zeroed where the device has no reset; never NULL */
} RegiondPciSettings;

/* regiond.conf and devices.d; docs/regiond.conf.5 says what stands in them. */
typedef struct {
  guint64    max_memory; /* bytes */
  guint64    max_memory_per_user;
  guint      max_leases;
  guint      max_leases_per_user;
  guint      max_leases_per_connection;
  guint      max_proxied_leases_per_user;
  guint      max_authorizations_per_user;
  guint      max_authorizations_per_connection;
  guint      timeout;        /* ms */
  guint      prompt_timeout; /* ms */
  RegiondAuthorization authorization; /* where a device's file does not say otherwise */
  gboolean   unsafe_noiommu; /* devices are lent where no IOMMU isolates them */
  GPtrArray *devices;        /* RegiondDeviceSettings, by id */
  GPtrArray *pci_devices;    /* RegiondPciSettings, by id */
  char      *fault;          /* of a file that may be any PCI device's: those without one are not served; NULL */
} RegiondSettings;

/* Reads the NULL-terminated directories; a file of an earlier one masks the
 * file of the same name in a later one. Directories that are not there are
 * passed over, links to /dev/null as well. An error in regiond.conf is returned; one in a
 * device's file is a warning that leaves the device out. */
RegiondSettings *regiond_settings_load (const char *const *directories, GError **error);
void             regiond_settings_free (RegiondSettings *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondSettings, regiond_settings_free)

/* Of the files that match a PCI device the one that names its address, else the
 * first by its name; NULL where none does. */
const RegiondPciSettings *regiond_settings_find_pci (const RegiondSettings *self, const RegiondIdentity *identity);

/* FALSE with Failed: it is not to be served, since its file has a mistake, or one may be its that cannot be read. What
 * it demands (a minimum revocation, strict authorization) would be missing. */
gboolean         regiond_settings_check_pci (const RegiondSettings *self, const RegiondIdentity *identity, GError **error);

/* What data/dbus/org.regiond1.conf lets be under way from regiond to its
 * clients at once (max_incoming_unix_fds); the bus does not tell what it has. */
#define REGIOND_BUS_FDS 8192

/* Says in the log where more is allowed than the bus, or a limit of @files for
 * the process, can bear. */
void             regiond_settings_warn (const RegiondSettings *self, guint64 files);
