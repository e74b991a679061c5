/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "terminal.h"
#include "text.h"

#define MEBIBYTE (1024 * 1024)
#define LARGE (16 * MEBIBYTE)
#define INTERVAL (G_USEC_PER_SEC / 10)
#define LONGEST_BAR 50

struct _CtlProgress
{
  guint64 total;
  guint width; /* 0: nothing is shown */
  gint64 shown;
};

CtlProgress *
ctl_progress_new (guint64 total)
{
  CtlProgress *progress = g_new0 (CtlProgress, 1);

  progress->total = total;
  if (total >= LARGE)
    progress->width = ctl_terminal_get_width (STDERR_FILENO);
  return progress;
}

char *
ctl_progress_format (guint64 done,
                     guint64 total,
                     guint   width)
{
  g_autofree char *text = NULL;
  guint percent = total == 0 ? 100 : (guint) ((double) done / total * 100);
  guint room, bar, filled;

  text = g_strdup_printf (" %3u%%  %" G_GUINT64_FORMAT "M of %" G_GUINT64_FORMAT "M",
                          percent, done / MEBIBYTE, total / MEBIBYTE);
  room = ctl_text_get_width (text) + 2;
  if (width <= room)
    return ctl_text_ellipsize (text + 1, width);

  bar = MIN (width - room, LONGEST_BAR);
  filled = bar * percent / 100;
  return g_strdup_printf ("[%.*s%*s]%s", (int) filled,
                          "##################################################",
                          (int) (bar - filled), "", text);
}

void
ctl_progress_set (CtlProgress *progress,
                  guint64      done)
{
  g_autofree char *text = NULL;
  gint64 now = g_get_monotonic_time ();

  if (progress->width == 0 || (done != progress->total && now - progress->shown < INTERVAL))
    return;

  progress->shown = now;
  /* A terminal may wrap when its last cell is written. */
  text = ctl_progress_format (done, progress->total, progress->width - 1);
  fprintf (stderr, "\r%s\033[K", text);
}

void
ctl_progress_free (CtlProgress *progress)
{
  if (progress->shown != 0)
    fputs ("\r\033[K", stderr);
  g_free (progress);
}
