/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* One thing that happened to the service, a device or a lease. */
typedef struct
{
  gint64 time;           /* microseconds, realtime */
  char *kind;            /* "service", "device", "lease" */
  char *name;            /* an id, or a number */
  char *what;            /* "running", "started", "stopped", "added", "changed", "removed", "refused", "ended" */
  char *about;           /* more about it for people, or NULL */
  char *path;            /* or NULL */
  GVariant *properties;  /* a{sv}, or NULL */
  GVariant *invalidated; /* as: changed, but not told how; or NULL */
  GVariant *details;     /* a{sv}: of what was refused, or why it has ended; or NULL */
} CtlEvent;

CtlEvent *ctl_event_new  (const char *kind,
                          const char *name,
                          const char *what);
void      ctl_event_free (CtlEvent *event);

/* One line: JSON, or for people; NULL when it tells people nothing. */
char *ctl_event_format (const CtlEvent *event,
                        gboolean        json);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlEvent, ctl_event_free)
