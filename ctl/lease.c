/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lease.h"

#include <unistd.h>

#include "error.h"

struct _CtlLease
{
  CtlBus *bus;
  char *path;
  int fd;
  char *end;

  guint subscription;
  guint watch;

  CtlLeaseEndedFunc ended;
  CtlLeaseAskedFunc asked;
  gpointer data;
};

static void
set_end (CtlLease   *lease,
         const char *reason)
{
  if (lease->end != NULL)
    return;

  lease->end = g_strdup (reason);
  if (lease->ended != NULL)
    lease->ended (lease, lease->data);
}

static void
on_signal (GDBusConnection *connection,
           const char      *sender,
           const char      *path,
           const char      *interface,
           const char      *signal,
           GVariant        *parameters,
           gpointer         data)
{
  CtlLease *lease = data;
  const char *reason;
  guint32 grace;

  if (g_strcmp0 (path, lease->path) != 0)
    return;

  if (g_str_equal (signal, "Ended") && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(s)")))
    {
      g_variant_get (parameters, "(&s)", &reason);
      set_end (lease, reason);
    }
  else if (g_str_equal (signal, "RevokeRequested") && lease->asked != NULL &&
           g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(su)")))
    {
      g_variant_get (parameters, "(&su)", &reason, &grace);
      lease->asked (lease, reason, grace, lease->data);
    }
}

static void
on_vanished (GDBusConnection *connection,
             const char      *name,
             gpointer         data)
{
  set_end (data, "no-service");
}

static gboolean
take_reply (CtlLease    *lease,
            GVariant    *reply,
            GUnixFDList *fds,
            GError     **error)
{
  gint32 handle;

  g_variant_get (reply, "(ho)", &handle, &lease->path);
  if (fds == NULL || handle >= g_unix_fd_list_get_length (fds))
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "The service answered without a file descriptor");
      return FALSE;
    }

  lease->fd = g_unix_fd_list_get (fds, handle, error);
  return lease->fd != -1;
}

/* @fd goes along with the call; NULL: none does. */
static CtlLease *
call (CtlBus     *bus,
      const char *path,
      const char *interface,
      const char *method,
      GVariant   *parameters,
      const int  *fd,
      GError    **error)
{
  g_autoptr (CtlLease) lease = g_new0 (CtlLease, 1);
  g_autoptr (GVariant) sunk = g_variant_ref_sink (parameters);
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GUnixFDList) fds = fd == NULL ? NULL : g_unix_fd_list_new ();
  GDBusConnection *connection = ctl_bus_get_connection (bus);

  lease->bus = bus;
  lease->fd = -1;
  /* Before the call: the lease may end before its path is known here. */
  lease->subscription = g_dbus_connection_signal_subscribe (connection, CTL_BUS_NAME, CTL_LEASE_INTERFACE,
                                                            NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                            on_signal, lease, NULL);
  if (fds != NULL && g_unix_fd_list_append (fds, *fd, error) == -1)
    return NULL;

  reply = ctl_bus_call_authorized (bus, path, interface, method, sunk, "(ho)", &fds, error);
  if (reply == NULL || !take_reply (lease, reply, fds, error))
    return NULL;

  lease->watch = g_bus_watch_name_on_connection (connection, CTL_BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                 NULL, on_vanished, lease, NULL);
  return g_steal_pointer (&lease);
}

CtlLease *
ctl_lease_open (CtlBus                *bus,
                const char            *device_path,
                const char            *region,
                const char            *access,
                const CtlLeaseOptions *options,
                GError               **error)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  ctl_lease_options_add (options, &builder);
  return call (bus, device_path, CTL_DEVICE_INTERFACE, "OpenRegion",
               g_variant_new ("(ssa{sv})", region, access, &builder), options->bind_to, error);
}

CtlLease *
ctl_lease_attach (CtlBus                *bus,
                  int                    fd,
                  const char            *access,
                  const CtlLeaseOptions *options,
                  GError               **error)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (access != NULL)
    g_variant_builder_add (&builder, "{sv}", "access", g_variant_new_string (access));
  if (options->label != NULL)
    g_variant_builder_add (&builder, "{sv}", "label", g_variant_new_string (options->label));

  return call (bus, CTL_MANAGER_PATH, CTL_MANAGER_INTERFACE, "AttachLease",
               g_variant_new ("(ha{sv})", 0, &builder), &fd, error);
}

void
ctl_lease_free (CtlLease *lease)
{
  ctl_lease_close_fd (lease);
  g_dbus_connection_signal_unsubscribe (ctl_bus_get_connection (lease->bus), lease->subscription);
  if (lease->watch != 0)
    g_bus_unwatch_name (lease->watch);

  g_free (lease->path);
  g_free (lease->end);
  g_free (lease);
}

const char *
ctl_lease_get_path (CtlLease *lease)
{
  return lease->path;
}

int
ctl_lease_get_fd (CtlLease *lease)
{
  return lease->fd;
}

void
ctl_lease_close_fd (CtlLease *lease)
{
  if (lease->fd != -1)
    close (lease->fd);
  lease->fd = -1;
}

const char *
ctl_lease_get_end (CtlLease *lease)
{
  return lease->end;
}

void
ctl_lease_watch (CtlLease         *lease,
                 CtlLeaseEndedFunc ended,
                 CtlLeaseAskedFunc asked,
                 gpointer          data)
{
  lease->ended = ended;
  lease->asked = asked;
  lease->data = data;
}

gboolean
ctl_lease_release (CtlLease *lease,
                   GError  **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) local_error = NULL;

  ctl_lease_close_fd (lease);
  if (lease->end == NULL)
    reply = ctl_bus_call (lease->bus, lease->path, CTL_LEASE_INTERFACE, "Release", NULL, "()", &local_error);

  /* Closing the only fd ends a lease too, so Release may have come too late. In
   * any case the Ended signal was sent before the reply. */
  while (g_main_context_iteration (NULL, FALSE))
    continue;

  if (reply != NULL || g_strcmp0 (lease->end, "released") == 0)
    return TRUE;

  if (lease->end == NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  else
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "The lease has ended: %s", lease->end);
  return FALSE;
}
