/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "child.h"
#include "lease.h"

/* The leases that a command borrows for as long as it runs. */
GPtrArray *ctl_loans_new (void);

/* @title: what people call it; @name: what the command does. Takes @lease. */
void ctl_loans_add (GPtrArray  *loans,
                    const char *title,
                    const char *name,
                    CtlLease   *lease);

/* Runs @command, which is complete but for the descriptors, with those of @loans, and tells
 * people what becomes of the leases meanwhile; gives back what is left of them.
 * Returns the command's exit status, or what a shell says of one that cannot be run. */
int ctl_loans_run (GPtrArray  *loans,
                   CtlCommand *command,
                   GError    **error);
