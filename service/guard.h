/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "strays.h"

/* How many calls of one connection may be unanswered: less than the 128 that
 * the bus lets it wait for, and more than may wait for polkit. */
#define REGIOND_GUARD_MOST_CALLS 96

/* How many Verify of one connection. Of GetManagedObjects it is one. */
#define REGIOND_GUARD_MOST_VERIFIES 8

/* Where the calls of GetManagedObjects go: it takes @call. On GDBus's own thread. */
typedef void (*RegiondGuardFunc) (gpointer data, GDBusMessage *call);

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
 * Calls of GetManagedObjects do not get to the bus library, but to @listing.
 *
 * Descriptors go to @strays, at once but for those of OpenRegion and AttachLease, which
 * have until the answer to take theirs: who lets go of the message does not close
 * what a hostile file system may keep from being closed.
 *
 * Answers to those who have many calls unanswered wait while the bus is behind
 * (backlog.h).
 *
 * For as long as @connection lives; then @data is freed. */
void regiond_guard_calls (GDBusConnection *connection, RegiondStrays *strays, RegiondGuardFunc listing, gpointer data,
                          GDestroyNotify free);
