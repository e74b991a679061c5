/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/hold.h"

typedef struct {
  RegiondCharge *charge;
} RegiondHoldPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (RegiondHold, regiond_hold, G_TYPE_OBJECT)

static RegiondHoldPrivate *
get_private (RegiondHold *self)
{
  return regiond_hold_get_instance_private (self);
}

static void
regiond_hold_finalize (GObject *object)
{
  g_clear_pointer (&get_private (REGIOND_HOLD (object))->charge, regiond_charge_free);
  G_OBJECT_CLASS (regiond_hold_parent_class)->finalize (object);
}

static void
regiond_hold_class_init (RegiondHoldClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = regiond_hold_finalize;
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

gboolean
regiond_hold_is_cutting (RegiondHold *self)
{
  RegiondHoldClass *klass = REGIOND_HOLD_GET_CLASS (self);

  return klass->is_cutting != NULL && klass->is_cutting (self);
}

gboolean
regiond_hold_is_dear (RegiondHold *self)
{
  return REGIOND_HOLD_GET_CLASS (self)->is_dear;
}

void
regiond_hold_cut (RegiondHold *self)
{
  REGIOND_HOLD_GET_CLASS (self)->cut (self);
}

RegiondSource *
regiond_hold_ref_source (RegiondHold *self)
{
  return REGIOND_HOLD_GET_CLASS (self)->ref_source (self);
}

gboolean
regiond_hold_is_stale (RegiondHold *self)
{
  g_autoptr (RegiondSource) source = regiond_hold_ref_source (self);

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

  source = regiond_hold_ref_source (self);
  theirs = regiond_hold_ref_source (other);
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

gboolean
regiond_hold_is_shown (RegiondHold        *self,
                       const RegiondProof *proof)
{
  return REGIOND_HOLD_GET_CLASS (self)->is_shown (self, proof);
}

void
regiond_hold_keep_charge (RegiondHold   *self,
                          RegiondCharge *charge)
{
  get_private (self)->charge = charge;
}

void
regiond_hold_end_charge (RegiondHold *self,
                         guint64      bytes)
{
  RegiondCharge *charge = get_private (self)->charge;
  g_autoptr (RegiondSource) source = NULL;

  if (regiond_hold_is_shared (self))
    source = regiond_hold_ref_source (self);
  if (charge != NULL)
    regiond_charge_end (charge, source, bytes);
}
