/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/backend.h"

G_DEFINE_ABSTRACT_TYPE (RegiondBackend, regiond_backend, G_TYPE_OBJECT)

enum { CHANGED, FAILED, LEAVING, N_SIGNALS };

static guint signals[N_SIGNALS];

static void
regiond_backend_class_init (RegiondBackendClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  signals[CHANGED] = g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[FAILED] = g_signal_new ("failed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
  signals[LEAVING] = g_signal_new ("leaving", type, G_SIGNAL_RUN_FIRST, G_STRUCT_OFFSET (RegiondBackendClass, leaving),
                                   NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
}

static void
regiond_backend_init (RegiondBackend *self)
{
}

void
regiond_backend_emit_changed (RegiondBackend *self)
{
  g_signal_emit (self, signals[CHANGED], 0);
}

void
regiond_backend_emit_failed (RegiondBackend *self,
                             const GError   *failure)
{
  g_signal_emit (self, signals[FAILED], 0, failure);
}

void
regiond_backend_emit_leaving (RegiondBackend *self,
                              guint           grace)
{
  g_signal_emit (self, signals[LEAVING], 0, grace);
}

const char *
regiond_backend_get_isolation (RegiondBackend *self)
{
  return REGIOND_BACKEND_GET_CLASS (self)->get_isolation (self);
}

const char *const *
regiond_backend_get_reset_methods (RegiondBackend *self)
{
  return REGIOND_BACKEND_GET_CLASS (self)->get_reset_methods (self);
}

GPtrArray *
regiond_backend_get_regions (RegiondBackend *self)
{
  return REGIOND_BACKEND_GET_CLASS (self)->get_regions (self);
}

gboolean
regiond_backend_check (RegiondBackend *self,
                       GError        **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->check (self, error);
}

gboolean
regiond_backend_is_isolated (RegiondBackend *self)
{
  return REGIOND_BACKEND_GET_CLASS (self)->is_isolated (self);
}

guint
regiond_backend_count_remains (RegiondBackend *self)
{
  return REGIOND_BACKEND_GET_CLASS (self)->count_remains (self);
}

RegiondMechanism
regiond_backend_find_mechanism (RegiondBackend *self,
                                RegiondRegion  *region,
                                RegiondAccess   access,
                                GError        **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->find_mechanism (self, region, access, error);
}

RegiondRevocation
regiond_backend_get_revocation (RegiondBackend  *self,
                                RegiondMechanism mechanism)
{
  return REGIOND_BACKEND_GET_CLASS (self)->get_revocation (self, mechanism);
}

void
regiond_backend_list_proofs (RegiondBackend *self,
                             GPtrArray      *proofs)
{
  REGIOND_BACKEND_GET_CLASS (self)->list_proofs (self, proofs);
}

gboolean
regiond_backend_spend (RegiondBackend *self,
                       RegiondRegion  *region)
{
  return REGIOND_BACKEND_GET_CLASS (self)->spend (self, region);
}

gboolean
regiond_backend_is_quick (RegiondBackend      *self,
                          const RegiondWindow *window)
{
  return REGIOND_BACKEND_GET_CLASS (self)->is_quick (self, window);
}

gboolean
regiond_backend_attach (RegiondBackend *self,
                        GCancellable   *cancellable,
                        GError        **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->attach (self, cancellable, error);
}

RegiondHold *
regiond_backend_open_region (RegiondBackend      *self,
                             const RegiondWindow *window,
                             int                 *fd,
                             GError             **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->open_region (self, window, fd, error);
}

gboolean
regiond_backend_reset (RegiondBackend *self,
                       gboolean        leased,
                       GError        **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->reset (self, leased, error);
}

gboolean
regiond_backend_settle (RegiondBackend *self,
                        GError        **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->settle (self, error);
}

gboolean
regiond_backend_recover (RegiondBackend *self,
                         GError        **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->recover (self, error);
}

gboolean
regiond_backend_park (RegiondBackend *self,
                      GError        **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->park (self, error);
}

gboolean
regiond_backend_abandon (RegiondBackend *self,
                         GError        **error)
{
  RegiondBackendClass *klass = REGIOND_BACKEND_GET_CLASS (self);

  return klass->abandon != NULL ? klass->abandon (self, error) : klass->park (self, error);
}
