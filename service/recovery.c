/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recovery.h"

#include "error.h"

/* Who has the group may have it for days. */
#define AGAIN_MS 1000

typedef struct {
  RegiondDevice *device;
  gboolean       told; /* that it has failed */
  GError        *error;
} Recovery;

static void
recovery_free (Recovery *self)
{
  g_clear_error (&self->error);
  g_object_unref (self->device);
  g_free (self);
}

static RegiondTurnLength
begin (gpointer data)
{
  Recovery *self = data;

  if (regiond_device_is_present (self->device) &&
      regiond_backend_count_remains (regiond_device_get_backend (self->device)) > 0)
    return REGIOND_TURN_LONG;

  recovery_free (self);
  return REGIOND_TURN_OVER;
}

static void
work (gpointer data)
{
  Recovery *self = data;

  regiond_backend_recover (regiond_device_get_backend (self->device), &self->error);
}

static gboolean push (gpointer data);

static void
done (gpointer data)
{
  Recovery *self = data;
  const char *id = regiond_device_get_id (self->device);

  if (self->error == NULL)
    {
      if (self->told)
        g_message ("device %s is claimed now", id);
      recovery_free (self);
      return;
    }

  if (!self->told)
    g_message ("device %s was lent before, and cannot be claimed now, which is tried again: %s", id, self->error->message);
  self->told = TRUE;
  g_clear_error (&self->error);
  g_timeout_add (AGAIN_MS, push, self);
}

static gboolean
push (gpointer data)
{
  static const RegiondTurn turn = { begin, work, done, NULL };
  Recovery *self = data;

  regiond_turns_push (regiond_device_get_turns (self->device), &turn, self);
  return G_SOURCE_REMOVE;
}

void
regiond_recovery_push (RegiondDevice *device)
{
  Recovery *self = g_new0 (Recovery, 1);

  self->device = g_object_ref (device);
  push (self);
}

void
regiond_recovery_wait (GPtrArray *devices)
{
  gint64 until = g_get_monotonic_time () + REGIOND_DEVICE_TURN_MOST_MS * G_TIME_SPAN_MILLISECOND;

  for (guint i = 0; i < devices->len; i++)
    {
      RegiondDevice *device = g_ptr_array_index (devices, i);

      if (!regiond_turns_wait (regiond_device_get_turns (device), until))
        g_warning ("Device %s was lent before, and what is done to claim it has not come back; the service starts without",
                   regiond_device_get_id (device));
    }
}
