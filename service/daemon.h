/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "authority.h"
#include "backends/vfio/binding.h"
#include "bond.h"
#include "budget.h"
#include "client.h"
#include "groups.h"
#include "ledger.h"
#include "mechanisms/server.h"
#include "proof.h"
#include "settings.h"
#include "terms.h"
#include "watch.h"

#include <gio/gio.h>

#define REGIOND_BUS_NAME "org.regiond1"
#define REGIOND_PATH "/org/regiond1"
#define REGIOND_DEVICES_PATH REGIOND_PATH "/devices"
#define REGIOND_LEASES_PATH REGIOND_PATH "/leases"

typedef struct _RegiondDeviceTerms RegiondDeviceTerms;
typedef struct _RegiondInventory RegiondInventory;
typedef struct _RegiondRefusals RegiondRefusals;
typedef struct _RegiondReview RegiondReview;

/* The one of each that everybody shares, and the table of devices. */
typedef struct {
  GDBusConnection          *connection;
  GDBusObjectManagerServer *objects;
  RegiondSettings          *settings;
  RegiondAuthority         *authority;
  RegiondClients           *clients;
  RegiondBudget            *budget;
  RegiondLedger            *ledger;
  RegiondRefusals          *refusals;
  RegiondWatch             *watch;
  RegiondBonds             *bonds;  /* of leases to processes */
  RegiondProofs            *proofs; /* descriptors that clients have sent */
  RegiondServer            *server; /* of proxied files */
  GDBusInterfaceSkeleton   *manager;
  GHashTable               *devices; /* last element of the path -> RegiondDevice */
  RegiondGroups            *groups;  /* of devices */
  RegiondBinding           *binding;
  RegiondInventory         *inventory; /* of PCI devices; NULL: none are served */
  RegiondReview            *review;    /* of leases */
  guint64                   next_lease;
} RegiondDaemon;

/* Puts everything on @connection, but does not own the name. Takes @settings,
 * whatever comes of it. Devices of faulty files are left out, with a warning. */
RegiondDaemon *regiond_daemon_new (GDBusConnection *connection, RegiondSettings *settings, GError **error);

/* Ends every lease with "shutdown", whatever may be left of it, and lets go of
 * everything. Nothing must wait for an answer to one of its calls any more, or
 * the main context must not run again. */
void           regiond_daemon_free (RegiondDaemon *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondDaemon, regiond_daemon_free)

/* The device with an id (a PCI address as well), or at an object path; NotFound
 * names it. */
RegiondDevice *regiond_daemon_find_device (RegiondDaemon *self, const char *id, GError **error);
RegiondDevice *regiond_daemon_find_device_at (RegiondDaemon *self, const char *path, GError **error);

/* A new memory device on the bus. InvalidArgs, Busy (the id is taken),
 * LimitExceeded. Owned by the table. */
RegiondDevice *regiond_daemon_add_memory_device (RegiondDaemon *self, const RegiondDeviceSettings *settings,
                                                 GError **error);

/* Whether @id may name a memory device and is free; InvalidArgs, Busy. */
gboolean       regiond_daemon_check_id (RegiondDaemon *self, const char *id, GError **error);

/* A new device of any kind on the bus, owned by the table. Busy: its id is taken. */
RegiondDevice *regiond_daemon_add_device (RegiondDaemon *self, const RegiondDeviceTerms *terms, GError **error);

/* Takes a device off the bus; its leases end with @end. */
void           regiond_daemon_remove_device (RegiondDaemon *self, RegiondDevice *device, RegiondEnd end);
