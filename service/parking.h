/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "device.h"

/* What has to be done to a device when leases have ended, each a turn like any
 * other, which finds out for itself what is to be done when it comes. */

/* Lets go of what was held against ended leases, once nothing is left of them;
 * and without any lease, parks. A real device is not parked while an ended lease
 * that cannot be cut reaches it, unless it goes away itself. */
void regiond_parking_push (RegiondDevice *device);

/* The last lease on one region has ended, others go on. Contents that persist
 * are taken over at once, before somebody who still has the old memory changes
 * them. */
void regiond_parking_push_renewal (RegiondDevice *device);

/* The service ends, and no turn comes any more: parks real devices now, side by side.
 * Blocks, for REGIOND_DEVICE_TURN_MOST_MS at the most, however many of them hang. */
void regiond_parking_finish (GPtrArray *devices);
