/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Catches signals that a child is to have, for as long as it exists. A key on
 * the terminal has already reached the child and is not passed on a second
 * time. Signals that were ignored stay so. There can be only one. */
typedef struct _CtlRelay CtlRelay;

/* From now on; what is caught before there is a child waits for it. */
CtlRelay *ctl_relay_new  (void);
void      ctl_relay_free (CtlRelay *relay);

void ctl_relay_set_child (CtlRelay *relay,
                          pid_t     child);

/* Puts everything back as it was, as is due when the child has been waited for: its number may be
 * another's then. Safe after a fork. */
void ctl_relay_leave (CtlRelay *relay);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlRelay, ctl_relay_free)
