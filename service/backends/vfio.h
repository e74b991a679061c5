/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/backend.h"
#include "backends/vfio/identity.h"
#include "backends/vfio/loans.h"
#include "backends/vfio/sysfs.h"
#include "budget.h"
#include "mechanisms/server.h"
#include "settings.h"
#include "watch.h"

/* A PCI device that is bound to vfio-pci: its BARs are lent to be mapped, or
 * proxied, its config space proxied, its ROM as a snapshot. Nothing of it is
 * touched before the first lease. */
#define REGIOND_TYPE_VFIO_BACKEND (regiond_vfio_backend_get_type ())
G_DECLARE_FINAL_TYPE (RegiondVfioBackend, regiond_vfio_backend, REGIOND, VFIO_BACKEND, RegiondBackend)

/* References are kept of all but @settings, which has to live as long. */
typedef struct {
  RegiondIdentity          *identity;
  RegiondSysfs             *sysfs;
  const RegiondPciSettings *settings; /* or NULL: the defaults */
  gboolean                  unsafe_noiommu;
  const char               *folder; /* /run/regiond but in tests */
  RegiondLoans             *loans;
  RegiondWatch             *watch;
  RegiondBudget            *budget;
  RegiondServer            *server;
} RegiondVfioSetup;

/* Reads the regions from sysfs. Gone, Failed. */
RegiondBackend *regiond_vfio_backend_new (const RegiondVfioSetup *setup, GError **error);

/* Of the device something may be left that a former run has lent, under these
 * serial numbers (gint32, of witnesses; 0: nothing is known of it): it counts as what
 * remains. Main thread. */
void            regiond_vfio_backend_remember (RegiondBackend *self, GArray *serials);
