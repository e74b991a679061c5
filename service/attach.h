/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon.h"

#include <gio/gunixfdlist.h>

/* One AttachLease, until it is known what has been shown: it is looked for the active lease that
 * number @index of @fds is an fd of, off the main thread as far as a file system might
 * be asked (proof.h). From then on it is an opening. Answers @invocation in every case, and
 * empties @fds, which may be NULL. */
void regiond_attach_start (RegiondDaemon *daemon, GDBusMethodInvocation *invocation, GUnixFDList *fds, gint32 index,
                           GVariant *options);
