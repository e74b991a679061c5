/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus.h"

/* A part of a region, mapped, under a lease of our own. */
typedef struct _CtlWindow CtlWindow;

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

/* Opens @range of @region. @access: "rm" or "rwm". What is not in the region is
 * refused before anybody is asked for a password. */
CtlWindow *ctl_window_open (CtlBus         *bus,
                            const char     *device,
                            const char     *region,
                            const char     *access,
                            const CtlRange *range,
                            GError        **error);

guint8 *ctl_window_get_data   (CtlWindow *window);
guint64 ctl_window_get_offset (CtlWindow *window);
gsize   ctl_window_get_length (CtlWindow *window);

/* Unmaps it and gives the lease back. An error when the lease had ended before:
 * then it is not known what became of what was written or read. */
gboolean ctl_window_close (CtlWindow *window,
                           GError   **error);

void ctl_window_free (CtlWindow *window);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlWindow, ctl_window_free)
