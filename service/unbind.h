/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon.h"

/* One UnbindDevice call, from the arguments to the reply: what is leased is warned
 * and ended, the device is parked, and given back. Answers @invocation in every case. */
void regiond_unbind_start (RegiondDaemon *daemon, GDBusMethodInvocation *invocation, const char *path,
                           GVariant *options);
