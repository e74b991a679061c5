/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pci.h"

/* A shared mapping of a whole BAR through its file in sysfs. */
typedef struct
{
  int fd;
  gsize size;
  volatile guint32 *words;
} Mapping;

/* Opens `resourceN` with @flags and maps it. Returns 0, or the errno of mmap(2), with nothing left open. */
int      mapping_try (Mapping *self, Pci *pci, guint index, int flags);

/* The same, and it must work. */
void     mapping_make (Mapping *self, Pci *pci, guint index, int flags);

/* The same through an fd that is open already, and stays so. */
int      mapping_try_fd (Mapping *self, int fd, gsize size, int protection);

/* Unmaps, and closes the fd if it is open. */
void     mapping_clear (Mapping *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Mapping, mapping_clear)

/* One load and one store of 32 bits: FALSE if that gave SIGBUS. Not from two threads at a time. */
gboolean mapping_load (volatile guint32 *word, guint32 *value);
gboolean mapping_store (volatile guint32 *word, guint32 value);
