/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "request.h"

/* One OpenRegion or AttachLease, from the request, which is taken, to the reply:
 * find out how it can be had; ask polkit; check again; attach and reset if it is the first
 * lease; make the fd; answer. After each wait it is looked at anew whether the
 * client lives, the device is there and nobody is in the way, and whatever has
 * been done is undone when not. Answers @invocation, of whose sender the request is, in every
 * case. */
void regiond_opening_start (RegiondRequest *request, GDBusMethodInvocation *invocation);
