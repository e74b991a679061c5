/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/bars.h"
#include "backends/vfio/grip.h"
#include "region.h"
#include "terms.h"

#include <gio/gio.h>

/* What can be had of a region of a PCI device, by which mechanism, as things stand:
 * asked on the main thread before anybody is asked for a password, and by a worker
 * before it is lent. The errors' messages are the reason, and what could be had
 * instead. */

/* NONE with NotSupported, Lingering or Busy. @held: something is left that a claim is
 * held against; a claim that is just waiting to be let go is in nobody's way. */
RegiondMechanism regiond_offer_find (RegiondGrip *grip, RegiondBars *bars, gboolean held, const RegiondRegion *region,
                                     RegiondAccess access, GError **error);

/* A region that is reached by way of the handle alone. */
gboolean         regiond_offer_needs_handle (const RegiondRegion *region);
