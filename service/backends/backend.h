/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mechanisms/hold.h"
#include "region.h"
#include "terms.h"

#include <gio/gio.h>

/* What a device is made of. A backend knows neither D-Bus nor polkit, and
 * decides nothing: the device calls it, at the right time. The blocking calls
 * come from worker threads, never two at once for one backend; the others from
 * the main thread, possibly meanwhile. */
#define REGIOND_TYPE_BACKEND (regiond_backend_get_type ())
G_DECLARE_DERIVABLE_TYPE (RegiondBackend, regiond_backend, REGIOND, BACKEND, GObject)

/* What somebody asks for: a part of a region, in one access mode. */
typedef struct {
  RegiondRegion *region;
  guint64        offset; /* in the region, in bytes */
  guint64        length;
  RegiondAccess  access;
  guint32        uid; /* who will hold it */
} RegiondWindow;

struct _RegiondBackendClass {
  GObjectClass parent_class;

  const char        *name;          /* "memory" */
  const char        *isolation;     /* as in the Isolation property */
  const char *const *reset_methods; /* NULL-terminated, the preferred first */

  RegiondMechanism (*find_mechanism) (RegiondBackend *self, RegiondRegion *region, RegiondAccess access,
                                      GError **error);
  RegiondRevocation (*get_revocation) (RegiondBackend *self, RegiondMechanism mechanism);
  void (*list_proofs) (RegiondBackend *self, GPtrArray *proofs);
  gboolean (*spend) (RegiondBackend *self, RegiondRegion *region);
  gboolean (*is_quick) (RegiondBackend *self, const RegiondWindow *window);
  gboolean (*attach) (RegiondBackend *self, GCancellable *cancellable, GError **error);
  RegiondHold *(*open_region) (RegiondBackend *self, const RegiondWindow *window, int *fd, GError **error);
  gboolean (*reset) (RegiondBackend *self, gboolean leased, GError **error);
  gboolean (*park) (RegiondBackend *self, GError **error);
};

/* The mechanism that serves @access to @region. NONE with NotSupported, whose
 * message is the reason and what could be had instead. */
RegiondMechanism  regiond_backend_find_mechanism (RegiondBackend *self, RegiondRegion *region, RegiondAccess access,
                                                  GError **error);

/* What @mechanism guarantees on this device. */
RegiondRevocation regiond_backend_get_revocation (RegiondBackend *self, RegiondMechanism mechanism);

/* Adds how it can be known here that references are gone ("setlease", …):
 * static strings. */
void              regiond_backend_list_proofs (RegiondBackend *self, GPtrArray *proofs);

/* The last lease on @region has ended, or (NULL) the last one on the device:
 * what was lent of it is never lent again. At once. TRUE when there is
 * something left to do that may block: to be parked, or attached once more. */
gboolean          regiond_backend_spend (RegiondBackend *self, RegiondRegion *region);

/* Whether attaching and opening @window would take some microseconds now. */
gboolean          regiond_backend_is_quick (RegiondBackend *self, const RegiondWindow *window);

/* Isolates the device and makes it fresh where it is not both already; takes
 * all its resources at once. Blocks. LimitExceeded, ResetFailed, Failed,
 * G_IO_ERROR_CANCELLED; what has been taken by then is let go by parking. */
gboolean          regiond_backend_attach (RegiondBackend *self, GCancellable *cancellable, GError **error);

/* An fd for one lease on an attached device. Blocks. NULL without an error:
 * what was attached has been spent meanwhile, attach again. */
RegiondHold      *regiond_backend_open_region (RegiondBackend *self, const RegiondWindow *window, int *fd,
                                               GError **error);

/* Resets the device; if it is @leased, under its tenants. Blocks. */
gboolean          regiond_backend_reset (RegiondBackend *self, gboolean leased, GError **error);

/* After the last lease: resets the device, and lets go of every resource that
 * need not be kept. Blocks. */
gboolean          regiond_backend_park (RegiondBackend *self, GError **error);
