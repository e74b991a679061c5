/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "request.h"

/* One OpenRegion, from the arguments to the reply (design rule 2): check the
 * arguments; ask polkit; check again; attach and reset if it is the first
 * lease; make the fd; answer. After each wait it is looked at anew whether the
 * client lives, the device is there and nobody is in the way, and whatever has
 * been done is undone when not. Answers @invocation in every case. @fds: what came along,
 * which is taken out of the list; or NULL. */
void regiond_opening_start (RegiondDevice *device, GDBusMethodInvocation *invocation, GUnixFDList *fds,
                            const char *region, const char *access, GVariant *options);

/* The same for @request, which is taken: that of @client who has shown a lease's fd. FALSE with an
 * error, and nothing is answered, where what is asked for cannot be had by anybody. */
gboolean regiond_opening_attach (RegiondRequest *request, RegiondClient *client, GDBusMethodInvocation *invocation,
                                 GError **error);
