/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* What polkit and regiond tell of a policy that changes, by the clock of who listens: in µs. */
typedef struct
{
  GDBusConnection *bus;
  guint subscriptions[2];
  gint64 changed; /* polkit's first announcement; 0: none */
  gint64 ended;   /* the last lease that was withdrawn */
  guint withdrawn;
} Ear;

/* Returns when it hears. SIGNAL: "Ended", which the owner of a lease is told, or "LeaseEnded", which everybody is. */
Ear *ear_new (GDBusConnection *bus,
              const char *signal);
void ear_free (Ear *ear);

/* Nothing that was told so far counts. */
void ear_forget (Ear *ear);

/* Listens until COUNT leases are withdrawn; how long after polkit's announcement the last one was, in µs.
 * Ends the program after MILLISECONDS. */
gint64 ear_wait_withdrawn (Ear *ear,
                           guint count,
                           guint milliseconds);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Ear, ear_free)
