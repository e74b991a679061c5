/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Asks for passwords on the terminal when polkit wants one of our user. */
typedef struct _CtlAgent CtlAgent;

/* NULL when there is no terminal to ask on, or polkit takes no agent from us:
 * then only a session's own agent may ask. A desktop's agent goes first. */
CtlAgent *ctl_agent_new  (void);
void      ctl_agent_free (CtlAgent *agent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlAgent, ctl_agent_free)
