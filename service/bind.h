/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon.h"

/* One BindDevice call, from the arguments to the reply. Answers @invocation in
 * every case. */
void regiond_bind_start (RegiondDaemon *daemon, GDBusMethodInvocation *invocation, const char *address,
                         GVariant *options);
