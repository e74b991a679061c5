/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* An epoll set with the open file descriptions of one kind of file; none is ever waited for. */
int      descriptions_new (void);

/* Adds what @fd is of, under a number. Returns 0 or errno. */
int      descriptions_add (int set, int fd, guint64 number);

/* Whether the kernel still lists one under that number (/proc/self/fdinfo). */
gboolean descriptions_list (int set, guint64 number);
guint    descriptions_count (int set);

/* A new session keyring for the calling thread: its serial. */
gint32   keyring_join (void);

/* errno of KEYCTL_DESCRIBE for it, 0 if it worked: ENOKEY once it is gone. */
int      keyring_describe (gint32 serial);
