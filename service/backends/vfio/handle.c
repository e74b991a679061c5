/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/handle.h"

#include "error.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct _RegiondHandle {
  RegiondContainer       *container;
  char                   *address;
  int                     fd;
  int                     request;
  struct vfio_device_info info;
  GPtrArray              *regions; /* struct vfio_region_info, NULL where there is none */
};

static void
set_open_error (RegiondHandle *self,
                int            errsv,
                GError       **error)
{
  g_autofree char *what = g_strdup_printf ("Cannot open %s with VFIO", self->address);

  if (errsv == ENODEV || errsv == ENOENT)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE,
                 "Device %s is not there any more, or no longer bound to vfio-pci", self->address);
  else
    regiond_error_set_errno (error, errsv, what);
}

/* Asked twice where something follows the struct. NULL where the device has no
 * such region: VFIO counts the legacy VGA window among those of any device. */
static struct vfio_region_info *
ask_region (RegiondHandle *self,
            guint          index)
{
  gsize size = sizeof (struct vfio_region_info);

  for (;;)
    {
      g_autofree struct vfio_region_info *info = g_malloc0 (size);

      info->argsz = size;
      info->index = index;
      if (ioctl (self->fd, VFIO_DEVICE_GET_REGION_INFO, info) < 0)
        return NULL;
      if (info->argsz <= size)
        return g_steal_pointer (&info);
      size = info->argsz;
    }
}

static gboolean
ask (RegiondHandle *self,
     GError       **error)
{
  self->info.argsz = sizeof self->info;
  if (ioctl (self->fd, VFIO_DEVICE_GET_INFO, &self->info) < 0)
    {
      set_open_error (self, errno, error);
      return FALSE;
    }

  for (guint i = 0; i < self->info.num_regions; i++)
    g_ptr_array_add (self->regions, ask_region (self, i));
  return TRUE;
}

/* Without it an unplug would wait for us, and never be told: where there is such
 * an event it must be armed. */
static gboolean
arm (RegiondHandle *self,
     GError       **error)
{
  struct vfio_irq_info irq = { .argsz = sizeof irq, .index = VFIO_PCI_REQ_IRQ_INDEX };
  gsize size = sizeof (struct vfio_irq_set) + sizeof (gint32);
  g_autofree struct vfio_irq_set *order = g_malloc0 (size);

  if (self->info.num_irqs <= VFIO_PCI_REQ_IRQ_INDEX || ioctl (self->fd, VFIO_DEVICE_GET_IRQ_INFO, &irq) < 0 ||
      irq.count < 1)
    return TRUE;

  self->request = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  order->argsz = size;
  order->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
  order->index = VFIO_PCI_REQ_IRQ_INDEX;
  order->count = 1;
  memcpy (order->data, &self->request, sizeof (gint32));
  if (self->request >= 0 && ioctl (self->fd, VFIO_DEVICE_SET_IRQS, order) == 0)
    return TRUE;

  regiond_error_set_errno (error, errno, "Cannot have it told when the kernel wants the device back");
  return FALSE;
}

RegiondHandle *
regiond_handle_open (RegiondContainer *container,
                     const char       *address,
                     GError          **error)
{
  g_autoptr (RegiondHandle) self = g_new0 (RegiondHandle, 1);

  self->container = regiond_container_ref (container);
  self->address = g_strdup (address);
  self->regions = g_ptr_array_new_with_free_func (g_free);
  self->request = -1;
  self->fd = regiond_container_open_device (container, address);
  if (self->fd < 0)
    {
      set_open_error (self, errno, error);
      return NULL;
    }
  if (!ask (self, error) || !arm (self, error))
    return NULL;

  return g_steal_pointer (&self);
}

void
regiond_handle_close (RegiondHandle *self)
{
  if (self->fd >= 0)
    close (self->fd);
  if (self->request >= 0)
    close (self->request);
  g_ptr_array_unref (self->regions);
  regiond_container_unref (self->container);
  g_free (self->address);
  g_free (self);
}

int
regiond_handle_get_fd (RegiondHandle *self)
{
  return self->fd;
}

int
regiond_handle_get_group_fd (RegiondHandle *self)
{
  return regiond_container_get_group_fd (self->container);
}

int
regiond_handle_get_request_fd (RegiondHandle *self)
{
  return self->request;
}

guint32
regiond_handle_get_flags (RegiondHandle *self)
{
  return self->info.flags;
}

guint
regiond_handle_count_regions (RegiondHandle *self)
{
  return self->regions->len;
}

const struct vfio_region_info *
regiond_handle_get_region (RegiondHandle *self,
                           guint          index,
                           GError       **error)
{
  const struct vfio_region_info *region = index < self->regions->len ? g_ptr_array_index (self->regions, index) : NULL;

  if (region == NULL)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "Device %s has no region of index %u", self->address,
                 index);
  return region;
}

/* Where it is in the fd, or -1. */
static gint64
find_place (RegiondHandle *self,
            guint          index,
            guint64        offset,
            gsize          width)
{
  const struct vfio_region_info *region = regiond_handle_get_region (self, index, NULL);

  if (region == NULL || offset > region->size || width > region->size - offset)
    return -1;
  return region->offset + offset;
}

static int
judge (gssize done,
       gsize  width)
{
  if (done < 0)
    return errno;
  return (gsize) done == width ? 0 : EIO;
}

int
regiond_handle_read (RegiondHandle *self,
                     guint          index,
                     guint64        offset,
                     gsize          width,
                     gpointer       buffer)
{
  gint64 place = find_place (self, index, offset, width);

  return place < 0 ? EINVAL : judge (pread (self->fd, buffer, width, place), width);
}

int
regiond_handle_write (RegiondHandle *self,
                      guint          index,
                      guint64        offset,
                      gsize          width,
                      gconstpointer  bytes)
{
  gint64 place = find_place (self, index, offset, width);

  return place < 0 ? EINVAL : judge (pwrite (self->fd, bytes, width, place), width);
}
