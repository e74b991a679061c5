/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What regionctl's exit status says. They are documented in regionctl(1). */
enum
{
  CTL_STATUS_OK = 0,
  CTL_STATUS_FAILED = 1,
  CTL_STATUS_USAGE = 2,
  CTL_STATUS_NO_SERVICE = 3,
};

typedef enum
{
  CTL_ERROR_FAILED,
  CTL_ERROR_USAGE,
  CTL_ERROR_NO_SERVICE,
} CtlError;

#define CTL_ERROR (ctl_error_quark ())
GQuark ctl_error_quark (void);

/* The exit status for @error. */
int ctl_error_get_status (const GError *error);

/* Makes what a call over the bus has ended with fit to be shown: without the
 * name of the D-Bus error, and as CTL_ERROR_NO_SERVICE when nobody answered. */
void ctl_error_propagate_remote (GError **destination,
                                 GError  *source);
