/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/backend.h"
#include "budget.h"
#include "mechanisms/server.h"
#include "watch.h"

/* A device of shared memory: each region is a memfd, made at the first open
 * and never lent again after the last close. */
#define REGIOND_TYPE_MEMORY_BACKEND (regiond_memory_backend_get_type ())
G_DECLARE_FINAL_TYPE (RegiondMemoryBackend, regiond_memory_backend, REGIOND, MEMORY_BACKEND, RegiondBackend)

typedef struct {
  GPtrArray *regions;  /* RegiondRegion */
  gboolean   persist;  /* contents stay from the last close to the next open */
  gboolean   tolerate; /* an object with leaked references stays with its other tenants */
} RegiondMemorySetup;

/* What all memory devices share. */
typedef struct {
  RegiondWatch  *watch;
  RegiondBudget *budget;
  RegiondServer *server; /* of proxied files */
} RegiondMemoryMeans;

/* Declares the sizes to the budget (twice where @setup->persist: the contents
 * are copied into a fresh object); LimitExceeded. Takes no memory yet. Keeps
 * references of @setup->regions and of the means. */
RegiondBackend *regiond_memory_backend_new (const char *id, const RegiondMemorySetup *setup,
                                            const RegiondMemoryMeans *means, GError **error);
