/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <gio/gunixfdlist.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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
  GPid process; /* what leases are tied to; 0: there is none */
  int pidfd;
} Churn;

/* A call that is answered with a lease. */
typedef struct
{
  const char *path;
  const char *interface;
  const char *method;
  GVariant *arguments;
  int sent; /* a descriptor that goes along, or -1 */
} Request;

static GVariant *
ask_once (Churn *churn,
          const Request *request,
          int *fd,
          GError **error)
{
  g_autoptr (GUnixFDList) sent = request->sent >= 0 ? g_unix_fd_list_new () : NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) reply = NULL;

  if (sent && g_unix_fd_list_append (sent, request->sent, error) < 0)
    return NULL;
  reply = g_dbus_connection_call_with_unix_fd_list_sync (churn->connection, "org.regiond1", request->path,
                                                         request->interface, request->method, request->arguments,
                                                         G_VARIANT_TYPE ("(ho)"), 0, 30000, sent, &fds, NULL, error);
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

/* On a busy machine somebody may not close in time what he has released: that passes. Returns the lease's path. */
static char *
ask (Churn *churn,
     const Request *request,
     int *fd,
     GError **error)
{
  g_autoptr (GVariant) arguments = g_variant_ref_sink (request->arguments);
  g_autoptr (GVariant) reply = NULL;
  char *lease = NULL;

  for (guint i = 0; !reply && i < 500; i++)
    {
      g_clear_error (error);
      reply = ask_once (churn, request, fd, error);
      if (!reply && !is_error (*error, ERROR ("Lingering")))
        break;
      if (!reply)
        g_usleep (20000);
    }
  if (reply)
    g_variant_get (reply, "(ho)", NULL, &lease);
  return lease;
}

/* One that does nothing until it is ended, and has nothing. */
static void
start_process (Churn *churn)
{
  churn->process = fork ();
  if (churn->process == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      close_range (0, ~0U, 0);
      for (;;)
        pause ();
    }
  churn->pidfd = syscall (SYS_pidfd_open, churn->process, 0);
}

static void
end_process (Churn *churn)
{
  if (churn->process == 0)
    return;
  kill (churn->process, SIGKILL);
  waitpid (churn->process, NULL, 0);
  close (churn->pidfd);
  churn->process = 0;
}

static gboolean
is_tied (const char *kind)
{
  return g_str_equal (kind, "bound") || g_str_equal (kind, "detached");
}

static char *
open_region (Churn *churn,
             const char *kind,
             int *fd,
             GError **error)
{
  GVariantBuilder options = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  Request request = { churn->path, "org.regiond1.Device", "OpenRegion", NULL, -1 };

  if (is_tied (kind))
    {
      if (churn->process == 0)
        start_process (churn);
      request.sent = churn->pidfd;
      g_variant_builder_add (&options, "{sv}", "bind-to", g_variant_new_handle (0));
    }
  if (g_str_equal (kind, "detached"))
    g_variant_builder_add (&options, "{sv}", "detach", g_variant_new_boolean (TRUE));
  request.arguments = g_variant_new ("(ssa{sv})", churn->region, churn->access, &options);
  return ask (churn, &request, fd, error);
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

/* What is shown goes back, and FD and LEASE are what is had by it. */
static gboolean
attach (Churn *churn,
        int *fd,
        char **lease,
        GError **error)
{
  const Request request = { "/org/regiond1", "org.regiond1.Manager", "AttachLease", g_variant_new ("(ha{sv})", 0, NULL),
                            *fd };
  int attached = -1;
  g_autofree char *path = ask (churn, &request, &attached, error);
  gboolean good;

  /* It may have ended with somebody whom it shared with. */
  if (!path && (is_error (*error, ERROR ("NotFound")) || is_error (*error, ERROR ("Gone"))))
    {
      g_clear_error (error);
      return TRUE;
    }
  if (!path)
    return FALSE;
  close (*fd);
  good = release (churn, *lease, error);
  *fd = attached;
  g_free (*lease);
  *lease = g_steal_pointer (&path);
  return good;
}

/* The ways in which people are done with something take turns. */
static gboolean
be_done (Churn *churn,
         const char *kind,
         guint way,
         int fd,
         const char *lease,
         GError **error)
{
  gboolean good = TRUE;

  if (way == 3)
    {
      int copy = dup (fd);

      close (fd);
      fd = copy;
    }
  if (way == 2 && is_tied (kind))
    end_process (churn);
  if (way == 0)
    good = release (churn, lease, error);
  close (fd);
  if (way == 1)
    good = release (churn, lease, error);
  return good;
}

static gboolean
run_round (Churn *churn,
           const char *kind,
           guint way,
           GError **error)
{
  int fd = -1;
  g_autofree char *lease = open_region (churn, kind, &fd, error);

  if (!lease)
    return FALSE;
  if (g_str_equal (kind, "attached") && !attach (churn, &fd, &lease, error))
    return FALSE;
  if (!use (churn, fd))
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "a region cannot be used: %s", g_strerror (errno));
      close (fd);
      return FALSE;
    }
  return be_done (churn, kind, way, fd, lease, error);
}

/*
 * churn DEVICE REGION ACCESS ROUNDS KINDS: opens, uses and gives back. KINDS, which take turns: "plain", "bound" and
 * "detached" (to and with a process), "attached".
 */
static void
run_churn (Command *command)
{
  Churn churn = { client_bus_get (), command_string (command, 0), command_string (command, 1),
                  command_string (command, 2), 0, -1 };
  g_auto (GStrv) kinds = g_strsplit (command_string (command, 4), " ", -1);
  guint n_kinds = g_strv_length (kinds);
  guint rounds = command_number (command, 3);
  g_autoptr (GError) error = NULL;
  guint n = 0;

  while (n < rounds && run_round (&churn, kinds[n % n_kinds], n / n_kinds % 4, &error))
    n++;
  end_process (&churn);
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
