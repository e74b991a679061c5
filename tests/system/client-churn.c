/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bus.h"
#include "client.h"

#define TEXT "somebody's"
#define ERROR(name) "org.regiond1.Error." name

typedef struct
{
  GDBusConnection *connection;
  const char *path; /* of the device */
  const char *region;
  const char *access;
} Churn;

static GVariant *
open_once (Churn *churn,
           int *fd,
           GError **error)
{
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) reply =
    g_dbus_connection_call_with_unix_fd_list_sync (churn->connection, "org.regiond1", churn->path,
                                                   "org.regiond1.Device", "OpenRegion",
                                                   g_variant_new ("(ssa{sv})", churn->region, churn->access, NULL),
                                                   G_VARIANT_TYPE ("(ho)"), 0, 30000, NULL, &fds, NULL, error);

  if (reply && (*fd = g_unix_fd_list_get (fds, 0, error)) < 0)
    return NULL;
  return g_steal_pointer (&reply);
}

static gboolean
is_error (GError *error,
          const char *name)
{
  g_autofree char *remote = g_dbus_error_get_remote_error (error);

  return g_strcmp0 (remote, name) == 0;
}

/* On a busy machine somebody may not close in time what he has released: that passes. */
static GVariant *
open_region (Churn *churn,
             int *fd,
             GError **error)
{
  GVariant *reply = NULL;

  for (guint i = 0; !reply && i < 500; i++)
    {
      g_clear_error (error);
      reply = open_once (churn, fd, error);
      if (!reply && !is_error (*error, ERROR ("Lingering")))
        break;
      if (!reply)
        g_usleep (20000);
    }
  return reply;
}

/* Whether it can be used as its access allows. */
static gboolean
use (Churn *churn,
     int fd)
{
  char text[sizeof TEXT];
  void *at;

  if (!strchr (churn->access, 'm'))
    return pwrite (fd, TEXT, sizeof TEXT, 8) == sizeof TEXT && pread (fd, text, sizeof TEXT, 8) == sizeof TEXT &&
           g_str_equal (text, TEXT);

  at = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED)
    return FALSE;
  memcpy (at, TEXT, sizeof TEXT);
  return munmap (at, 4096) == 0;
}

/* It may have ended by itself, or with somebody whom it shared with. */
static gboolean
release (Churn *churn,
         const char *lease,
         GError **error)
{
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (churn->connection, "org.regiond1", lease,
                                                            "org.regiond1.Lease", "Release", NULL, NULL, 0, 30000,
                                                            NULL, error);

  if (reply)
    return TRUE;
  if (!is_error (*error, ERROR ("Gone")) && !is_error (*error, ERROR ("NotFound")))
    return FALSE;
  g_clear_error (error);
  return TRUE;
}

/* The ways in which people are done with something take turns. */
static gboolean
run_round (Churn *churn,
           guint n,
           GError **error)
{
  int fd = -1;
  g_autoptr (GVariant) reply = open_region (churn, &fd, error);
  const char *lease;
  gboolean good;

  if (!reply)
    return FALSE;
  g_variant_get (reply, "(h&o)", NULL, &lease);
  if (n % 4 == 3)
    {
      int copy = dup (fd);

      close (fd);
      fd = copy;
    }
  good = use (churn, fd);
  if (!good)
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "a region cannot be used: %s", g_strerror (errno));
  if (good && n % 4 == 0)
    good = release (churn, lease, error);
  close (fd);
  if (good && n % 4 == 1)
    good = release (churn, lease, error);
  return good;
}

/* churn DEVICE REGION ACCESS ROUNDS: opens, uses and gives back */
static void
run_churn (Command *command)
{
  Churn churn = { client_bus_get (), command_string (command, 0), command_string (command, 1),
                  command_string (command, 2) };
  g_autoptr (GError) error = NULL;
  guint rounds = command_number (command, 3);
  guint n = 0;

  while (n < rounds && run_round (&churn, n, &error))
    n++;
  if (error)
    client_fail (command->words[0], "churn", error->message);
  else
    client_done (command->words[0]);
}

gboolean
client_churn_run (Command *command)
{
  if (!g_str_equal (command->words[1], "churn"))
    return FALSE;
  run_churn (command);
  return TRUE;
}
