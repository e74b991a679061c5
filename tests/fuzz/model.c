/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model.h"

#include "fixture.h"

#include <string.h>

const char *const model_devices[MODEL_DEVICES] = { SHM0, RING };
const gsize model_region_sizes[MODEL_REGIONS] = { 4096, 8192 };

void
model_clear (Model *self)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      g_free (self->leases[i].path);
      g_free (self->leases[i].owner);
    }
  self->n_leases = self->n_objects = 0;
  memset (self->current, 0, sizeof self->current);
}

gboolean
model_lingers (const ModelLease *lease)
{
  /* A proxied one is over when it is cut. */
  return !lease->active && !lease->proxied && lease->references > 0;
}

static guint
count (Model   *self,
       guint    device,
       gboolean (*is) (const ModelLease *lease))
{
  guint n = 0;

  for (guint i = 0; i < self->n_leases; i++)
    n += self->leases[i].device == device && is (&self->leases[i]);
  return n;
}

static gboolean
is_active (const ModelLease *lease)
{
  return lease->active;
}

guint
model_count_active (Model *self,
                    guint  device)
{
  return count (self, device, is_active);
}

guint
model_count_lingering (Model *self,
                       guint  device)
{
  return count (self, device, model_lingers);
}

ModelAnswer
model_admits (Model      *self,
              const char *owner,
              guint       uid,
              guint       device,
              gboolean    exclusive)
{
  ModelAnswer answer = MODEL_FINE;

  for (guint i = 0; i < self->n_leases; i++)
    {
      const ModelLease *lease = &self->leases[i];
      gboolean other = g_strcmp0 (lease->owner, owner) != 0;

      if (lease->device != device)
        continue;
      if (lease->active && other && (lease->exclusive || exclusive))
        return MODEL_BUSY;
      if (model_lingers (lease) && ((other && exclusive) || (lease->leaked && lease->uid == uid)))
        answer = MODEL_LINGERING;
    }

  return answer;
}

ModelLease *
model_open (Model            *self,
            const ModelLease *terms)
{
  ModelLease *lease = &self->leases[self->n_leases++];
  ModelObject **current = &self->current[terms->device][terms->region];

  g_assert_cmpuint (self->n_leases, <=, MODEL_LEASES);
  if (*current == NULL)
    {
      *current = &self->objects[self->n_objects++];
      g_assert_cmpuint (self->n_objects, <=, MODEL_OBJECTS);
      memset (*current, 0, sizeof **current);
    }

  *lease = *terms;
  lease->object = *current;
  lease->references = 1;
  lease->active = TRUE;
  return lease;
}

/* It is never lent again. */
static void
retire (Model       *self,
        ModelObject *object)
{
  object->retired = TRUE;
  for (guint device = 0; device < MODEL_DEVICES; device++)
    {
      for (guint region = 0; region < MODEL_REGIONS; region++)
        {
          if (self->current[device][region] == object)
            self->current[device][region] = NULL;
        }
    }
}

static gboolean
is_lent (Model       *self,
         ModelObject *object)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      if (self->leases[i].active && self->leases[i].object == object)
        return TRUE;
    }

  return FALSE;
}

/* No object is lent again after its last lease; after the last one of the
 * device that is so for all of its regions. */
static void
retire_unlent (Model *self,
               guint  device)
{
  gboolean parked = model_count_active (self, device) == 0;

  for (guint region = 0; region < MODEL_REGIONS; region++)
    {
      ModelObject *object = self->current[device][region];

      if (object != NULL && (parked || !is_lent (self, object)))
        retire (self, object);
    }
}

/* What is left of it costs the others their leases; unless the administrator
 * wants them left alone. */
static void
cut (Model      *self,
     ModelLease *lease)
{
  gboolean shared = is_lent (self, lease->object);

  if (!model_lingers (lease) || lease->object->retired || (shared && self->tolerate[lease->device]))
    return;

  retire (self, lease->object);
  for (guint i = 0; i < self->n_leases; i++)
    {
      ModelLease *other = &self->leases[i];

      if (other->object != lease->object)
        continue;
      other->leaked = shared && model_lingers (other);
      other->active = FALSE;
    }
}

/* Ends all that are marked. */
static void
end_marked (Model *self)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      if (self->leases[i].ending)
        self->leases[i].active = FALSE;
    }
  for (guint i = 0; i < self->n_leases; i++)
    {
      if (self->leases[i].ending)
        cut (self, &self->leases[i]);
      self->leases[i].ending = FALSE;
    }
  for (guint device = 0; device < MODEL_DEVICES; device++)
    retire_unlent (self, device);
}

void
model_end (Model      *self,
           ModelLease *lease)
{
  lease->ending = lease->active;
  end_marked (self);
}

void
model_close (Model      *self,
             ModelLease *lease)
{
  /* Closed everywhere, it ends by itself. */
  if (--lease->references == 0)
    model_end (self, lease);
}

void
model_leave (Model      *self,
             const char *owner)
{
  for (guint i = 0; i < self->n_leases; i++)
    self->leases[i].ending = self->leases[i].active && g_strcmp0 (self->leases[i].owner, owner) == 0;
  end_marked (self);
}

ModelAnswer
model_admits_reset (Model      *self,
                    const char *owner,
                    guint       device)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      const ModelLease *lease = &self->leases[i];

      if (lease->active && lease->device == device && g_strcmp0 (lease->owner, owner) != 0)
        return MODEL_BUSY;
    }

  return MODEL_FINE;
}

void
model_reset (Model *self,
             guint  device)
{
  /* Among the same tenants the same object, emptied. */
  for (guint region = 0; region < MODEL_REGIONS; region++)
    {
      if (self->current[device][region] != NULL)
        memset (self->current[device][region]->cells, 0, sizeof self->current[device][region]->cells);
    }
}
