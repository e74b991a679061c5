/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* One window of a device, addressed from offset 0. Never changed once somebody else
 * has it. */
typedef struct {
  char   *name;
  guint   index;
  guint64 size; /* bytes */
  char   *kind; /* "memory", … as in the Regions property */
  gboolean prefetchable; /* of a PCI device: reading has no side effects, writes may be combined */
  gboolean wide;         /* of a PCI device: its address has 64 bits */
} RegiondRegion;

/* A region of plain memory. @name matches [A-Za-z][A-Za-z0-9_.-]{0,31} and
 * @size is a multiple of the page size that is not 0, else InvalidArgs. */
RegiondRegion *regiond_region_new_memory (const char *name, guint index, guint64 size, GError **error);

/* Any other region, of which a backend knows that it is right. */
RegiondRegion *regiond_region_new (const char *name, guint index, guint64 size, const char *kind);
RegiondRegion *regiond_region_ref (RegiondRegion *self);
void           regiond_region_unref (RegiondRegion *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondRegion, regiond_region_unref)

#define REGIOND_REGION_MOST 64

/* A set of regions must have at least one, at most REGIOND_REGION_MOST, and no
 * name twice: InvalidArgs. */
gboolean       regiond_region_check_set (GPtrArray *regions, GError **error);

/* The region of that name among @regions, or NULL. */
RegiondRegion *regiond_region_find (GPtrArray *regions, const char *name);

/* The sum of the sizes, or G_MAXUINT64 where it does not fit. */
guint64        regiond_region_total_size (GPtrArray *regions);

/* Whether it takes the machine's memory while it is lent: plain memory, and the
 * snapshot of a ROM. */
gboolean       regiond_region_takes_memory (RegiondRegion *self);

/* So for those that take memory. */
guint64        regiond_region_total_memory (GPtrArray *regions);
