/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* How many calls of one connection may be unanswered: less than the 128 that
 * the bus lets it wait for, and more than may wait for polkit. */
#define REGIOND_GUARD_MOST_CALLS 96

/* Calls that need no right and keep the main thread long: GetManagedObjects
 * (0.2 s with 1,000 leases) of all connections together, of which one
 * connection has one; and Verify of one connection. */
#define REGIOND_GUARD_MOST_LISTINGS 4
#define REGIOND_GUARD_MOST_VERIFIES 8

/* Turns away, before anything looks at them, what no honest client sends:
 *
 * Method calls whose object path or arguments are longer than any honest one's,
 * with org.freedesktop.DBus.Error.LimitsExceeded: an error that repeats a path
 * of megabytes would be above the bus's limit for a message, and the bus would
 * throw regiond out.
 *
 * Calls of a connection that has REGIOND_GUARD_MOST_CALLS unanswered, with
 * LimitExceeded: GDBus takes in calls without bound, and everybody's stand in
 * one line for the main thread. Those that want no answer count as well. The
 * same for those above, which have bounds of their own.
 *
 * The descriptors that come with a call are closed, since no method takes any:
 * they would be held for as long as the call waits. AttachLease keeps its.
 *
 * For as long as @connection lives. */
void regiond_guard_calls (GDBusConnection *connection);
