/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exchanges lines of text through a region with whoever has it open too: here, or
 * in a virtual machine that has it as a BAR.
 *   region-talk DEVICE REGION 0     one end; the other end says 1
 * What is typed is said; what is heard is printed, and so is the lease's end.
 *
 * cc region-talk.c -o region-talk $(pkg-config --cflags --libs gio-unix-2.0)
 */
#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <gio/gunixinputstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOX_SIZE 4096
#define LOOK_MS 10

/* Each end writes one, and reads the other's. */
typedef struct
{
  guint32 number; /* of the text; written last */
  guint32 length;
  char text[BOX_SIZE - 8];
} Box;

typedef struct
{
  volatile Box *mine;
  volatile Box *theirs;
  guint32 heard;
} Talk;

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
             char            **lease,
             GError          **error)
{
  g_autofree char *path = find_device (bus, device, error);
  g_autoptr(GVariant) reply = NULL;
  g_autoptr(GUnixFDList) fds = NULL;
  gint32 handle;

  if (path == NULL)
    return -1;

  reply = g_dbus_connection_call_with_unix_fd_list_sync (
      bus, "org.regiond1", path, "org.regiond1.Device", "OpenRegion", g_variant_new ("(ssa{sv})", region, "rwm", NULL),
      G_VARIANT_TYPE ("(ho)"), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, NULL, &fds, NULL, error);
  if (reply == NULL)
    return -1;

  g_variant_get (reply, "(ho)", &handle, lease);
  return g_unix_fd_list_get (fds, handle, error);
}

static gboolean
map_boxes (Talk    *talk,
           int      fd,
           int      end,
           GError **error)
{
  Box *boxes = mmap (NULL, 2 * BOX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  close (fd);
  if (boxes == MAP_FAILED)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "mmap: %s", g_strerror (errno));
      return FALSE;
    }

  talk->mine = &boxes[end];
  talk->theirs = &boxes[1 - end];
  talk->heard = talk->theirs->number;
  return TRUE;
}

/* A device's memory is not the machine's: word by word, no faster than it likes. */
static void
say (Talk       *talk,
     const char *line)
{
  guint32 length = MIN (strlen (line), sizeof talk->mine->text);

  for (guint32 i = 0; i < length; i++)
    talk->mine->text[i] = line[i];
  talk->mine->length = length;
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  talk->mine->number++;
}

static gboolean
listen_to_them (gpointer data)
{
  Talk *talk = data;
  guint32 number = talk->theirs->number;
  g_autoptr(GString) line = NULL;

  if (number == talk->heard)
    return G_SOURCE_CONTINUE;

  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  line = g_string_new (NULL);
  for (guint32 i = 0; i < MIN (talk->theirs->length, sizeof talk->theirs->text); i++)
    g_string_append_c (line, talk->theirs->text[i]);
  talk->heard = number;
  g_print ("heard: %s\n", line->str);
  return G_SOURCE_CONTINUE;
}

static void
on_line (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  GDataInputStream *input = G_DATA_INPUT_STREAM (source);
  g_autofree char *line = g_data_input_stream_read_line_finish (input, result, NULL, NULL);

  if (line == NULL)
    exit (EXIT_SUCCESS);

  say (data, line);
  g_data_input_stream_read_line_async (input, G_PRIORITY_DEFAULT, NULL, on_line, data);
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
  g_print ("ended: %s\n", reason);
  exit (EXIT_FAILURE);
}

/* The lease lasts for as long as the connection: to have it is to stay. */
static void
talk_on (GDBusConnection *bus,
         const char      *lease,
         Talk            *talk)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr(GInputStream) keyboard = g_unix_input_stream_new (STDIN_FILENO, FALSE);
  g_autoptr(GDataInputStream) lines = g_data_input_stream_new (keyboard);

  g_dbus_connection_signal_subscribe (bus, "org.regiond1", "org.regiond1.Lease", "Ended", lease, NULL,
                                      G_DBUS_SIGNAL_FLAGS_NONE, on_ended, NULL, NULL);
  g_data_input_stream_read_line_async (lines, G_PRIORITY_DEFAULT, NULL, on_line, talk);
  g_timeout_add (LOOK_MS, listen_to_them, talk);
  g_print ("open: %s\n", lease);
  g_main_loop_run (loop);
}

int
main (int   argc,
      char *argv[])
{
  g_autoptr(GDBusConnection) bus = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *lease = NULL;
  Talk talk = { NULL };
  int fd = -1;

  if (argc != 4 || (!g_str_equal (argv[3], "0") && !g_str_equal (argv[3], "1")))
    {
      g_printerr ("Usage: %s DEVICE REGION 0|1\n", argv[0]);
      return 2;
    }

  setlinebuf (stdout);
  bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  if (bus != NULL)
    fd = open_region (bus, argv[1], argv[2], &lease, &error);
  if (fd < 0 || !map_boxes (&talk, fd, argv[3][0] - '0', &error))
    {
      g_printerr ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  talk_on (bus, lease, &talk);
  return EXIT_SUCCESS;
}
