/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <fuse3/fuse_lowlevel.h>
#include <gio/gio.h>

/* The threads that serve proxied files. One of them has the lead: it alone
 * waits for requests, of all connections at once, and answers them itself as
 * long as that takes no time. Before an access that may block it hands the
 * lead over. So there is always somebody who reads what comes (a client that
 * is killed, above all, and must not wait), a fast access costs no switch of
 * threads, and a connection that is idle costs none at all. */
typedef struct _RegiondServer RegiondServer;

/* A thread, while it serves. */
typedef struct {
  RegiondServer  *server;
  gboolean        leads;
  struct fuse_buf request; /* what it has read last; it is the thread's own */
  guint8         *scratch; /* REGIOND_SERVER_SCRATCH bytes for an answer */
} RegiondServerThread;

#define REGIOND_SERVER_SCRATCH (1024 * 1024)

/* Called by the leading thread when there is something to read on the
 * connection of @client. */
typedef void (*RegiondServeFunc) (gpointer client, RegiondServerThread *thread);

/* Starts no thread yet. Where FUSE cannot be had the server is there all the
 * same, and says why. */
RegiondServer *regiond_server_new (RegiondServeFunc serve);
RegiondServer *regiond_server_ref (RegiondServer *self);

/* The threads end when the last reference but their own is gone. */
void           regiond_server_stop (RegiondServer *self);
void           regiond_server_unref (RegiondServer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondServer, regiond_server_unref)

/* NotSupported with the reason. Tried out when the server was made. */
gboolean       regiond_server_is_available (RegiondServer *self, GError **error);

/* Serves @connection for @client, an object that it keeps, until it is cut.
 * Sets @number, never to 0, before it serves it for the first time. FALSE with
 * LimitExceeded or Failed. */
gboolean       regiond_server_add (RegiondServer *self, int connection, GObject *client, guint64 *number,
                                   GError **error);

/* Stops serving a connection and closes it, for good: the kernel then answers
 * ENOTCONN on every file of it, and to each request that it still has. What is
 * left in its place is an fd of /dev/null, so that no thread that is about to
 * use the number meets another file. Never fails. Any thread; TRUE the first
 * time. */
gboolean       regiond_server_cut (RegiondServer *self, guint64 number, int connection);

/* Lets another thread lead. FALSE when there is none and none can be made: then
 * nothing that blocks must be done. */
gboolean       regiond_server_hand_over (RegiondServerThread *thread);
