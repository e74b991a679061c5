/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/hold.h"

G_DEFINE_ABSTRACT_TYPE (RegiondHold, regiond_hold, G_TYPE_OBJECT)

static void
regiond_hold_class_init (RegiondHoldClass *klass)
{
}

static void
regiond_hold_init (RegiondHold *self)
{
}

gboolean
regiond_hold_is_gone (RegiondHold *self)
{
  return REGIOND_HOLD_GET_CLASS (self)->is_gone (self);
}

gboolean
regiond_hold_is_cut (RegiondHold *self)
{
  return REGIOND_HOLD_GET_CLASS (self)->is_cut (self);
}

void
regiond_hold_cut (RegiondHold *self)
{
  REGIOND_HOLD_GET_CLASS (self)->cut (self);
}

gboolean
regiond_hold_is_stale (RegiondHold *self)
{
  g_autoptr (RegiondSource) source = REGIOND_HOLD_GET_CLASS (self)->ref_source (self);

  return source == NULL || regiond_source_is_retired (source);
}

gboolean
regiond_hold_is_shared (RegiondHold *self)
{
  return REGIOND_HOLD_GET_CLASS (self)->is_shared;
}

gboolean
regiond_hold_shares_fate (RegiondHold *self,
                          RegiondHold *other)
{
  g_autoptr (RegiondSource) source = NULL, theirs = NULL;

  if (!regiond_hold_is_shared (self))
    return FALSE;

  source = REGIOND_HOLD_GET_CLASS (self)->ref_source (self);
  theirs = REGIOND_HOLD_GET_CLASS (other)->ref_source (other);
  return source == theirs;
}

gboolean
regiond_hold_listen (RegiondHold    *self,
                     RegiondHoldFunc func,
                     gpointer        data,
                     GError        **error)
{
  return REGIOND_HOLD_GET_CLASS (self)->listen (self, func, data, error);
}
