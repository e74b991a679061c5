/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* A process of some user that does nothing until it is ended: leases are tied to it. */
typedef struct {
  GPid  pid;   /* 0: it has ended, or was never begun */
  int   pidfd; /* also of one that has ended; 0: there is none */
  int   leash; /* with which it ends if this process does */
  guint number; /* of all that have been begun, from 1 */
} Process;

/* Begins another one in its place, with the effective user of this thread. */
void process_start (Process *self);

/* SIGKILL, and waits until it has gone. */
void process_end (Process *self);

/* Ends it if need be, and keeps no pidfd. */
void process_clear (Process *self);
