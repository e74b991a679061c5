/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens a region of a device over D-Bus, maps it, and
 *   region-client DEVICE REGION TEXT    writes TEXT and sleeps until it is killed
 *   region-client --read DEVICE REGION  tells what the region begins with
 *
 * cc region-client.c -o region-client $(pkg-config --cflags --libs gio-unix-2.0)
 */
#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  char *data;
  gsize size;
  char *lease;
} Region;

/* A PCI address is an id, and no part of an object path. */
static char *
find_device (GDBusConnection  *bus,
             const char       *id,
             GError          **error)
{
  g_autoptr(GVariant) reply = NULL;
  char *path;

  reply = g_dbus_connection_call_sync (bus, "org.regiond1", "/org/regiond1", "org.regiond1.Manager", "GetDevice",
                                       g_variant_new ("(s)", id), G_VARIANT_TYPE ("(o)"), G_DBUS_CALL_FLAGS_NONE, -1,
                                       NULL, error);
  if (reply == NULL)
    return NULL;

  g_variant_get (reply, "(o)", &path);
  return path;
}

static int
open_region (GDBusConnection  *bus,
             const char       *device,
             const char       *region,
             const char       *access,
             char            **lease,
             GError          **error)
{
  g_autofree char *path = find_device (bus, device, error);
  g_autoptr(GVariant) reply = NULL;
  g_autoptr(GUnixFDList) fds = NULL;
  GVariantDict options;
  gint32 handle;

  if (path == NULL)
    return -1;

  g_variant_dict_init (&options, NULL);
  g_variant_dict_insert (&options, "label", "s", "region-client");

  /* A person may have to type a password: the service bounds the time. */
  reply = g_dbus_connection_call_with_unix_fd_list_sync (
      bus, "org.regiond1", path, "org.regiond1.Device", "OpenRegion",
      g_variant_new ("(ss@a{sv})", region, access, g_variant_dict_end (&options)),
      G_VARIANT_TYPE ("(ho)"), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
      G_MAXINT, NULL, &fds, NULL, error);
  if (reply == NULL)
    return -1;

  g_variant_get (reply, "(ho)", &handle, lease);
  return g_unix_fd_list_get (fds, handle, error);
}

/* The mapping keeps the region, the fd is not needed any more. */
static gboolean
map_region (Region  *region,
            int      fd,
            gboolean writable,
            GError **error)
{
  struct stat st;
  void *data = MAP_FAILED;

  if (fstat (fd, &st) == 0)
    data = mmap (NULL, st.st_size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED)
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "mmap: %s", g_strerror (errno));
  close (fd);
  if (data == MAP_FAILED)
    return FALSE;

  region->data = data;
  region->size = st.st_size;
  return TRUE;
}

static void
on_ended (GDBusConnection *bus,
          const char      *sender,
          const char      *path,
          const char      *interface,
          const char      *signal,
          GVariant        *parameters,
          gpointer         user_data)
{
  const char *reason;

  g_variant_get (parameters, "(&s)", &reason);
  g_printerr ("the lease %s has ended: %s\n", path, reason);
  exit (EXIT_FAILURE);
}

/* The lease lasts for as long as the connection: to have it is to stay. */
static void
stay (GDBusConnection *bus,
      const char      *lease)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  g_dbus_connection_signal_subscribe (bus, "org.regiond1", "org.regiond1.Lease", "Ended", lease, NULL,
                                      G_DBUS_SIGNAL_FLAGS_NONE, on_ended, NULL, NULL);
  g_main_loop_run (loop);
}

static void
write_text (Region     *region,
            const char *text)
{
  gsize length = MIN (strlen (text), region->size - 1);

  memcpy (region->data, text, length);
  region->data[length] = '\0';
  g_print ("wrote \"%s\" into %" G_GSIZE_FORMAT " bytes, lease %s\n", region->data, region->size, region->lease);
}

static void
tell_contents (Region *region)
{
  gsize n_set = 0;

  for (gsize i = 0; i < region->size; i++)
    n_set += region->data[i] != 0;

  if (n_set == 0)
    g_print ("all %" G_GSIZE_FORMAT " bytes are zero\n", region->size);
  else
    g_print ("%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes are not zero, the first are \"%.60s\"\n",
             n_set, region->size, region->data);
}

int
main (int   argc,
      char *argv[])
{
  gboolean reading = argc > 1 && g_str_equal (argv[1], "--read");
  g_autoptr(GDBusConnection) bus = NULL;
  g_autoptr(GError) error = NULL;
  Region region = { NULL };
  int fd = -1;

  if (argc != 4)
    {
      g_printerr ("Usage: %s DEVICE REGION TEXT\n       %s --read DEVICE REGION\n", argv[0], argv[0]);
      return 2;
    }
  argv += reading ? 2 : 1;

  bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  if (bus != NULL)
    fd = open_region (bus, argv[0], argv[1], reading ? "rm" : "rwm", &region.lease, &error);
  if (fd < 0 || !map_region (&region, fd, !reading, &error))
    {
      g_printerr ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  if (reading)
    {
      tell_contents (&region);
    }
  else
    {
      write_text (&region, argv[2]);
      stay (bus, region.lease);
    }

  munmap (region.data, region.size);
  g_free (region.lease);
  return EXIT_SUCCESS;
}
