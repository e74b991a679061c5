/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "device.h"

/* How many of one user may wait with a 'timeout' on one device. */
#define REGIOND_VERIFICATIONS_MOST 64

/* The Verify calls that wait until every reference of a device's ended leases
 * is gone. */
typedef struct _RegiondVerifications RegiondVerifications;

RegiondVerifications *regiond_verifications_new (void);
void                  regiond_verifications_free (RegiondVerifications *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondVerifications, regiond_verifications_free)

/* Answers @invocation: at once if nothing is left; where no time is given, after
 * the next look, which is now unless the tenancy has just looked; else when it is
 * gone or the time is over. LimitExceeded if too many of the user's wait. */
void regiond_verifications_start (RegiondVerifications *self, RegiondDevice *device,
                                  GDBusMethodInvocation *invocation, GVariant *options);

/* To be called whenever the device's tenancy has changed: answers those whose
 * waiting is over. With @gone everybody gets Gone. */
void regiond_verifications_update (RegiondVerifications *self, RegiondDevice *device, gboolean gone);
