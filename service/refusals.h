/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "device.h"

/* Refuses calls for a region (RegiondRefusals is declared in daemon.h), and tells everybody
 * on the bus (the signal OpenRefused of org.regiond1.Manager) of so many as tally.h says. */

RegiondRefusals *regiond_refusals_new (GDBusConnection *connection);
void             regiond_refusals_free (RegiondRefusals *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondRefusals, regiond_refusals_free)

/* Whose arguments are right. */
typedef struct {
  RegiondDevice         *device; /* NULL: it is not known what the call was for */
  const RegiondWindow   *window; /* its region and access count; NULL like @device */
  RegiondClient         *client; /* who has left is not told about: that is what was in the way */
  GDBusMethodInvocation *invocation;
} RegiondRefusedCall;

/* Logs it, tells everybody if the device is known, and answers with @error, which is taken;
 * G_IO_ERROR_CANCELLED is Gone: the caller has left. */
void             regiond_refusals_refuse (RegiondRefusals *self, const RegiondRefusedCall *call, GError *error);
