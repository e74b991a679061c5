/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/backend.h"

G_DEFINE_ABSTRACT_TYPE (RegiondBackend, regiond_backend, G_TYPE_OBJECT)

static void
regiond_backend_class_init (RegiondBackendClass *klass)
{
}

static void
regiond_backend_init (RegiondBackend *self)
{
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
regiond_backend_park (RegiondBackend *self,
                      GError        **error)
{
  return REGIOND_BACKEND_GET_CLASS (self)->park (self, error);
}
