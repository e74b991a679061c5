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
  gboolean       write_combining; /* of a mapping */
  gboolean       exclusive;       /* nobody else has a lease on the device meanwhile */
  guint32        uid; /* who will hold it */
} RegiondWindow;

struct _RegiondBackendClass {
  GObjectClass parent_class;

  const char *name;   /* "memory" */
  gboolean    severs; /* nothing is handed out anew while an ended lease may still reach the device */

  const char *(*get_isolation) (RegiondBackend *self);
  const char *const *(*get_reset_methods) (RegiondBackend *self);
  GPtrArray *(*get_regions) (RegiondBackend *self);
  gboolean (*check) (RegiondBackend *self, GError **error);
  gboolean (*is_isolated) (RegiondBackend *self);
  guint (*count_remains) (RegiondBackend *self);
  RegiondMechanism (*find_mechanism) (RegiondBackend *self, RegiondRegion *region, RegiondAccess access,
                                      GError **error);
  RegiondRevocation (*get_revocation) (RegiondBackend *self, RegiondMechanism mechanism);
  void (*list_proofs) (RegiondBackend *self, GPtrArray *proofs);
  gboolean (*spend) (RegiondBackend *self, RegiondRegion *region);
  gboolean (*is_quick) (RegiondBackend *self, const RegiondWindow *window);
  gboolean (*attach) (RegiondBackend *self, GCancellable *cancellable, GError **error);
  RegiondHold *(*open_region) (RegiondBackend *self, const RegiondWindow *window, int *fd, GError **error);
  gboolean (*reset) (RegiondBackend *self, gboolean leased, GError **error);
  gboolean (*settle) (RegiondBackend *self, GError **error);
  gboolean (*recover) (RegiondBackend *self, GError **error); /* NULL: there are never remains */
  gboolean (*park) (RegiondBackend *self, GError **error);
  gboolean (*abandon) (RegiondBackend *self, GError **error); /* NULL: as park */
  void (*leaving) (RegiondBackend *self, guint grace); /* before whoever listens; NULL: nothing to prepare */
};

/* Signals, all on the main thread:
 * "changed": what the functions below answer may have changed, regions included.
 * "failed" (GError): isolation, a cut or a reset has failed, outside any call:
 *   nothing may be handed out until a reset succeeds.
 * "leaving" (guint): the kernel or UnbindDevice wants the device back, and waits
 *   until it is let go of by being parked, but for so many milliseconds only.
 *   Whatever is left of leases, the next park lets go. */
void              regiond_backend_emit_changed (RegiondBackend *self);
void              regiond_backend_emit_failed (RegiondBackend *self, const GError *failure);
void              regiond_backend_emit_leaving (RegiondBackend *self, guint grace);

/* As in the Isolation property: what keeps the device from memory that is not
 * its own while it is lent. A static string. */
const char       *regiond_backend_get_isolation (RegiondBackend *self);

/* How it can be reset, the preferred first; NULL-terminated, and the backend's. */
const char *const *regiond_backend_get_reset_methods (RegiondBackend *self);

/* Its regions (RegiondRegion), a reference. A backend that comes to know more of
 * its device makes a new array with the same regions and more, and is "changed". */
GPtrArray        *regiond_backend_get_regions (RegiondBackend *self);

/* Whether anything that can be seen at once is in the way of opening any
 * region: NotIsolated, Busy, Gone. Does not block. */
gboolean          regiond_backend_check (RegiondBackend *self, GError **error);

/* Whether the device is attached, and isolated as it has to be: the core hands
 * nothing out before. Any thread. */
gboolean          regiond_backend_is_isolated (RegiondBackend *self);

/* How many references there still are of what was lent before the service was
 * started: they count like those of ended leases. Once there are none there never are. */
guint             regiond_backend_count_remains (RegiondBackend *self);

/* The mechanism that serves @access to @region now. NONE with NotSupported,
 * Lingering or Busy, whose message is the reason and what could be had instead. */
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

/* No reference of any ended lease is left any more: what was held against them
 * (a claim) is let go. There may be active leases. Blocks. */
gboolean          regiond_backend_settle (RegiondBackend *self, GError **error);

/* While there are remains: takes the device from whoever has them, for as long as there
 * are, then is parked without having been attached. Nothing is done where that has been
 * done. Blocks. Busy, Failed, …: what cannot be done now may be tried again. */
gboolean          regiond_backend_recover (RegiondBackend *self, GError **error);

/* After the last lease: resets the device, and lets go of every resource that
 * need not be kept; nothing is done where that has been done already. Blocks. */
gboolean          regiond_backend_park (RegiondBackend *self, GError **error);

/* The service ends: parks, and lets go of everything, whatever is left of leases;
 * that must not reach the device afterwards. Blocks. */
gboolean          regiond_backend_abandon (RegiondBackend *self, GError **error);
