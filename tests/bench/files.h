/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files to compare proxied ones with. */

#pragma once

#include <glib.h>

#define BENCH_FILES_MOST 64

/* Opens @count files of the bare FUSE server that listens at @socket; a process
 * of its own serves them, with as many threads. */
void bench_bare_files (const char *socket, int *fds, guint count);
