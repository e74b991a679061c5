/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"
#include "backends/vfio/sysfs.h"

/* A device on vfio-pci, awake, its group held, as regiond has it while it is lent:
 * for tests of single parts of the service, in the test's own process. */
typedef struct {
  char *address;
  RegiondSysfs *sysfs;
  RegiondContainer *container;
  RegiondHandle *handle; /* while it is open */
} Bound;

/* ID as in guest_find(). */
Bound bound_set_up (const char *id);
/* Gives the device back. */
void bound_clear (Bound *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bound, bound_clear)

RegiondHandle *bound_open (Bound *self);
void bound_close (Bound *self);

/* All of config space as sysfs has it, without regiond. */
GBytes *bound_read_config (Bound *self);
guint bound_get16 (Bound *self,
                   guint offset);
void bound_set16 (Bound *self,
                  guint offset,
                  guint value);

/* A register of 4 bytes in a memory BAR, by a mapping of its sysfs file. */
guint32 bound_peek (Bound *self,
                    guint bar,
                    guint offset);
void bound_poke (Bound *self,
                 guint bar,
                 guint offset,
                 guint32 value);
