/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A FUSE file, served in the least way there is. */

#pragma once

#include "bench.h"

#include <fuse_lowlevel.h>

#define BARE_SIZE 65536

/*
 * A session with a file of BARE_SIZE bytes that @uid may open: on a connection
 * that blocks, with regiond's own mount options, and the mount's fd, which the
 * caller closes.
 */
struct fuse_session *bare_session_new (uid_t uid, int *mount);
