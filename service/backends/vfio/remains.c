/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/remains.h"

#include "error.h"
#include "mechanisms/witness.h"

struct _RegiondRemains {
  char   *device;
  GMutex  lock; /* guards serials */
  GArray *serials;
};

RegiondRemains *
regiond_remains_new (const char *device)
{
  RegiondRemains *self = g_new0 (RegiondRemains, 1);

  self->device = g_strdup (device);
  self->serials = g_array_new (FALSE, FALSE, sizeof (gint32));
  g_mutex_init (&self->lock);
  return self;
}

void
regiond_remains_free (RegiondRemains *self)
{
  g_array_unref (self->serials);
  g_mutex_clear (&self->lock);
  g_free (self->device);
  g_free (self);
}

void
regiond_remains_add (RegiondRemains *self,
                     GArray         *serials)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  g_array_append_vals (self->serials, serials->data, serials->len);
}

guint
regiond_remains_count (RegiondRemains *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  for (guint i = self->serials->len; i > 0; i--)
    {
      RegiondWitness witness = { g_array_index (self->serials, gint32, i - 1) };

      if (regiond_witness_is_gone (&witness))
        g_array_remove_index_fast (self->serials, i - 1);
    }
  return self->serials->len;
}

gboolean
regiond_remains_check (RegiondRemains *self,
                       GError        **error)
{
  guint count = regiond_remains_count (self);

  if (count == 0)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LINGERING,
               "Device %s is not lent yet: of what it was lent for before regiond was started anew, %u references are "
               "left; end whoever holds them, and wait with Verify", self->device, count);
  return FALSE;
}
