/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Where bytes go: a file, or the standard output. */
typedef struct _CtlSink CtlSink;

/* @path: a file to make or to overwrite; NULL for the standard output. */
CtlSink *ctl_sink_open (const char *path,
                        GError    **error);

gboolean ctl_sink_is_terminal (CtlSink *sink);

gboolean ctl_sink_write (CtlSink      *sink,
                         gconstpointer data,
                         gsize         length,
                         GError      **error);

/* What a file system finds out only now is an error as well. */
gboolean ctl_sink_close (CtlSink *sink,
                         GError **error);

void ctl_sink_free (CtlSink *sink);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlSink, ctl_sink_free)
