/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model.h"

/* Something through which a region can be reached, and what must be seen
 * through it. What is seen otherwise is a finding. */

typedef enum {
  REFERENCE_NONE,
  REFERENCE_FD,
  REFERENCE_MAP,
  REFERENCE_PIN, /* a page in a pipe: no reference to any proof, and it stays */
} ReferenceKind;

typedef struct {
  ReferenceKind kind;
  ModelLease   *lease;
  guint         holder;  /* a client */
  int           fd, end; /* of a pin: both ends of the pipe */
  guint8       *memory;
  gboolean      parted;  /* a pin, from its object: that was emptied */
  guint64       cells[MODEL_CELLS];
} Reference;

/* Where a part of a region begins, in bytes. */
#define REFERENCE_PART 24

/* Shared memory is as its object has it; what is proxied fails once its lease
 * has ended. A pin is looked at when it is closed. */
void     reference_check (const Reference *self);

/* Makes one more of another. FALSE where there is no such thing. */
gboolean reference_map (Reference *self, const Reference *other);
gboolean reference_pin (Reference *self, const Reference *other);

/* The object of a pin is emptied: its page is another one's from now on. */
void     reference_part (Reference *self);

/* Writes to one cell, and to that of the model. */
void     reference_write (Reference *self, guint cell, guint64 value);

/* The model is the caller's business. */
void     reference_close (Reference *self);
