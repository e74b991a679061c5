/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"
#include "proof.h"

#include <gio/gunixfdlist.h>

/* Descriptors that came with a message and that no method has taken. To close one asks its
 * file system (FUSE: FLUSH), which may be the sender's own and never answer; so they are not
 * closed by whatever thread lets go of the message, but in the sender's turn (proof.h).
 * Main thread, but for what says otherwise. */
typedef struct _RegiondStrays RegiondStrays;

RegiondStrays *regiond_strays_new (void);
RegiondStrays *regiond_strays_ref (RegiondStrays *self);   /* any thread, and this too: */
void           regiond_strays_unref (RegiondStrays *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondStrays, regiond_strays_unref)

/* Who sends them, and who closes them; both stay until regiond_strays_stop(). */
void           regiond_strays_start (RegiondStrays *self, RegiondClients *clients, RegiondProofs *proofs);

/* What comes from now on is left to the kernel, which closes it with the process. */
void           regiond_strays_stop (RegiondStrays *self);

/* Empties @fds of what @sender (a bus name) has sent. Any thread. */
void           regiond_strays_take (RegiondStrays *self, const char *sender, GUnixFDList *fds);
