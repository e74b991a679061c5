/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* What polkit takes, in ms, to answer COUNT questions such as regiond's about SUBJECT, a bus name: two at a time,
 * as regiond asks them, and nobody else has a part in it. ROOT: polkit takes them from nobody else. */
double bare_polkit_measure (GDBusConnection *root,
                            const char *subject,
                            guint count);
