/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Turns away method calls whose object path or arguments are longer than any
 * honest one's, with org.freedesktop.DBus.Error.LimitsExceeded and before
 * anything looks at them: an error that repeats a path of megabytes would be
 * above the bus's limit for a message, and the bus would throw regiond out.
 * For as long as @connection lives. */
void regiond_guard_against_long_calls (GDBusConnection *connection);
