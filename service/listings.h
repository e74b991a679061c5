/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"

#include <gio/gio.h>

/* Answers GetManagedObjects, the one call that needs no right and keeps the main
 * thread long: 0.2 s with 1,000 leases. One is answered at a time, and other
 * calls in between; users take turns (queue.h). So the bus library does not get
 * to see these calls. Main thread, but for what says otherwise. */
typedef struct _RegiondListings RegiondListings;

/* How many of one user may be unanswered. */
#define REGIOND_LISTINGS_EACH 4

RegiondListings *regiond_listings_new (GDBusConnection *connection);
RegiondListings *regiond_listings_ref (RegiondListings *self);   /* any thread, and this too: */
void             regiond_listings_unref (RegiondListings *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondListings, regiond_listings_unref)

/* What there is to list, and who asks; both stay until regiond_listings_stop(). */
void             regiond_listings_start (RegiondListings *self, GDBusObjectManager *objects, RegiondClients *clients);

/* Nobody is answered any more. */
void             regiond_listings_stop (RegiondListings *self);

/* Takes a @call that wants an answer, and answers it when it is its turn;
 * LimitExceeded when the user has too many. Any thread. @self: the listings. */
void             regiond_listings_take (gpointer self, GDBusMessage *call);
