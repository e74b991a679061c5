/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Waits until @condition; the test fails after 30 s, which is long for an emulated machine as well. */
#define eventually(condition) \
  G_STMT_START \
  { \
    gint64 _deadline = g_get_monotonic_time () + 30 * G_TIME_SPAN_SECOND; \
    while (!(condition)) \
      { \
        if (g_get_monotonic_time () > _deadline) \
          g_error ("%s:%d: this has not become true: %s", __FILE__, __LINE__, #condition); \
        g_usleep (1000); \
      } \
  } \
  G_STMT_END
