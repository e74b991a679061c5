/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "verb.h"

/* What a lease is to be like. */
typedef struct
{
  gboolean exclusive;
  char *label;      /* or NULL */
  char *revocation; /* or NULL: whatever there is */
  guint64 offset;   /* of the part that is asked for */
  guint64 length;   /* 0: to the end */
  const int *bind_to; /* a pidfd: it ends with that process, too; or NULL */
} CtlLeaseOptions;

/* ctl_options_parse(), with --exclusive, --length, --offset and --revocation beside the @entries.
 * What the command line says is in @options, which are to be cleared in any case. */
gboolean ctl_lease_options_parse (CtlLeaseOptions    *options,
                                  const CtlVerb      *verb,
                                  const GOptionEntry *entries,
                                  int                *argc,
                                  char             ***argv,
                                  GError            **error);

/* Adds them to an a{sv}, as OpenRegion and Explain take them. The fd, where there is one, is the
 * first of those that go along. */
void ctl_lease_options_add (const CtlLeaseOptions *options,
                            GVariantBuilder       *builder);

void ctl_lease_options_clear (CtlLeaseOptions *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CtlLeaseOptions, ctl_lease_options_clear)
