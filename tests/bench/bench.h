/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the timed programs share. They are for the bench only: whatever fails
 * ends the program with a message, because a figure of a run that failed is
 * worth nothing.
 */

#pragma once

#include <gio/gio.h>

#define BENCH_SERVICE "org.regiond1"
#define BENCH_FLOOR "org.regiond1.Bench"
#define BENCH_FLOOR_PATH "/org/regiond1/bench"
#define BENCH_DEVICE_INTERFACE "org.regiond1.Device"
#define BENCH_LEASE_INTERFACE "org.regiond1.Lease"
#define BENCH_REGION "bar2"

/* How long anything that is waited for may take, in seconds. */
#define BENCH_DEADLINE 60

void bench_die (const char *format, ...) G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;

/* Ends the program when @error is set. */
void bench_check (const char *what, GError *error);

/* The time since some start, in microseconds. */
double bench_now (void);

/* Samples are arrays of double. */
GArray *bench_samples_new (void);
void bench_samples_add (GArray *samples, double value);
double bench_samples_median (GArray *samples);

/*
 * Prints one line of the table: tab separated item, what, value, base, unit
 * and aim. A NAN base is none, and then there is no ratio; @aim is text.
 */
void bench_report (const char *item, const char *what, double value, double base, const char *unit, const char *aim);

/* The system bus; the caller owns it. */
GDBusConnection *bench_connect (void);

/* A peer's answer to Ping: whatever was sent to it before has been read. */
void bench_ping (GDBusConnection *bus, const char *name);

/* The bus has done what it was asked for before: subscriptions stand. */
void bench_sync (GDBusConnection *bus);

/* The path of device number @number of the bench's configurations. */
char *bench_device_path (guint number);

/*
 * Calls OpenRegion with access rwm. Returns the fd, which the caller closes,
 * and the lease's path if @lease is not NULL.
 */
int bench_open (GDBusConnection *bus, const char *name, const char *path, char **lease);

/* The same with another access. */
int bench_open_with (GDBusConnection *bus, const char *name, const char *path, const char *access, char **lease);

/* Calls AttachLease and shows @shown, which stays the caller's. */
int bench_attach (GDBusConnection *bus, int shown, char **lease);

/* Releases a lease whose fd and mappings are gone already. */
void bench_release (GDBusConnection *bus, const char *lease);

/* Returns when the State of the device is @state. */
void bench_await_state (GDBusConnection *bus, const char *path, const char *state);

/* A memfd as the service makes them: @size bytes, allocated. */
int bench_memfd (gsize size);

/* As many as the hard limit lets it have. */
void bench_allow_many_fds (void);
