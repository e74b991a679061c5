/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Tells a person's desktop of what happens to the regions of his programs, and takes
 * his word back to the service. */
typedef struct _AgentDesk AgentDesk;

AgentDesk *agent_desk_new  (GDBusConnection *system,
                            GDBusConnection *session,
                            guint32          uid);
void       agent_desk_free (AgentDesk *desk);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AgentDesk, agent_desk_free)
