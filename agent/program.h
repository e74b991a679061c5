/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What a person would call the process @pid: its program, and its number. One that
 * has gone has only that; process ids are used again, so nothing may be decided by it. */
char *agent_program_describe (guint32 pid);
