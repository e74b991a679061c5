/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/backend.h"
#include "bond.h"
#include "client.h"
#include "regiond-dbus.h"
#include "terms.h"

/* One client's right to one region in one access mode: the object on the bus.
 * It knows whose it is and what it holds; when it ends is its device's and
 * tenancy's business. */
#define REGIOND_TYPE_LEASE (regiond_lease_get_type ())
G_DECLARE_FINAL_TYPE (RegiondLease, regiond_lease, REGIOND, LEASE, RegiondDBusLeaseSkeleton)

typedef struct _RegiondDevice RegiondDevice;

/* What a new lease is made of; everything else is copied or referenced. */
typedef struct {
  RegiondDevice    *device;
  RegiondWindow     window;
  RegiondMechanism  mechanism;
  RegiondRevocation revocation;
  const char       *label;
  RegiondClient    *client;
  RegiondHold      *hold;
  RegiondBond      *bond;      /* to the process with which it ends, which is taken; or NULL */
  GPtrArray        *questions; /* RegiondQuestion: what polkit has said yes to; NULL: it was not asked */
} RegiondLeaseTerms;

/* Not yet on the bus. @number is the last element of its path. */
RegiondLease   *regiond_lease_new (const RegiondLeaseTerms *terms, guint64 number);

/* From now on it ends with the process that it is tied to, if there is one. LimitExceeded or
 * Failed when the kernel gives no watch. */
gboolean        regiond_lease_watch_process (RegiondLease *self, GError **error);

/* Puts it on the bus, takes it off. */
void            regiond_lease_export (RegiondLease *self);
void            regiond_lease_unexport (RegiondLease *self);

const char     *regiond_lease_get_path (RegiondLease *self);
RegiondDevice  *regiond_lease_get_device (RegiondLease *self);
RegiondClient  *regiond_lease_get_client (RegiondLease *self);
RegiondHold    *regiond_lease_get_hold (RegiondLease *self);

/* What it is a lease of: the region is the device's. */
const RegiondWindow *regiond_lease_get_window (RegiondLease *self);

/* What polkit has said yes to (RegiondQuestion). */
GPtrArray      *regiond_lease_get_questions (RegiondLease *self);

/* Whether it has ended, and if so whether its leak has superseded others. */
gboolean        regiond_lease_has_ended (RegiondLease *self);
gboolean        regiond_lease_is_leaked (RegiondLease *self);
void            regiond_lease_set_leaked (RegiondLease *self);

/* Until when a reference of an ended lease may still be that of a process that
 * is dying (monotonic µs); 0: it has had its time. */
gint64          regiond_lease_get_patience (RegiondLease *self);
void            regiond_lease_set_patience (RegiondLease *self, gint64 until);
gboolean        regiond_lease_is_patient (RegiondLease *self);

/* What has become of the access of a lease that has ended, and of which
 * something is left. */
typedef enum {
  REGIOND_CUT_DONE,    /* nothing of the device is reached by it any more */
  REGIOND_CUT_PENDING, /* it may be a dying process's, or is being cut, for REGIOND_CUT_MOST_MS at the most */
  REGIOND_CUT_FAILED,  /* it cannot be cut: only the holder's own close or death ends it */
} RegiondCut;

#define REGIOND_CUT_MOST_MS (10 * 1000)

RegiondCut      regiond_lease_get_cut (RegiondLease *self);

/* Takes the access away; once. */
void            regiond_lease_cut (RegiondLease *self);

/* Answers who has revoked it and waits, unless the cut is still pending. */
void            regiond_lease_settle (RegiondLease *self);

/* Tells the owner that it will end in @grace ms. */
void            regiond_lease_warn (RegiondLease *self, const char *reason, guint grace);

void            regiond_lease_set_state (RegiondLease *self, RegiondLeaseState state);

/* Marks it ended: tells the owner alone, writes the log line, leaves its
 * client. Nothing is cut by this. */
void            regiond_lease_end (RegiondLease *self, RegiondEnd end);
