/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What regiond promises, as a few tables: who has which lease, what of it is
 * left, what stands in whose memory. Each function is something that somebody
 * does, with everything that has to follow from it, settled: as it is when
 * nothing more will change by itself. */

#define MODEL_DEVICES 2
#define MODEL_REGIONS 2
#define MODEL_CELLS 4
#define MODEL_LEASES 64
#define MODEL_OBJECTS 256

/* Object paths. */
extern const char *const model_devices[MODEL_DEVICES];

/* In bytes. */
extern const gsize model_region_sizes[MODEL_REGIONS];

/* One memory object: what is written in the few places that are looked at. */
typedef struct {
  gboolean retired;
  guint64  cells[MODEL_CELLS];
} ModelObject;

typedef struct {
  char        *path;
  char        *owner; /* unique bus name; "" where it is detached */
  guint        uid;
  guint        process; /* with which it ends; 0: with none */
  guint        device, region;
  gboolean     proxied, reads, writes, exclusive;
  guint64      offset; /* of a part, in bytes */
  ModelObject *object;
  guint        references; /* fds and mappings, whoever has them */
  gboolean     active;
  const char  *reason; /* why it has ended; NULL: for one of two, whichever came first */
  gboolean     ending;
  gboolean     leaked; /* it has cost others their leases */
} ModelLease;

typedef struct {
  gboolean     tolerate[MODEL_DEVICES]; /* Linger=tolerate */
  ModelObject *current[MODEL_DEVICES][MODEL_REGIONS]; /* what the next lease gets; NULL: a fresh one */
  ModelLease   leases[MODEL_LEASES];
  guint        n_leases;
  ModelObject  objects[MODEL_OBJECTS];
  guint        n_objects;
} Model;

typedef enum {
  MODEL_FINE,
  MODEL_BUSY,
  MODEL_LINGERING,
  MODEL_NOT_FOUND,
  MODEL_NOT_SUPPORTED,
  MODEL_INVALID,
} ModelAnswer;

void        model_clear (Model *self);

/* Whether a lease could be had. */
ModelAnswer model_admits (Model *self, const char *owner, guint uid, guint device, gboolean exclusive);

/* Whether who shows an fd of @shown could get what @terms says. */
ModelAnswer model_admits_shown (Model *self, const ModelLease *shown, const ModelLease *terms);

/* A lease more, of whom and of what @terms says. */
ModelLease *model_open (Model *self, const ModelLease *terms);

/* One reference less. */
void        model_close (Model *self, ModelLease *lease);

/* Released or revoked: @reason. */
void        model_end (Model *self, ModelLease *lease, const char *reason);

/* A client has left the bus; a process has ended. */
void        model_leave (Model *self, const char *owner);
void        model_end_process (Model *self, guint process);

/* Whether the lease is that client's, of that user, to release. */
gboolean    model_may_release (const ModelLease *lease, const char *name, guint uid);

/* Whether @owner could reset the device; and that he does. */
ModelAnswer model_admits_reset (Model *self, const char *owner, guint device);
void        model_reset (Model *self, guint device);

/* Whether an ended lease is still shown: something of it is left. */
gboolean    model_lingers (const ModelLease *lease);
guint       model_count_active (Model *self, guint device);
guint       model_count_lingering (Model *self, guint device);
