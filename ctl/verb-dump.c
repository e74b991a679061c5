/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "hexdump.h"
#include "options.h"
#include "progress.h"
#include "sink.h"
#include "window.h"

typedef struct
{
  gboolean raw;
  CtlHexdump hexdump;
  GString *text;
} Form;

static gboolean
write_chunk (Form         *form,
             CtlSink      *sink,
             const guint8 *bytes,
             gsize         length,
             gboolean      last,
             GError      **error)
{
  if (form->raw)
    return ctl_sink_write (sink, bytes, length, error);

  g_string_truncate (form->text, 0);
  ctl_hexdump_append (&form->hexdump, form->text, bytes, length);
  if (last)
    ctl_hexdump_finish (&form->hexdump, form->text);
  return ctl_sink_write (sink, form->text->str, form->text->len, error);
}

static gboolean
dump (CtlWindow *window,
      CtlSink   *sink,
      Form      *form,
      GError   **error)
{
  guint64 length = ctl_window_get_length (window);
  g_autofree guint8 *bytes = g_malloc (MIN (length, CTL_WINDOW_CHUNK));
  /* On a terminal the bytes themselves show how far it is. */
  g_autoptr (CtlProgress) progress = ctl_progress_new (ctl_sink_is_terminal (sink) ? 0 : length);

  for (guint64 done = 0; done < length;)
    {
      gsize part = MIN (length - done, CTL_WINDOW_CHUNK);

      if (!ctl_window_read (window, done, bytes, part, error) ||
          !write_chunk (form, sink, bytes, part, done + part == length, error))
        return FALSE;
      done += part;
      ctl_progress_set (progress, done);
    }

  return TRUE;
}

int
ctl_verb_dump (const CtlVerb *verb,
               int            argc,
               char         **argv,
               GError       **error)
{
  g_autofree char *output = NULL;
  gboolean all = FALSE;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Save the bytes as they are to FILE", "FILE" },
    { "no-squeezing", 'v', 0, G_OPTION_ARG_NONE, &all, "Show equal lines too, instead of a *", NULL },
    { NULL }
  };
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (CtlWindow) window = NULL;
  g_autoptr (CtlSink) sink = NULL;
  CtlRange range;
  Form form = { .text = text };

  if (!ctl_options_parse (verb, entries, &argc, &argv, error) ||
      !ctl_range_parse (argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL, &range, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  window = bus == NULL ? NULL : ctl_window_open (bus, argv[0], argv[1], FALSE, &range, error);
  sink = window == NULL ? NULL : ctl_sink_open (output, error);
  if (sink == NULL)
    return CTL_STATUS_FAILED;

  form.raw = output != NULL;
  ctl_hexdump_init (&form.hexdump, ctl_window_get_offset (window), all);
  if (!dump (window, sink, &form, error) ||
      !ctl_sink_close (sink, error) ||
      !ctl_window_close (window, error))
    return CTL_STATUS_FAILED;

  return CTL_STATUS_OK;
}
