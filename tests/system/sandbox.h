/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The people of the tests; the first three are in the group regions, admin is in sudo. */
#define UID_ALICE 2001
#define UID_BOB 2002
#define UID_CAROL 2003
#define UID_ADMIN 2009
#define UID_WITNESS 2010
#define GID_REGIONS 2100

/* What the admin types at a prompt. */
#define SANDBOX_PASSWORD "secret"

/* Where everything private lies: visible to this process and its children only. */
#define SANDBOX_DIR "/run/dbus/regiond-test"
#define SANDBOX_ACTIONS SANDBOX_DIR "/actions"
#define SANDBOX_RULES SANDBOX_DIR "/rules-local"
#define SANDBOX_SOCKET "/run/dbus/system_bus_socket"

/*
 * Gives the calling process a mount namespace in which the system bus, polkit's
 * actions and rules, the users and systemd's sockets are the test's own. To be
 * called once, before the first thread. Exits with 77 (skipped) without root.
 */
void sandbox_enter (void);

/* The users and groups alone, in the mount namespace that the process has. */
void sandbox_bring_people (void);

/* Whether the program is installed. Else the test is skipped, or fails where nothing
 * may be (the variable CI). */
gboolean sandbox_has_program (const char *program);

/* Writes a file in one step: a watcher never sees half of it. */
void sandbox_write (const char *path,
                    const char *text);

/* The path below the installed tree (REGIOND_TEST_ROOT). */
char *sandbox_installed (const char *path);
