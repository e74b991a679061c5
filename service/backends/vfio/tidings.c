/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/tidings.h"

struct _RegiondTidings {
  GWeakRef                    owner;
  const RegiondTidingsEvents *events;
};

typedef struct {
  RegiondTidings *tidings;
  GError         *failure; /* NULL: something has changed */
} Piece;

RegiondTidings *
regiond_tidings_new (GObject                    *owner,
                     const RegiondTidingsEvents *events)
{
  RegiondTidings *self = g_atomic_rc_box_new0 (RegiondTidings);

  g_weak_ref_init (&self->owner, owner);
  self->events = events;
  return self;
}

static void
clear (RegiondTidings *self)
{
  g_weak_ref_clear (&self->owner);
}

void
regiond_tidings_unref (RegiondTidings *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

static void
piece_free (gpointer data)
{
  Piece *self = data;

  g_clear_error (&self->failure);
  regiond_tidings_unref (self->tidings);
  g_free (self);
}

static gboolean
deliver (gpointer data)
{
  Piece *piece = data;
  g_autoptr (GObject) owner = g_weak_ref_get (&piece->tidings->owner);

  if (owner != NULL && piece->failure != NULL)
    piece->tidings->events->failed (owner, piece->failure);
  else if (owner != NULL)
    piece->tidings->events->changed (owner);
  return G_SOURCE_REMOVE;
}

void
regiond_tidings_post_failure (RegiondTidings *self,
                              GError         *failure)
{
  Piece *piece = g_new (Piece, 1);

  *piece = (Piece){ g_atomic_rc_box_acquire (self), failure };
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver, piece, piece_free);
}

void
regiond_tidings_post_changed (RegiondTidings *self)
{
  regiond_tidings_post_failure (self, NULL);
}

void
regiond_tidings_tell_leaving (RegiondTidings *self)
{
  g_autoptr (GObject) owner = g_weak_ref_get (&self->owner);

  if (owner != NULL)
    self->events->leaving (owner);
}
