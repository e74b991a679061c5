/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mechanisms/hold.h"
#include "mechanisms/server.h"
#include "mechanisms/source.h"
#include "mechanisms/transfers.h"
#include "watch.h"

#include <gio/gio.h>

/* The proxied file of one lease: a FUSE file of its own, on a connection of
 * its own, that shows a window of a source as a regular file from offset 0.
 * Every open, read and write of it is answered here, and stops for good the
 * moment it is cut, in whatever process a copy is: the kernel ends the
 * connection. Opens are counted; when the last one is released, so is the
 * lease. While an access is under way that the cut came too late for, the hold
 * is being cut, and not gone. */
#define REGIOND_TYPE_PROXY (regiond_proxy_get_type ())
G_DECLARE_FINAL_TYPE (RegiondProxy, regiond_proxy, REGIOND, PROXY, RegiondHold)

typedef struct {
  RegiondSource *source;
  guint64        offset; /* the window in the source, in bytes */
  guint64        length;
  RegiondAccess  access; /* without REGIOND_ACCESS_MAP */
  guint32        uid;    /* who may open it again, and has it in fstat */
} RegiondProxyTerms;

/* The server that all proxied files need. */
RegiondServer *regiond_proxy_server_new (void);

/* Makes the file and opens it: sets @fd, which the caller closes once it is on
 * its way. Blocks; not for one of the server's threads. NotSupported where FUSE
 * is missing, LimitExceeded when there are no more fds, watches or sessions
 * (896: libfuse takes a thread-specific key for each, of which the C library
 * has 1,024), Failed. */
RegiondHold   *regiond_proxy_open (RegiondServer *server, RegiondWatch *watch, const RegiondProxyTerms *terms, int *fd,
                                   GError **error);
