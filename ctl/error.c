/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include <gio/gio.h>

G_DEFINE_QUARK (regionctl-error, ctl_error)

static gboolean
is_absence (const GError *error)
{
  g_autofree char *name = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    return TRUE;
  if (!g_dbus_error_is_remote_error (error))
    return FALSE;

  name = g_dbus_error_get_remote_error (error);
  /* The last is what the bus says when the service manager could not start it. */
  return g_str_equal (name, "org.freedesktop.DBus.Error.ServiceUnknown") ||
         g_str_equal (name, "org.freedesktop.DBus.Error.NameHasNoOwner") ||
         g_str_equal (name, "org.freedesktop.DBus.Error.NoReply") ||
         g_str_equal (name, "org.freedesktop.DBus.Error.Disconnected") ||
         g_str_equal (name, "org.freedesktop.DBus.Error.TimedOut") ||
         g_str_has_prefix (name, "org.freedesktop.DBus.Error.Spawn.") ||
         g_str_has_prefix (name, "org.freedesktop.systemd1.");
}

int
ctl_error_get_status (const GError *error)
{
  if (error->domain == G_OPTION_ERROR || g_error_matches (error, CTL_ERROR, CTL_ERROR_USAGE))
    return CTL_STATUS_USAGE;
  if (g_error_matches (error, CTL_ERROR, CTL_ERROR_NO_SERVICE))
    return CTL_STATUS_NO_SERVICE;

  return CTL_STATUS_FAILED;
}

void
ctl_error_propagate_remote (GError **destination,
                            GError  *source)
{
  gboolean absent = is_absence (source);

  g_dbus_error_strip_remote_error (source);
  if (!absent)
    {
      g_propagate_error (destination, source);
      return;
    }

  g_set_error (destination, CTL_ERROR, CTL_ERROR_NO_SERVICE, "regiond does not answer: %s", source->message);
  g_error_free (source);
}
