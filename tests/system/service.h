/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "process.h"

#define SERVICE_CONFIG "/run/dbus/regiond-test/config"

#define SERVICE_LOG "/run/dbus/regiond-test/regiond.log"

/* Empties the configuration folder and writes regiond.conf, TEXT below "[Daemon]". */
void service_configure (const char *text);

/* Writes devices.d/NAME. */
void service_configure_device (const char *name,
                               const char *text);

/* Starts the installed regiond with that folder and does not wait. MORE: one more argument, or NULL. */
Process *service_spawn (const char *more);

/* The same, and waits until it has its name. */
Process *service_start (GDBusConnection *root);

/* With more variables, "NAME=value", NULL-terminated. */
Process *service_start_with (GDBusConnection *root,
                             const char *const *environment);

/* The same, started by other programs: WRAPPER is what stands before it, NULL-terminated. */
Process *service_start_wrapped (GDBusConnection *root,
                                const char *const *wrapper);

/* A regiond to which the kernel refuses WHAT: starve.c says what there is. */
Process *service_start_starved (GDBusConnection *root,
                                const char *what);

/* What every regiond of this test has written to stderr. */
char *service_read_log (void);
void service_forget_log (void);

/* Waits until one line of the log has all of the words: NULL-terminated. */
void service_wait_log (const char *word,
                       ...) G_GNUC_NULL_TERMINATED;
