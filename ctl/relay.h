/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Passes signals on to a child, for as long as it exists. A key on the terminal
 * has already reached the child and is not passed on a second time. Signals
 * that were ignored stay so. There can be only one. */
typedef struct _CtlRelay CtlRelay;

CtlRelay *ctl_relay_new  (pid_t child);
void      ctl_relay_free (CtlRelay *relay);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlRelay, ctl_relay_free)
