/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "verb.h"

/* A verb that takes a device away, by @method of the Manager ("RemoveDevice"): with
 * the option --force whatever leases it has. The status for main. */
int ctl_parting_run (const CtlVerb *verb,
                     const char    *method,
                     int            argc,
                     char         **argv,
                     GError       **error);
