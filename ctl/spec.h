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

/* What regionctl attach is asked to show: FD[:ACCESS][=NAME]. */
typedef struct
{
  int fd;
  char *access; /* NULL: what the fd has */
  char *name;   /* for LISTEN_FDNAMES; NULL: the region's name */
} CtlShown;

/* A usage error as above; so are 0, 1 and 2, which are the command's own. */
CtlShown *ctl_shown_parse (const char *text,
                           GError    **error);

void ctl_shown_free (CtlShown *shown);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlSpec, ctl_spec_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlShown, ctl_shown_free)
