/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/errand.h"

typedef struct {
  RegiondErrandFunc func;
  gpointer          data;
} Errand;

static void
run (gpointer data,
     gpointer user_data)
{
  g_autofree Errand *errand = data;

  errand->func (errand->data);
}

void
regiond_errand_send (RegiondErrandFunc func,
                     gpointer          data)
{
  static GThreadPool *pool = NULL;
  static gsize once = 0;
  Errand *errand = g_new (Errand, 1);

  if (g_once_init_enter (&once))
    {
      pool = g_thread_pool_new (run, NULL, -1, FALSE, NULL);
      g_once_init_leave (&once, 1);
    }

  *errand = (Errand){ func, data };
  g_thread_pool_push (pool, errand, NULL);
}
