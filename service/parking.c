/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parking.h"

#include "error.h"
#include "log.h"

typedef struct {
  RegiondDevice *device;
  gboolean       settle;
  gboolean       park;
  gboolean       unsettled;
  GError        *error;
} Parking;

static Parking *
parking_new (RegiondDevice *device)
{
  Parking *self = g_new0 (Parking, 1);

  self->device = g_object_ref (device);
  return self;
}

static void
parking_free (Parking *self)
{
  g_clear_error (&self->error);
  g_object_unref (self->device);
  g_free (self);
}

static RegiondTurnLength
begin (gpointer data)
{
  Parking *self = data;

  regiond_device_set_parking (self->device, FALSE);
  self->settle = regiond_device_begin_settling (self->device);
  self->park = regiond_device_can_park (self->device);
  if (!self->settle && !self->park)
    {
      parking_free (self);
      return REGIOND_TURN_OVER;
    }

  if (self->park)
    regiond_device_set_resetting (self->device, TRUE);
  return REGIOND_TURN_LONG;
}

static void
work (gpointer data)
{
  Parking *self = data;
  RegiondBackend *backend = regiond_device_get_backend (self->device);

  if (self->settle && !regiond_backend_settle (backend, &self->error))
    {
      if (!g_error_matches (self->error, REGIOND_ERROR, REGIOND_ERROR_LINGERING))
        return;

      /* More has been cut meanwhile: the last of that will be heard of. */
      g_clear_error (&self->error);
      self->settle = FALSE;
      self->unsettled = TRUE;
    }
  if (self->park)
    regiond_backend_park (backend, &self->error);
}

static void
done (gpointer data)
{
  Parking *self = data;

  if (self->unsettled)
    regiond_device_put_off_settling (self->device);
  if (self->park)
    regiond_device_log_reset (self->device, self->settle ? "nothing is left of ended leases" : "last close", self->error);

  /* Contents that there is no room to copy now stay where they are, unlent,
   * and are copied at the next open. */
  if (self->error != NULL && !g_error_matches (self->error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED))
    regiond_device_set_failure (self->device, self->error);
  if (self->park)
    regiond_device_set_resetting (self->device, FALSE);
  parking_free (self);
}

void
regiond_parking_push (RegiondDevice *device)
{
  static const RegiondTurn turn = { begin, work, done, NULL };

  /* One that waits does for all. */
  if (regiond_device_is_parking (device))
    return;

  regiond_device_set_parking (device, TRUE);
  regiond_turns_push (regiond_device_get_turns (device), &turn, parking_new (device));
}

static RegiondTurnLength
begin_renewal (gpointer data)
{
  Parking *self = data;

  if (regiond_device_is_present (self->device) &&
      regiond_tenancy_count_active (regiond_device_get_tenancy (self->device)) > 0)
    return REGIOND_TURN_LONG;

  parking_free (self);
  return REGIOND_TURN_OVER;
}

static void
work_renewal (gpointer data)
{
  Parking *self = data;

  regiond_backend_attach (regiond_device_get_backend (self->device), NULL, &self->error);
}

/* What cannot be taken over now, is at the next opening, or refused there. */
static void
done_renewal (gpointer data)
{
  parking_free (data);
}

void
regiond_parking_push_renewal (RegiondDevice *device)
{
  static const RegiondTurn turn = { begin_renewal, work_renewal, done_renewal, NULL };

  regiond_turns_push (regiond_device_get_turns (device), &turn, parking_new (device));
}

/* How often it is looked whether the last turn of some device is over. */
#define SLICE (20 * G_TIME_SPAN_MILLISECOND)

/* Parking a device at the end, on a thread, which may outlive the wait. */
typedef struct {
  RegiondBackend *backend;
  gboolean        done; /* under farewell_lock */
} Farewell;

static GMutex farewell_lock;
static GCond farewell_over; /* of any */

static void
farewell_clear (Farewell *self)
{
  g_object_unref (self->backend);
}

static void
farewell_unref (Farewell *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) farewell_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Farewell, farewell_unref)

static gpointer
say_farewell (gpointer data)
{
  g_autoptr (Farewell) self = data;
  g_autoptr (GError) error = NULL;

  if (!regiond_backend_abandon (self->backend, &error))
    g_warning ("A device could not be parked: %s", error->message);
  g_mutex_lock (&farewell_lock);
  self->done = TRUE;
  g_cond_broadcast (&farewell_over);
  g_mutex_unlock (&farewell_lock);
  return NULL;
}

static Farewell *
start_farewell (RegiondDevice *device)
{
  Farewell *self = g_atomic_rc_box_new0 (Farewell);

  self->backend = g_object_ref (regiond_device_get_backend (device));
  g_thread_unref (g_thread_new ("farewell", say_farewell, g_atomic_rc_box_acquire (self)));
  return self;
}

/* NULL stays for those whose last turn does not come back. */
static void
start_farewells (GPtrArray *devices,
                 Farewell **farewells,
                 gint64     until)
{
  guint left = devices->len;

  do
    {
      for (guint i = 0; i < devices->len; i++)
        {
          RegiondDevice *device = g_ptr_array_index (devices, i);

          if (farewells[i] != NULL ||
              !regiond_turns_wait (regiond_device_get_turns (device), MIN (until, g_get_monotonic_time () + SLICE)))
            continue;
          farewells[i] = start_farewell (device);
          left--;
        }
    }
  while (left > 0 && g_get_monotonic_time () < until);
}

static gboolean
wait_for_farewell (Farewell *self,
                   gint64    until)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&farewell_lock);

  while (!self->done)
    {
      if (!g_cond_wait_until (&farewell_over, &farewell_lock, until))
        return FALSE;
    }
  return TRUE;
}

void
regiond_parking_finish (GPtrArray *devices)
{
  g_autofree Farewell **farewells = g_new0 (Farewell *, devices->len);
  gint64 until = g_get_monotonic_time () + REGIOND_DEVICE_TURN_MOST_MS * G_TIME_SPAN_MILLISECOND;

  start_farewells (devices, farewells, until);
  for (guint i = 0; i < devices->len; i++)
    {
      g_autoptr (Farewell) farewell = farewells[i];

      if (farewell == NULL || !wait_for_farewell (farewell, until))
        g_warning ("Device %s is left as it is: something that is done to it has not come back",
                   regiond_device_get_id (g_ptr_array_index (devices, i)));
    }
}
