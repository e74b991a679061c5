/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "alarm.h"

struct _RegiondAlarm {
  RegiondAlarmFunc func;
  GSequence       *times; /* Time, the next one first; NULL: it has been freed */
  guint            source;
  gint64           source_at; /* rings then: at the next one, or before, when that has been cleared */
};

typedef struct {
  gint64   at;
  gpointer item;
} Time;

RegiondAlarm *
regiond_alarm_new (RegiondAlarmFunc func)
{
  RegiondAlarm *self = g_rc_box_new0 (RegiondAlarm);

  self->func = func;
  self->times = g_sequence_new (g_free);
  return self;
}

void
regiond_alarm_free (RegiondAlarm *self)
{
  g_clear_handle_id (&self->source, g_source_remove);
  g_clear_pointer (&self->times, g_sequence_free);
  g_rc_box_release (self);
}

static int
compare (gconstpointer one,
         gconstpointer other,
         gpointer      data)
{
  const Time *left = one, *right = other;

  return left->at < right->at ? -1 : left->at > right->at;
}

static Time *
get_first (RegiondAlarm *self)
{
  GSequenceIter *first = self->times != NULL ? g_sequence_get_begin_iter (self->times) : NULL;

  return first != NULL && !g_sequence_iter_is_end (first) ? g_sequence_get (first) : NULL;
}

static gboolean on_time (gpointer data);

static void
set_source (RegiondAlarm *self)
{
  Time *first = get_first (self);

  if (first == NULL || (self->source != 0 && self->source_at <= first->at))
    return;

  g_clear_handle_id (&self->source, g_source_remove);
  self->source_at = first->at;
  self->source = g_timeout_add (MAX (0, first->at - g_get_monotonic_time () + 999) / 1000, on_time, self);
}

static gboolean
on_time (gpointer data)
{
  RegiondAlarm *self = g_rc_box_acquire (data);
  Time *first;

  self->source = 0;
  while ((first = get_first (self)) != NULL && first->at <= g_get_monotonic_time ())
    {
      gpointer item = first->item;

      g_sequence_remove (g_sequence_get_begin_iter (self->times));
      self->func (item);
    }
  set_source (self);
  g_rc_box_release (self);
  return G_SOURCE_REMOVE;
}

GSequenceIter *
regiond_alarm_set (RegiondAlarm *self,
                   gint64        at,
                   gpointer      item)
{
  Time *time = g_new (Time, 1);
  GSequenceIter *set;

  *time = (Time){ at, item };
  set = g_sequence_insert_sorted (self->times, time, compare, NULL);
  set_source (self);
  return set;
}

void
regiond_alarm_clear (GSequenceIter *set)
{
  g_sequence_remove (set);
}
