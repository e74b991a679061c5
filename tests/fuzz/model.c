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

static gboolean
is_had_exclusively (Model *self,
                    guint  device)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      if (self->leases[i].active && self->leases[i].exclusive && self->leases[i].device == device)
        return TRUE;
    }

  return FALSE;
}

/* What is proxied is known by itself, memory by its object. */
static gboolean
is_shown (Model            *self,
          const ModelLease *shown)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      const ModelLease *lease = &self->leases[i];

      if (lease->active && !lease->proxied && lease->object == shown->object && !shown->proxied)
        return !shown->object->retired;
    }

  return shown->active;
}

ModelAnswer
model_admits_shown (Model            *self,
                    const ModelLease *shown,
                    const ModelLease *terms)
{
  if (!shown->reads)
    return MODEL_INVALID;
  if (!is_shown (self, shown))
    return MODEL_NOT_FOUND;
  if ((terms->writes && !shown->writes) || (!terms->proxied && shown->proxied) || self->tolerate[shown->device])
    return MODEL_NOT_SUPPORTED;
  if (is_had_exclusively (self, shown->device))
    return MODEL_BUSY;
  return model_admits (self, terms->owner, terms->uid, terms->device, FALSE);
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

static void
stop (ModelLease *lease,
      const char *reason)
{
  if (lease->active)
    lease->reason = reason;
  lease->active = FALSE;
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
      stop (other, "superseded");
    }
}

/* Ends all that are marked. */
static void
end_marked (Model      *self,
            const char *reason)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      if (self->leases[i].ending)
        stop (&self->leases[i], reason);
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
           ModelLease *lease,
           const char *reason)
{
  lease->ending = lease->active;
  end_marked (self, reason);
}

void
model_close (Model      *self,
             ModelLease *lease)
{
  /* Closed everywhere, it ends by itself. */
  if (--lease->references == 0)
    model_end (self, lease, "released");
}

/* The leases of which @is says so. What has just been closed everywhere may have been seen
 * to be so first, or not. */
static void
end_all (Model        *self,
         gboolean    (*is) (const ModelLease *lease, gconstpointer data),
         gconstpointer data,
         const char   *reason)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      ModelLease *lease = &self->leases[i];

      lease->ending = lease->active && is (lease, data);
      if (lease->references == 0 && is (lease, data))
        lease->reason = NULL;
    }
  end_marked (self, reason);
}

static gboolean
is_owned_by (const ModelLease *lease,
             gconstpointer     owner)
{
  return g_str_equal (lease->owner, owner);
}

void
model_leave (Model      *self,
             const char *owner)
{
  end_all (self, is_owned_by, owner, "disconnected");
}

static gboolean
is_bound_to (const ModelLease *lease,
             gconstpointer     process)
{
  return lease->process == *(const guint *) process;
}

void
model_end_process (Model *self,
                   guint  process)
{
  end_all (self, is_bound_to, &process, "process-ended");
}

gboolean
model_may_release (const ModelLease *lease,
                   const char       *name,
                   guint             uid)
{
  /* What belongs to a process belongs to its user. */
  return lease->owner[0] != '\0' ? g_str_equal (lease->owner, name) : lease->uid == uid;
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
