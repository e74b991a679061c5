/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus.h"

/* A part of a region, under a lease of our own: proxied where the region has
 * that, since taking such a lease back costs nobody else his, else mapped. */
typedef struct _CtlWindow CtlWindow;

/* Whoever copies a window does so in parts of this size. */
#define CTL_WINDOW_CHUNK (1024 * 1024)

/* Which part. */
typedef struct
{
  guint64 offset;
  guint64 length; /* G_MAXUINT64: to the end */
} CtlRange;

/* From sizes as people write them; NULL for the beginning, and for the end. */
gboolean ctl_range_parse (const char *offset,
                          const char *length,
                          CtlRange   *range,
                          GError    **error);

/* Opens @range of @region, to read it or, with @writes, to write it. What is
 * not in the region is refused before anybody is asked for a password. */
CtlWindow *ctl_window_open (CtlBus         *bus,
                            const char     *device,
                            const char     *region,
                            gboolean        writes,
                            const CtlRange *range,
                            GError        **error);

guint64 ctl_window_get_offset (CtlWindow *window);
guint64 ctl_window_get_length (CtlWindow *window);

/* @at is in the window, and @length bytes are. In one access, where the kernel
 * does not cut it short. */
gboolean ctl_window_read  (CtlWindow *window,
                           guint64    at,
                           guint8    *bytes,
                           gsize      length,
                           GError   **error);
gboolean ctl_window_write (CtlWindow    *window,
                           guint64       at,
                           const guint8 *bytes,
                           gsize         length,
                           GError      **error);

/* Gives the lease back. An error when the lease had ended before:
 * then it is not known what became of what was written or read. */
gboolean ctl_window_close (CtlWindow *window,
                           GError   **error);

void ctl_window_free (CtlWindow *window);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlWindow, ctl_window_free)
