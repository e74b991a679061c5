/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include <errno.h>

static const GDBusErrorEntry entries[] = {
  { REGIOND_ERROR_NOT_FOUND, "org.regiond1.Error.NotFound" },
  { REGIOND_ERROR_BUSY, "org.regiond1.Error.Busy" },
  { REGIOND_ERROR_NOT_SUPPORTED, "org.regiond1.Error.NotSupported" },
  { REGIOND_ERROR_NOT_ISOLATED, "org.regiond1.Error.NotIsolated" },
  { REGIOND_ERROR_LINGERING, "org.regiond1.Error.Lingering" },
  { REGIOND_ERROR_GONE, "org.regiond1.Error.Gone" },
  { REGIOND_ERROR_RESET_FAILED, "org.regiond1.Error.ResetFailed" },
  { REGIOND_ERROR_LIMIT_EXCEEDED, "org.regiond1.Error.LimitExceeded" },
  { REGIOND_ERROR_FAILED, "org.regiond1.Error.Failed" },
  { REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired" },
};

GQuark
regiond_error_quark (void)
{
  static gsize quark = 0;

  g_dbus_error_register_error_domain ("regiond-error", &quark, entries, G_N_ELEMENTS (entries));
  return (GQuark) quark;
}

gboolean
regiond_error_return (GDBusMethodInvocation *invocation,
                      GError                *error)
{
  g_dbus_method_invocation_take_error (invocation, error);
  return TRUE;
}

/* What an administrator can do where it is not plain from the error, or "". */
static const char *
get_advice (int errsv)
{
  switch (errsv)
    {
    case EMFILE:
      return "; regiond has as many as it may, release something or raise LimitNOFILE= of its unit";
    case ENFILE:
      return "; the whole machine has as many as it may, raise fs.file-max";
    case EFBIG:
      return "; LimitFSIZE= of regiond's unit is below the region's size";
    default:
      return "";
    }
}

void
regiond_error_set_errno (GError    **error,
                         int         errsv,
                         const char *what)
{
  gboolean limit = errsv == ENOMEM || errsv == ENOSPC || errsv == EMFILE || errsv == ENFILE || errsv == EDQUOT ||
                   errsv == EFBIG;

  g_set_error (error, REGIOND_ERROR, limit ? REGIOND_ERROR_LIMIT_EXCEEDED : REGIOND_ERROR_FAILED,
               "%s: %s%s", what, g_strerror (errsv), get_advice (errsv));
}
