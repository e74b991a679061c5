/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hotplug.h"

#include <errno.h>
#include <glib-unix.h>
#include <gudev/gudev.h>
#include <libudev.h>

#define SUBSYSTEM "pci"

typedef struct udev        Udev;
typedef struct udev_device UdevDevice;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Udev, udev_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UdevDevice, udev_device_unref)

struct _RegiondHotplug {
  GUdevClient         *client;
  struct udev_monitor *monitor;
  guint                source;
  RegiondHotplugFunc   func;
  gpointer             data;
};

void
regiond_hotplug_free (RegiondHotplug *self)
{
  if (self->source != 0)
    g_source_remove (self->source);
  if (self->monitor != NULL)
    udev_monitor_unref (self->monitor);
  g_clear_object (&self->client);
  g_free (self);
}

/* Of unbinding and binding in one go both are told, in their order. What else the
 * kernel tells is none of ours: VFIO's own nodes may go while an unbinding is under
 * way, which has taken the driver's link already. */
static gboolean
on_events (int          fd,
           GIOCondition condition,
           gpointer     data)
{
  RegiondHotplug *self = data;
  gboolean more = TRUE, told = FALSE;

  while (more)
    {
      g_autoptr (UdevDevice) device = udev_monitor_receive_device (self->monitor);
      const char *action = device != NULL ? udev_device_get_action (device) : NULL;
      gboolean lost = g_strcmp0 (action, "unbind") == 0 || g_strcmp0 (action, "remove") == 0;

      more = device != NULL;
      told = told || more || errno != EAGAIN;
      if (lost)
        self->func (udev_device_get_sysname (device), self->data);
    }

  if (told)
    self->func (NULL, self->data);
  return G_SOURCE_CONTINUE;
}

/* The kernel's own word, not udevd's that GUdevClient would tell: it comes
 * also where no udevd runs, and before its rules, which nothing here needs. */
static struct udev_monitor *
make_monitor (void)
{
  g_autoptr (Udev) udev = udev_new ();
  struct udev_monitor *monitor = udev != NULL ? udev_monitor_new_from_netlink (udev, "kernel") : NULL;

  if (monitor != NULL && (udev_monitor_filter_add_match_subsystem_devtype (monitor, SUBSYSTEM, NULL) < 0 ||
                          udev_monitor_enable_receiving (monitor) < 0))
    g_clear_pointer (&monitor, udev_monitor_unref);
  return monitor;
}

RegiondHotplug *
regiond_hotplug_new (RegiondHotplugFunc func,
                     gpointer           data)
{
  RegiondHotplug *self = g_new0 (RegiondHotplug, 1);

  self->func = func;
  self->data = data;
  self->client = g_udev_client_new (NULL);
  self->monitor = make_monitor ();
  if (self->monitor != NULL)
    self->source = g_unix_fd_add (udev_monitor_get_fd (self->monitor), G_IO_IN, on_events, self);
  else
    g_warning ("PCI devices come and go unnoticed, except by BindDevice and UnbindDevice: there is no socket for the kernel's "
               "events (AF_NETLINK): %s", g_strerror (errno));
  return self;
}

char **
regiond_hotplug_list (RegiondHotplug *self)
{
  g_autolist (GUdevDevice) devices = g_udev_client_query_by_subsystem (self->client, SUBSYSTEM);
  g_autoptr (GPtrArray) folders = g_ptr_array_new ();

  for (GList *l = devices; l != NULL; l = l->next)
    g_ptr_array_add (folders, g_strdup (g_udev_device_get_sysfs_path (l->data)));

  g_ptr_array_add (folders, NULL);
  return (char **) g_ptr_array_steal (folders, NULL);
}
