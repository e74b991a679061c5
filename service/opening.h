/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "device.h"

#include <gio/gunixfdlist.h>

/* One OpenRegion, from the arguments to the reply (design rule 2): check the
 * arguments; ask polkit; check again; attach and reset if it is the first
 * lease; make the fd; answer. After each wait it is looked at anew whether the
 * client lives, the device is there and nobody is in the way, and whatever has
 * been done is undone when not. Answers @invocation in every case. @fds: what came along,
 * which is taken out of the list; or NULL. */
void regiond_opening_start (RegiondDevice *device, GDBusMethodInvocation *invocation, GUnixFDList *fds,
                            const char *region, const char *access, GVariant *options);
