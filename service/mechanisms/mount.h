/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* FUSE file systems that are mounted nowhere: each is a single regular file,
 * reached through the fd of its detached mount and in no other way. No mount
 * table lists it, and the kernel drops it with the last fd of the file
 * (fsopen(2), fsmount(2); tests/vm/test-facts-fuse.c shows it). */

/* A connection: an fd of /dev/fuse that does not block. -1 with NotSupported,
 * or LimitExceeded when there are no more fds. */
int      regiond_mount_connect (GError **error);

/* Mounts the file that is served through @connection. Returns the mount's fd;
 * opening "/proc/self/fd/N" opens the file, once somebody serves it. -1 with
 * NotSupported or LimitExceeded. */
int      regiond_mount_file (int connection, GError **error);

/* Tries both out. NotSupported with the reason. */
gboolean regiond_mount_probe (GError **error);
