/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The parts of sysfs that binding writes to, made of files and pipes in a temporary
 * folder, and a thread that does what the kernel would: it moves the driver links. */
typedef struct {
  char       *top;
  char       *sysfs;  /* TOP/sys */
  char       *state;  /* TOP/run */
  GHashTable *native; /* address -> the driver that probes it; the thread's while it runs */
  const char *refuses; /* an address that vfio-pci does not take, or NULL */
  int         stop[2];
  GThread    *kernel;
  GPtrArray  *pipes;
} PciBus;

void  pci_bus_init (PciBus *self);
void  pci_bus_clear (PciBus *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PciBus, pci_bus_clear)

/* Before it runs: a driver; a device of that class with a driver that takes it, or NULL; the group -1 is none. */
void  pci_bus_add_driver (PciBus *self, const char *name);
void  pci_bus_add_device (PciBus *self, const char *address, const char *class, const char *driver, int group);
void  pci_bus_run (PciBus *self);

/* A file of a device, "" and NULL as they are. */
void  pci_bus_put (PciBus *self, const char *path, const char *text);
void  pci_bus_link (PciBus *self, const char *path, const char *target);

/* The name of the driver that a device has now, "" for none. */
char *pci_bus_get_driver (PciBus *self, const char *address);
