/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/mount.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

/* What is short for the moment, or else not to be had at all. */
static void
set_error (GError    **error,
           const char *what)
{
  int errsv = errno;

  if (errsv == ENOMEM || errsv == EMFILE || errsv == ENFILE || errsv == ENOSPC)
    regiond_error_set_errno (error, errsv, what);
  else
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "%s: %s", what, g_strerror (errsv));
}

int
regiond_mount_connect (GError **error)
{
  int connection = open ("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);

  if (connection < 0)
    set_error (error, "Cannot open /dev/fuse");
  return connection;
}

/* allow_other: else fstat by anybody but regiond fails. default_permissions:
 * else a holder could open the file again with more access than he has. */
static gboolean
configure (int context,
           int connection)
{
  g_autofree char *fd = g_strdup_printf ("%d", connection);
  const char *const values[][2] = {
    { "source", "regiond" }, { "fd", fd }, { "rootmode", "100600" }, { "user_id", "0" }, { "group_id", "0" },
  };
  const char *const flags[] = { "allow_other", "default_permissions" };

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      if (fsconfig (context, FSCONFIG_SET_STRING, values[i][0], values[i][1], 0) < 0)
        return FALSE;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (flags); i++)
    {
      if (fsconfig (context, FSCONFIG_SET_FLAG, flags[i], NULL, 0) < 0)
        return FALSE;
    }

  return fsconfig (context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
}

int
regiond_mount_file (int      connection,
                    GError **error)
{
  int context = fsopen ("fuse", FSOPEN_CLOEXEC);
  int mount = -1;

  if (context >= 0 && configure (context, connection))
    mount = fsmount (context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (mount < 0)
    set_error (error, "Cannot mount a FUSE file system");
  if (context >= 0)
    close (context);
  return mount;
}

gboolean
regiond_mount_probe (GError **error)
{
  int connection = regiond_mount_connect (error);
  int mount = connection >= 0 ? regiond_mount_file (connection, error) : -1;

  if (connection >= 0)
    close (connection);
  if (mount >= 0)
    close (mount);
  return mount >= 0;
}
