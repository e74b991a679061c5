/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "sandbox.h"

#define CONTAINER_BUNDLE SANDBOX_DIR "/bundle"

/* What regionctl exec is given to run it. */
#define CONTAINER_RUN \
  "env", "XDG_RUNTIME_DIR=" SANDBOX_DIR "/alice", "crun", "run", "--bundle", CONTAINER_BUNDLE, "ring"

/*
 * Makes alice a container: the installed example's, with busybox, and with the shell
 * SCRIPT for its program. FALSE, and the test is skipped, where there is no crun.
 */
gboolean container_make (const char *script);

/* Puts the program PATH into it, as /bin/NAME. */
void container_furnish (const char *path,
                        const char *name);
