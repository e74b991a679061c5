/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

#include "relay.h"
#include "user.h"

/* What a shell's status says about a command that could not be run. */
#define CTL_CHILD_NOT_EXECUTABLE 126
#define CTL_CHILD_NOT_FOUND 127

/* What to run, and with what. */
typedef struct
{
  char **argv;
  const int *fds;
  guint n_fds;
  const char **names;  /* of the fds */
  const CtlUser *user; /* NULL: whoever we are */
} CtlCommand;

/* Runs @command with its descriptors as 3, 4, … and LISTEN_FDS, LISTEN_PID and
 * LISTEN_FDNAMES set as sd_listen_fds(3) wants them, and with the signals that
 * @relay catches. It gets SIGTERM when we die before it.
 * Returns its process id, or -1; then @status is what a shell would exit with. */
pid_t ctl_child_spawn (CtlRelay         *relay,
                       const CtlCommand *command,
                       int              *status,
                       GError          **error);

/* The exit status for what waitpid(2) said: 128 and the signal that killed it. */
int ctl_child_get_status (int wait_status);
