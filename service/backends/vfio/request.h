/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"

/* The kernel's request for a device: it is to be unplugged or unbound, and that
 * waits until the handle is closed. */

typedef void (*RegiondRequestFunc) (gpointer data);

/* Calls @func on the main thread, once, when the device of @handle is wanted back.
 * @data is let go of with @destroy, when that cannot happen any more. NULL where the
 * kernel has no such event. */
GSource *regiond_request_listen (RegiondHandle *handle, RegiondRequestFunc func, gpointer data,
                                 GDestroyNotify destroy);

/* Any thread; NULL is nothing. */
void     regiond_request_end (GSource *source);
