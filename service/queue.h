/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What waits for one of a few places, fair between users: whoever has been
 * served least is next, and of equals the one who came last. So a call waits
 * for at most one of each other user's, however many those have waiting. One
 * user's own are served in order. (Start-time fair queueing: each user has a
 * tag, which grows by one when he is served and never lags behind the tag of
 * the one served last, so that nobody saves up for later.) */
typedef struct _RegiondQueue RegiondQueue;

/* @places: how many are served at once; @share: how many of one user;
 * @reserve: how many more places there are for users who have none. */
RegiondQueue *regiond_queue_new (guint places, guint share, guint reserve);

/* Only when nothing waits. */
void          regiond_queue_free (RegiondQueue *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondQueue, regiond_queue_free)

void          regiond_queue_push (RegiondQueue *self, guint32 uid, gpointer item);

/* The next one, which has a place until regiond_queue_done(). NULL: nobody who
 * may have a place waits. */
gpointer      regiond_queue_serve (RegiondQueue *self);
void          regiond_queue_done (RegiondQueue *self, guint32 uid);

/* Who would be served next, were there any place; and how many have one. */
gpointer      regiond_queue_peek (RegiondQueue *self);
guint         regiond_queue_count_served (RegiondQueue *self);

/* Takes one that waits out of the queue. */
void          regiond_queue_withdraw (RegiondQueue *self, guint32 uid, gpointer item);

/* Takes any that waits out of the queue, whether there is a place or not. */
gpointer      regiond_queue_steal (RegiondQueue *self);

/* How many the user has waiting or in places. */
guint         regiond_queue_count (RegiondQueue *self, guint32 uid);
