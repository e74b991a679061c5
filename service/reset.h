/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "device.h"

/* One Reset call, from the arguments to the reply: the exclusive owner needs
 * no authorization, others the action reset-device; Busy while somebody else
 * holds a lease. No lease is ended. Answers @invocation in every case. */
void regiond_reset_start (RegiondDevice *device, GDBusMethodInvocation *invocation, GVariant *options);
