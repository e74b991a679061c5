/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* The errors that go over the bus as org.regiond1.Error.NAME; the values'
 * names on the bus stand in error.c. AccessDenied and InvalidArgs are
 * G_DBUS_ERROR's own. A message says what was asked, what stands in the way
 * and what to do. */
typedef enum {
  REGIOND_ERROR_NOT_FOUND,
  REGIOND_ERROR_BUSY,
  REGIOND_ERROR_NOT_SUPPORTED,
  REGIOND_ERROR_NOT_ISOLATED,
  REGIOND_ERROR_LINGERING,
  REGIOND_ERROR_GONE,
  REGIOND_ERROR_RESET_FAILED,
  REGIOND_ERROR_LIMIT_EXCEEDED,
  REGIOND_ERROR_FAILED,
  REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
} RegiondError;

#define REGIOND_ERROR (regiond_error_quark ())
GQuark regiond_error_quark (void);

/* Answers @invocation with @error, which it takes. Always TRUE, so that a
 * handler can return it. */
gboolean regiond_error_return (GDBusMethodInvocation *invocation,
                               GError                *error);

/* Sets LimitExceeded for an errno that means "no more of it" (ENOMEM, ENOSPC,
 * EMFILE, ENFILE, EDQUOT, EFBIG), else Failed. @what says what was being done;
 * what an administrator can do is added where it is known. */
void regiond_error_set_errno (GError    **error,
                              int         errsv,
                              const char *what);
