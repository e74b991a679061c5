/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/backend.h"
#include "backends/vfio/bars.h"
#include "backends/vfio/config.h"
#include "backends/vfio/gate.h"
#include "backends/vfio/loans.h"
#include "backends/vfio/snapshot.h"
#include "mechanisms/server.h"
#include "watch.h"

#include <gio/gio.h>

/* What leases of a PCI device are made of. */
typedef struct {
  const char      *device; /* its address */
  RegiondBars     *bars;
  RegiondGate     *gate;
  RegiondConfig   *config;
  RegiondSnapshot *snapshot;
  RegiondLoans    *loans;
  RegiondServer   *server;
  RegiondWatch    *watch;
} RegiondLendingMeans;

/* The fd and the hold of one lease, by the mechanism that offer.h has found. A
 * mapping of a BAR is on record before its fd is. Blocks. NotSupported,
 * LimitExceeded, Failed. */
RegiondHold *regiond_lending_open (const RegiondLendingMeans *means, const RegiondWindow *window, int *fd,
                                   GError **error);
