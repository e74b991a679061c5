/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib-object.h>

/* The bytes behind a region: what leases of it are made of, and what proxied
 * accesses reach. A backend gives one for each region that it lends. Any
 * thread; accesses may come several at once, never across the end. */
#define REGIOND_TYPE_SOURCE (regiond_source_get_type ())
G_DECLARE_INTERFACE (RegiondSource, regiond_source, REGIOND, SOURCE, GObject)

struct _RegiondSourceInterface {
  GTypeInterface parent;

  gboolean is_quick; /* no access ever waits for anything but memory */

  gboolean (*is_retired) (RegiondSource *self);
  int (*read) (RegiondSource *self, guint64 offset, gsize width, gpointer buffer, const guint8 **bytes);
  int (*write) (RegiondSource *self, guint64 offset, gsize width, const guint8 *bytes);
  void (*end) (RegiondSource *self); /* NULL: every access is one */
};

gboolean regiond_source_is_quick (RegiondSource *self);

/* Whether it is never lent again. */
gboolean regiond_source_is_retired (RegiondSource *self);

/* Reads @width bytes at @offset, in one access of that width. Sets @bytes to
 * where they are: @buffer, which has room for them, or memory that lives as
 * long as @self and is for system calls alone (touched by hand it may be
 * SIGBUS). Returns 0 or an errno: EINVAL for a width that cannot be had. */
int      regiond_source_read (RegiondSource *self, guint64 offset, gsize width, gpointer buffer, const guint8 **bytes);

/* Writes so, all of it or nothing. Returns 0 or an errno. */
int      regiond_source_write (RegiondSource *self, guint64 offset, gsize width, const guint8 *bytes);

/* The proxied lease has ended. An access that is made in pieces, which only a source
 * does that is one lease's own, stops before the next one with ENOTCONN. */
void     regiond_source_end (RegiondSource *self);
