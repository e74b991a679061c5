/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "world.h"

/* What a service that runs for long could pile up, as the kernel and the bus have it. */
typedef struct
{
  guint fds;     /* GLib's threads have eventfds that come and go: not counted */
  guint watches; /* of inotify and epoll, in its fdinfo */
  guint mounts;  /* that it sees */
  guint threads;
  guint keys;    /* root's, so those of other programs as well */
  guint memory;  /* KiB of its own that are resident, freed memory given back before */
  char *objects; /* on the bus, one a line */
} Figures;

/* Waits until no lease is left, and for the memory to be given back, then looks. */
Figures *figures_new (World *world);
void figures_free (Figures *figures);

/* One line of them all. */
void figures_tell (Figures *figures,
                   const char *when);

/* Whether a sanitizer keeps what is freed, and slows everything down. */
gboolean figures_have_sanitizer (void);

/*
 * AFTER has no more of anything than BEFORE, for COUNT leases between them, and
 * there come to be no more keys, of which other programs may have some for a while. Of
 * memory it may have LEAST KiB more, or 20 bytes a lease if that is more; with
 * a sanitizer, memory is left to its own leak check.
 */
void figures_compare (Figures *before,
                      Figures *after,
                      guint count,
                      guint least);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Figures, figures_free)
