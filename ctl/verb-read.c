/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "options.h"
#include "sink.h"
#include "window.h"

static gboolean
copy (CtlWindow *window,
      CtlSink   *sink,
      GError   **error)
{
  guint64 length = ctl_window_get_length (window);
  g_autofree guint8 *bytes = g_malloc (MIN (length, CTL_WINDOW_CHUNK));
  gsize part;

  for (guint64 done = 0; done < length; done += part)
    {
      part = MIN (length - done, CTL_WINDOW_CHUNK);
      if (!ctl_window_read (window, done, bytes, part, error) || !ctl_sink_write (sink, bytes, part, error))
        return FALSE;
    }

  return TRUE;
}

int
ctl_verb_read (const CtlVerb *verb,
               int            argc,
               char         **argv,
               GError       **error)
{
  g_autofree char *output = NULL;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Write to FILE", "FILE" },
    { NULL }
  };
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (CtlWindow) window = NULL;
  g_autoptr (CtlSink) sink = NULL;
  CtlRange range;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error) ||
      !ctl_range_parse (argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL, &range, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  window = bus == NULL ? NULL : ctl_window_open (bus, argv[0], argv[1], FALSE, &range, error);
  sink = window == NULL ? NULL : ctl_sink_open (output, error);
  if (sink == NULL ||
      !copy (window, sink, error) ||
      !ctl_sink_close (sink, error) ||
      !ctl_window_close (window, error))
    return CTL_STATUS_FAILED;

  return CTL_STATUS_OK;
}
