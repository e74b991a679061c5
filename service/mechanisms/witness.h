/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A witness tells whether one open file description is still alive, whoever
 * has it: the exact answer that F_SETLEASE gives for a whole file only.
 *
 * A description keeps the credentials of the thread that opened it (struct
 * file's f_cred) until its last release: through dups, mappings whose fd is
 * closed, copies unread in a socket, files registered with io_uring. The
 * credentials keep their session keyring. So each description is opened under
 * a session keyring of its own that nothing else refers to, and when the
 * keyring is gone (ENOKEY) so is the description. The holder can do nothing
 * about it: the keyring is not his, and no system call gives up f_cred.
 * credentials(7), session-keyring(7), keyctl(2); kernel/cred.c, fs/file_table.c.
 * The kernel frees credentials after RCU grace periods, so the news comes some
 * 10 to 50 ms late. A false "gone" cannot happen. A serial number that the
 * kernel uses again, at random among 2^31, would read "alive" until that
 * keyring goes as well. */
typedef struct {
  gint32 keyring; /* its serial number; 0: this kernel gives no witness */
} RegiondWitness;

/* Opens @path with @flags and sets @witness for the description. Returns the
 * fd, or -1 with errno. Any thread; it changes the calling thread's session
 * keyring. Without CONFIG_KEYS, or with the quota of keys used up, the file is
 * opened all the same and @witness->keyring is 0. */
int regiond_witness_open (RegiondWitness *witness, const char *path, int flags);

/* Whether this kernel gives session keyrings. Tried out once, on a thread of
 * its own. */
gboolean regiond_witness_is_available (void);

/* TRUE only if it is proved that the description is gone. */
gboolean regiond_witness_is_gone (const RegiondWitness *witness);
