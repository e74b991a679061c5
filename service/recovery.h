/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "device.h"

/* What a former run of the service has lent of a device (regiond_backend_count_remains)
 * is taken from whoever still has it: a turn like any other, and the first one. What hangs
 * in it hangs alone, and the device has failed then; whatever else fails (the group
 * may be somebody else's) is tried again until nothing is left. Main thread only. */
void regiond_recovery_push (RegiondDevice *device);

/* Blocks until that has been tried with all of @devices, or for REGIOND_DEVICE_TURN_MOST_MS. */
void regiond_recovery_wait (GPtrArray *devices);
