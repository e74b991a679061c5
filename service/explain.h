/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon.h"

/* One Explain: what would happen if the caller opened this; or another client (the
 * option "client"), if the caller may manage devices. Nobody is prompted for what is
 * explained, nothing is made, and polkit is asked as for a call (authority.h), on the
 * caller's account. Answers @invocation in every case. */
void regiond_explain_start (RegiondDaemon *daemon, GDBusMethodInvocation *invocation, const char *device,
                            const char *region, const char *access, GVariant *options);
