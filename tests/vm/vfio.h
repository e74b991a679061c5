/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/vfio.h>

#include "pci.h"

/* A device's group and a container with nothing mapped; and its device fd, -1 while that is not open. */
typedef struct
{
  Pci *pci;
  int group;
  int container;
  int device;
} Vfio;

/* Opens the device's group. Returns the fd, or -1 with errno. */
int      vfio_open_group (Pci *pci);

/* Opens the group and puts it into a container; a type1 domain, nothing mapped. The device is on vfio-pci. */
void     vfio_hold (Vfio *self, Pci *pci);

/* Closes what is open. */
void     vfio_release (Vfio *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Vfio, vfio_release)

void     vfio_open (Vfio *self);
void     vfio_close (Vfio *self);

struct vfio_region_info vfio_get_region (Vfio *self, guint index);

/* pread(2) and pwrite(2) of a region at @offset. 0 or errno. */
int      vfio_read (Vfio *self, guint index, guint64 offset, void *buffer, gsize size);
int      vfio_write (Vfio *self, guint index, guint64 offset, const void *buffer, gsize size);

/* Opens the device fd and touches BAR @index: from then on the BAR is claimed. */
void     vfio_claim (Vfio *self, guint index);

/* The eventfd that the kernel signals when it wants the device back. */
int      vfio_arm_request (Vfio *self);

/* Whether this kernel claims every BAR when the device fd is opened: found out by effect on BAR @index of
 * a device on vfio-pci which nobody has open. */
gboolean vfio_claims_at_open (Pci *pci, guint index);
