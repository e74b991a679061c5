/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* What is done to a device one after the other, and off the main thread where
 * it may block: opening, resetting, parking. */
typedef struct _RegiondTurns RegiondTurns;

typedef enum {
  REGIOND_TURN_OVER,  /* nothing to do any more; begin has finished with its data */
  REGIOND_TURN_SHORT, /* the work takes some microseconds: less than two threads to wake */
  REGIOND_TURN_LONG,  /* the work may block */
} RegiondTurnLength;

typedef struct {
  /* On the main thread, when the turn has come. */
  RegiondTurnLength (*begin) (gpointer data);
  /* On a worker thread if it is long, else at once. */
  void (*work) (gpointer data);
  /* On the main thread again. It finishes with its data. */
  void (*done) (gpointer data);
  /* On the main thread, where the owner's limit is over and the work has not come back: whoever waits
   * for it is answered. Done is called all the same, if it ever comes back. NULL: nobody waits. */
  void (*late) (gpointer data);
} RegiondTurn;

/* A long turn has not come back (@stuck); it has come back after all, and is done. */
typedef void (*RegiondTurnsFunc) (gpointer owner, gboolean stuck);

/* @owner has the turns and is kept alive while one runs or waits. @func (NULL
 * where there is no limit) is told with it. */
RegiondTurns *regiond_turns_new (GObject *owner, RegiondTurnsFunc func);

/* How long (ms) a long turn may take; 0, at first: without end. After that the owner
 * is told, then the turn itself that it is late; and while it has not come back
 * every other one begins as soon as it is pushed, and must find that it is over.
 * A turn that hangs takes no worker from others. */
void          regiond_turns_set_limit (RegiondTurns *self, guint limit);

/* Only when no turn is running or waiting. */
void          regiond_turns_free (RegiondTurns *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondTurns, regiond_turns_free)

/* Blocks until none is at work, without any being done by that: the service ends.
 * FALSE where that is still so @until (monotonic µs). */
gboolean      regiond_turns_wait (RegiondTurns *self, gint64 until);

/* Queues a turn; it may begin before this returns. */
void          regiond_turns_push (RegiondTurns *self, const RegiondTurn *turn, gpointer data);

/* While on hold no turn begins; one that has begun goes on. */
void          regiond_turns_hold (RegiondTurns *self, gboolean hold);
