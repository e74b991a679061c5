/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts TEXT into a region, and keeps the lease until it ends or the input does:
 *   region-example DEVICE REGION TEXT
 * The calls are made from regiond's interfaces; meson.build says how.
 */
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regiond.h"

/* A PCI address is an id, and no part of an object path. */
static char *
find_device (GDBusConnection *bus,
             const char      *id,
             GError         **error)
{
  g_autoptr (RegiondManager) manager = NULL;
  char *path;

  manager = regiond_manager_proxy_new_sync (bus, G_DBUS_PROXY_FLAGS_NONE, "org.regiond1", "/org/regiond1", NULL, error);
  if (manager == NULL || !regiond_manager_call_get_device_sync (manager, id, &path, NULL, error))
    return NULL;
  return path;
}

static int
open_region (GDBusConnection *bus,
             const char      *device,
             const char      *region,
             char           **path,
             GError         **error)
{
  g_autofree char *device_path = find_device (bus, device, error);
  g_autoptr (RegiondDevice) proxy = NULL;
  g_autoptr (GVariant) fd = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  GVariantDict options;

  if (device_path == NULL)
    return -1;
  proxy = regiond_device_proxy_new_sync (bus, G_DBUS_PROXY_FLAGS_NONE, "org.regiond1", device_path, NULL, error);
  if (proxy == NULL)
    return -1;

  /* A person may have to type a password: the service bounds the time. */
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (proxy), G_MAXINT);
  g_variant_dict_init (&options, NULL);
  g_variant_dict_insert (&options, "label", "s", "region-example");
  g_variant_dict_insert (&options, "interactive", "b", TRUE);
  if (!regiond_device_call_open_region_sync (proxy, region, "rwm", g_variant_dict_end (&options), NULL, &fd, path, &fds,
                                             NULL, error))
    return -1;

  return g_unix_fd_list_get (fds, g_variant_get_handle (fd), error);
}

/* The mapping keeps the region, the fd is not needed any more. */
static gboolean
put_text (int         fd,
          const char *text,
          GError    **error)
{
  struct stat st;
  char *data = MAP_FAILED;

  if (fstat (fd, &st) == 0)
    data = mmap (NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close (fd);
  if (data == MAP_FAILED)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "The region cannot be mapped");
      return FALSE;
    }

  g_strlcpy (data, text, st.st_size);
  return TRUE;
}

static void
on_ended (RegiondLease *lease,
          const char   *reason,
          gpointer      loop)
{
  g_print ("the lease has ended: %s\n", reason);
  g_main_loop_quit (loop);
}

/* The service has gone, and every lease with it. */
static void
on_owner_changed (GObject    *lease,
                  GParamSpec *property,
                  gpointer    loop)
{
  on_ended (NULL, "no service", loop);
}

static gboolean
on_input (int          fd,
          GIOCondition condition,
          gpointer     loop)
{
  char bytes[256];

  if (read (fd, bytes, sizeof bytes) > 0)
    return G_SOURCE_CONTINUE;

  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static gboolean
keep (GDBusConnection *bus,
      const char      *path,
      GError         **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (RegiondLease) lease = NULL;

  lease = regiond_lease_proxy_new_sync (bus, G_DBUS_PROXY_FLAGS_NONE, "org.regiond1", path, NULL, error);
  if (lease == NULL)
    return FALSE;
  if (regiond_lease_get_state (lease) == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The lease has ended already");
      return FALSE;
    }

  g_signal_connect (lease, "ended", G_CALLBACK (on_ended), loop);
  g_signal_connect (lease, "notify::g-name-owner", G_CALLBACK (on_owner_changed), loop);
  g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP, on_input, loop);
  g_print ("%s on %s: %s\n", regiond_lease_get_access (lease), regiond_lease_get_region (lease), path);
  g_main_loop_run (loop);
  return TRUE;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GDBusConnection) bus = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *lease = NULL;
  int fd = -1;

  if (argc != 4)
    {
      g_printerr ("Usage: %s DEVICE REGION TEXT\n", argv[0]);
      return 2;
    }

  setlinebuf (stdout);
  bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  if (bus != NULL)
    fd = open_region (bus, argv[1], argv[2], &lease, &error);
  if (fd != -1 && put_text (fd, argv[3], &error) && keep (bus, lease, &error))
    return EXIT_SUCCESS;

  g_printerr ("%s\n", error->message);
  return EXIT_FAILURE;
}
