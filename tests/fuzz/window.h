/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mechanisms/source.h"

/* A source for one proxied file, of which a window may be reached and nothing
 * else: an access beyond it, or after nothing may come any more, is a finding.
 * There are quick ones, and slow ones that can be made to wait. */
#define FUZZ_TYPE_WINDOW (fuzz_window_get_type ())
G_DECLARE_DERIVABLE_TYPE (FuzzWindow, fuzz_window, FUZZ, WINDOW, GObject)

struct _FuzzWindowClass {
  GObjectClass parent_class;
};

#define WINDOW_SOURCE_SIZE (20 * 1024)

typedef struct {
  guint64  offset, length; /* in the source */
  gsize    most_width;     /* a wider access is EINVAL; 0: any will do */
  gboolean quick;
} FuzzWindowTerms;

FuzzWindow *fuzz_window_new (const FuzzWindowTerms *terms);

/* What is in the source now: WINDOW_SOURCE_SIZE bytes for @bytes. */
void        fuzz_window_copy (FuzzWindow *self, guint8 *bytes);

/* Lets accesses through, or makes them wait once they have begun. */
void        fuzz_window_let (FuzzWindow *self, gboolean open);

/* From now on no access may come. */
void        fuzz_window_forbid (FuzzWindow *self);

/* How many accesses have begun in all, and how many are under way. */
guint       fuzz_window_count_begun (FuzzWindow *self);
guint       fuzz_window_count_inside (FuzzWindow *self);

/* Of the last access. */
gsize       fuzz_window_get_width (FuzzWindow *self);
