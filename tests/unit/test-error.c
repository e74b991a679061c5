/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include <string.h>

#include <errno.h>

static void
test_names (void)
{
  static const struct {
    int         code;
    const char *name;
  } cases[] = {
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

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = g_error_new (REGIOND_ERROR, cases[i].code, "x");
      g_autofree char *name = g_dbus_error_encode_gerror (error);

      g_assert_cmpstr (name, ==, cases[i].name);
    }
}

static void
test_errno (void)
{
  const int limits[] = { ENOMEM, ENOSPC, EMFILE, ENFILE, EDQUOT };
  const int others[] = { EACCES, EIO, EINVAL };

  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      g_autoptr (GError) error = NULL;

      regiond_error_set_errno (&error, limits[i], "Cannot do it");
      g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
      g_assert_true (g_str_has_prefix (error->message, "Cannot do it: "));
    }
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autoptr (GError) error = NULL;

      regiond_error_set_errno (&error, others[i], "Cannot do it");
      g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED);
      g_assert_nonnull (strstr (error->message, g_strerror (others[i])));
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/each-has-its-name-on-the-bus", test_names);
  g_test_add_func ("/error/running-out-of-something-is-a-limit", test_errno);
  return g_test_run ();
}
