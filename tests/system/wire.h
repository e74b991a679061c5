/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/*
 * What test and client say to each other over a SOCK_SEQPACKET pair: one
 * message is a list of strings, with at most one descriptor.
 */

/* FD: -1 for none; it stays the caller's. FALSE when the other side is gone. */
gboolean wire_send (int socket_fd,
                    const char *const *strings,
                    int fd);

/* NULL when the other side is gone. FD: the descriptor that came along, or -1. */
char **wire_receive (int socket_fd,
                     int *fd);

/* The same over any socket, for descriptors alone. */
gboolean wire_send_fd (int socket_fd,
                       int fd);
