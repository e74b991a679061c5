/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bond.h"
#include "device.h"

#include <gio/gunixfdlist.h>

/* What somebody asks for when a region is to be opened, and what of it can be
 * had: the same for OpenRegion and for Explain. */
typedef struct {
  RegiondDevice    *device;
  RegiondWindow     window; /* its region is the device's */
  char             *least;  /* the option "revocation", or NULL */
  char             *label;
  gboolean          interactive;
  RegiondBond      *bond;   /* to the process that the lease is tied to, or NULL */
  gboolean          detach; /* from the bus name that asks */
  RegiondLease     *shown;  /* by its fd, as a proof; or NULL */
  RegiondProof      proof;  /* by which; the fd is none any more */
  RegiondMechanism  mechanism; /* NONE and ON_CLOSE until it is settled */
  RegiondRevocation revocation;
} RegiondRequest;

/* Reads the arguments of OpenRegion. @fds: the descriptors that came along, which are
 * left where they are, or NULL. NotFound (the region, the process), InvalidArgs. */
RegiondRequest *regiond_request_new (RegiondDevice *device, const char *region, const char *access, GVariant *options,
                                     GUnixFDList *fds, GError **error);

/* What may be asked for by who shows an fd: the options of AttachLease. */
typedef struct {
  RegiondAccess access; /* 0: what is shown */
  const char   *label;
  const char   *least;
  gboolean      interactive;
} RegiondShare;

/* Reads them; the strings belong to @options. InvalidArgs. */
gboolean        regiond_share_read (RegiondShare *self, GVariant *options, GError **error);

/* What @lease is of, once more, with the access that @proof shows or another that is asked for. */
RegiondRequest *regiond_request_new_shown (RegiondLease *lease, const RegiondProof *proof, const RegiondShare *share);

void            regiond_request_free (RegiondRequest *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondRequest, regiond_request_free)

/* Who will have the lease, if @caller asks: the caller, or a process. A reference. */
RegiondClient  *regiond_request_find_holder (RegiondRequest *self, RegiondClient *caller);

/* Finds mechanism and revocation. FALSE where it cannot be had, whoever asks:
 * NotSupported (also for more than was shown), Lingering or Busy says why, and what could be had
 * instead. */
gboolean        regiond_request_settle (RegiondRequest *self, GError **error);

/* Whether @client could have it now, by all that can be seen at once: the errors
 * of regiond_device_admits(); where a lease was shown, Gone when it has ended and the proof shows no
 * other, and Busy or NotSupported where its device is not one to be shared so; Busy where mechanism or revocation is no longer
 * what it was settled to be, which is what polkit was asked about. */
gboolean        regiond_request_check (RegiondRequest *self, RegiondClient *client, GError **error);

/* What a lease for @client costs; it refers to both. */
RegiondPurchase regiond_request_make_purchase (RegiondRequest *self, RegiondClient *client);

/* The same check with the ledger's word on top: whether it is worth asking polkit. */
gboolean        regiond_request_is_worthwhile (RegiondRequest *self, RegiondClient *client, GError **error);

/* What polkit is asked about it, for the sender of @invocation: whether he may have it; and
 * whether he may have it for the process. */
RegiondQuestion *regiond_request_make_question (RegiondRequest *self, GDBusMethodInvocation *invocation);
RegiondQuestion *regiond_request_make_delegation (RegiondRequest *self, GDBusMethodInvocation *invocation);
