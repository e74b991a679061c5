/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "guest.h"

/* A PCI device of this machine, through sysfs alone. */
typedef struct
{
  char *address; /* "0000:00:10.0" */
  char *folder;  /* "/sys/bus/pci/devices/0000:00:10.0" */
} Pci;

/* The device with that id (GUEST_IVSHMEM); the test fails if there is none. */
Pci     *pci_find (const char *id);
/* The one at that address. */
Pci     *pci_new (const char *address);
void     pci_free (Pci *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Pci, pci_free)

/* Has the kernel look for devices that it does not know. */
void     pci_rescan (void);

/* A file of its folder, without the newline; NULL if it cannot be read. */
char    *pci_read (Pci *self, const char *name);

/* Writes such a file. Returns 0 or errno. */
int      pci_write (Pci *self, const char *name, const char *text);

/* Opens such a file. Returns the fd, or -1 with errno. */
int      pci_open (Pci *self, const char *name, int flags);

/* Where BAR @index is in physical memory, and how long: 0 if it has none. */
guint64  pci_get_bar_start (Pci *self, guint index);
gsize    pci_get_bar_size (Pci *self, guint index);

/* Config space, through the file `config`. 0 or errno. */
int      pci_read_config (Pci *self, guint offset, guint width, guint32 *value);
int      pci_write_config (Pci *self, guint offset, guint width, guint32 value);

/* The bits of the COMMAND register that are to be as in @value. */
void     pci_set_command (Pci *self, guint16 mask, guint16 value);
