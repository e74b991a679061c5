/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trim.h"

#include <glib.h>
#include <malloc.h>

/* By then the answer is on its way. */
#define DELAY_MS 1000

static gboolean pending;

static gboolean
trim (gpointer data)
{
  pending = FALSE;
  malloc_trim (0);
  return G_SOURCE_REMOVE;
}

void
regiond_trim_later (void)
{
  if (pending)
    return;

  pending = TRUE;
  g_timeout_add (DELAY_MS, trim, NULL);
}
