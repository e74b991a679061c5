/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "talk.h"

#include <string.h>

#include "../system/sandbox.h"

/* A line is waited for so long: a guest has to boot before it says anything. */
#define PATIENCE_S 180

typedef struct
{
  gboolean done;
  char *line;
} Reading;

static void
on_line (GObject *source,
         GAsyncResult *result,
         gpointer data)
{
  Reading *reading = data;

  reading->line = g_data_input_stream_read_line_finish (G_DATA_INPUT_STREAM (source), result, NULL, NULL);
  reading->done = TRUE;
}

static gboolean
on_impatience (gpointer data)
{
  g_error ("the other end has been silent for %d seconds", PATIENCE_S);
  return G_SOURCE_REMOVE;
}

static char *
read_line (Talk *talk)
{
  Reading reading = { FALSE, NULL };
  guint alarm = g_timeout_add_seconds (PATIENCE_S, on_impatience, NULL);

  g_data_input_stream_read_line_async (talk->out, G_PRIORITY_DEFAULT, NULL, on_line, &reading);
  while (!reading.done)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (alarm);
  if (!reading.line)
    g_error ("region-talk has ended");
  return reading.line;
}

Talk *
talk_start (const char *device,
            const char *region,
            const char *end)
{
  g_autofree char *program = g_build_filename (g_getenv ("REGIOND_TEST_BUILD"), "docs/examples/region-talk", NULL);
  g_autofree char *user = g_strdup_printf ("--reuid=%d", UID_ALICE);
  g_autofree char *group = g_strdup_printf ("--regid=%d", UID_ALICE);
  g_autofree char *first = NULL;
  g_autoptr (GError) error = NULL;
  Talk *talk = g_new0 (Talk, 1);

  talk->process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
                                    "/usr/bin/setpriv", user, group, "--init-groups", program, device, region, end,
                                    NULL);
  g_assert_no_error (error);
  talk->in = g_subprocess_get_stdin_pipe (talk->process);
  talk->out = g_data_input_stream_new (g_subprocess_get_stdout_pipe (talk->process));
  first = read_line (talk);
  g_assert_true (g_str_has_prefix (first, "open: /org/regiond1/leases/"));
  return talk;
}

void
talk_say (Talk *talk,
          const char *text)
{
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  g_autoptr (GError) error = NULL;

  g_output_stream_write_all (talk->in, line, strlen (line), NULL, NULL, &error);
  g_assert_no_error (error);
  g_test_message ("said: %s", text);
}

void
talk_expect (Talk *talk,
             const char *text)
{
  g_autofree char *line = read_line (talk);
  g_autofree char *expected = g_strconcat ("heard: ", text, NULL);

  g_assert_cmpstr (line, ==, expected);
  g_test_message ("%s", line);
}

void
talk_kill (Talk *talk)
{
  g_autoptr (GError) error = NULL;

  g_subprocess_force_exit (talk->process);
  g_subprocess_wait (talk->process, NULL, &error);
  g_assert_no_error (error);
}

void
talk_free (Talk *talk)
{
  talk_kill (talk);
  g_object_unref (talk->out);
  g_object_unref (talk->process);
  g_free (talk);
}
