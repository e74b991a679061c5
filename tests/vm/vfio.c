/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapping.h"

int
vfio_open_group (Pci *pci)
{
  g_autofree char *path = g_strdup_printf ("/dev/vfio/%d", guest_group (pci->address));

  return open (path, O_RDWR | O_CLOEXEC);
}

/* udev and the last user's exit may be a moment behind. */
static int
wait_for_group (Pci *pci)
{
  int fd;

  for (guint tries = 0; (fd = vfio_open_group (pci)) < 0 && tries < 1000; tries++)
    g_usleep (2000);
  if (fd < 0)
    g_error ("cannot open the group of %s: %s", pci->address, g_strerror (errno));
  return fd;
}

void
vfio_hold (Vfio *self,
           Pci *pci)
{
  struct vfio_group_status status = { .argsz = sizeof status };

  self->pci = pci;
  self->device = -1;
  self->group = wait_for_group (pci);
  self->container = open ("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
  g_assert_cmpint (self->container, >=, 0);
  g_assert_no_errno (ioctl (self->group, VFIO_GROUP_GET_STATUS, &status));
  g_assert_true (status.flags & VFIO_GROUP_FLAGS_VIABLE);
  g_assert_no_errno (ioctl (self->group, VFIO_GROUP_SET_CONTAINER, &self->container));
  g_assert_no_errno (ioctl (self->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
}

static void
close_one (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

void
vfio_release (Vfio *self)
{
  close_one (&self->device);
  close_one (&self->group);
  close_one (&self->container);
}

void
vfio_open (Vfio *self)
{
  g_assert_cmpint (self->device, <, 0);
  self->device = ioctl (self->group, VFIO_GROUP_GET_DEVICE_FD, self->pci->address);
  g_assert_no_errno (self->device);
}

void
vfio_close (Vfio *self)
{
  close_one (&self->device);
}

struct vfio_region_info
vfio_get_region (Vfio *self,
                 guint index)
{
  struct vfio_region_info info = { .argsz = sizeof info, .index = index };

  g_assert_no_errno (ioctl (self->device, VFIO_DEVICE_GET_REGION_INFO, &info));
  return info;
}

int
vfio_read (Vfio *self,
           guint index,
           guint64 offset,
           void *buffer,
           gsize size)
{
  struct vfio_region_info info = vfio_get_region (self, index);

  return pread (self->device, buffer, size, info.offset + offset) == (gssize) size ? 0 : errno;
}

int
vfio_write (Vfio *self,
            guint index,
            guint64 offset,
            const void *buffer,
            gsize size)
{
  struct vfio_region_info info = vfio_get_region (self, index);

  return pwrite (self->device, buffer, size, info.offset + offset) == (gssize) size ? 0 : errno;
}

void
vfio_claim (Vfio *self,
            guint index)
{
  guint32 value;

  vfio_open (self);
  g_assert_cmpint (vfio_read (self, index, 0, &value, sizeof value), ==, 0);
}

int
vfio_arm_request (Vfio *self)
{
  gsize size = sizeof (struct vfio_irq_set) + sizeof (int);
  g_autofree struct vfio_irq_set *set = g_malloc0 (size);
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  set->argsz = size;
  set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
  set->index = VFIO_PCI_REQ_IRQ_INDEX;
  set->count = 1;
  memcpy (set->data, &fd, sizeof fd);
  g_assert_no_errno (ioctl (self->device, VFIO_DEVICE_SET_IRQS, set));
  return fd;
}

gboolean
vfio_claims_at_open (Pci *pci,
                     guint index)
{
  g_auto (Vfio) vfio = { 0 };
  Mapping mapping;

  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  if (mapping_try (&mapping, pci, index, O_RDWR) == EINVAL)
    return TRUE;
  mapping_clear (&mapping);
  return FALSE;
}
