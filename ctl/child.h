/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

#include "relay.h"

/* What a shell's status says about a command that could not be run. */
#define CTL_CHILD_NOT_EXECUTABLE 126
#define CTL_CHILD_NOT_FOUND 127

/* Runs @argv with the @n_fds descriptors @fds as 3, 4, … and LISTEN_FDS,
 * LISTEN_PID and LISTEN_FDNAMES (@names, as many) set as sd_listen_fds(3) wants
 * them, and with the signals that @relay catches. It gets SIGTERM when we die
 * before it.
 * Returns its process id, or -1; then @status is what a shell would exit with. */
pid_t ctl_child_spawn (CtlRelay    *relay,
                       char       **argv,
                       const int   *fds,
                       guint        n_fds,
                       const char **names,
                       int         *status,
                       GError     **error);

/* The exit status for what waitpid(2) said: 128 and the signal that killed it. */
int ctl_child_get_status (int wait_status);
