/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What regionctl exec is asked to pass on: DEVICE:REGION:ACCESS[=NAME]. */
typedef struct
{
  char *device;
  char *region;
  char *access;
  char *name; /* for LISTEN_FDNAMES; the region's name unless given */
} CtlSpec;

/* Takes @text apart from the right, for a PCI address has colons of its own.
 * What may be in a device, a region or an access is for the service to judge;
 * a name that sd_listen_fds_with_names(3) would not take is a usage error. */
CtlSpec *ctl_spec_parse (const char *text,
                         GError    **error);

void ctl_spec_free (CtlSpec *spec);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlSpec, ctl_spec_free)
