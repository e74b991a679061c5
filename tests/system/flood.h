/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "process.h"

/* Some connections of one user that call and never read: flooder.c. */
typedef struct
{
  Process *process;
  int control;
  guint n; /* connections */
} Flood;

/* Connects, and calls nothing yet. */
Flood *flood_new (uid_t uid,
                  guint n);

/* TIMES calls of OpenRegion on each connection; does not wait until they are sent. */
void flood_open (Flood *flood,
                 const char *device,
                 const char *region,
                 const char *access,
                 guint times);

/* TIMES calls of the peer's Drop on each connection; does not wait either. */
void flood_drop (Flood *flood,
                 guint times);

/* Release of this lease by whichever connection has it. */
void flood_release (Flood *flood,
                    const char *path);

/* Whether it has sent all it can; then it answers how many calls, into SENT. */
gboolean flood_has_sent (Flood *flood,
                         guint *sent);
guint flood_wait_sent (Flood *flood);

/* SIGKILL, unless it is dead. */
void flood_free (Flood *flood);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Flood, flood_free)
