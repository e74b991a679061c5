/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-hold.h"

#include "error.h"

#include <time.h>

/* What holds are made of: one source for each letter. */
#define TYPE_FAKE_SOURCE (fake_source_get_type ())
G_DECLARE_FINAL_TYPE (FakeSource, fake_source, FAKE, SOURCE, GObject)

struct _FakeSource {
  GObject parent_instance;
};

G_DEFINE_TYPE_WITH_CODE (FakeSource, fake_source, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, NULL))

static void
fake_source_class_init (FakeSourceClass *klass)
{
}

static void
fake_source_init (FakeSource *self)
{
}

static FakeSource *sources[G_MAXINT8 + 1];

G_DEFINE_TYPE (FakeHold, fake_hold, REGIOND_TYPE_HOLD)

static gint64
get_processor_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static void
toil (guint microseconds)
{
  gint64 until = get_processor_time () + microseconds;

  while (get_processor_time () < until)
    ;
}

static gboolean
is_gone (RegiondHold *hold)
{
  FakeHold *self = FAKE_HOLD (hold);

  self->looks++;
  toil (self->slowness);
  g_usleep (self->delay);
  self->last_look = g_get_monotonic_time ();
  return self->gone;
}

static gboolean
is_cut (RegiondHold *hold)
{
  return FAKE_HOLD (hold)->cut;
}

static void
cut (RegiondHold *hold)
{
  FAKE_HOLD (hold)->cut = TRUE;
}

static RegiondSource *
ref_source (RegiondHold *hold)
{
  FakeSource **source = &sources[(int) FAKE_HOLD (hold)->object];

  if (*source == NULL)
    *source = g_object_new (TYPE_FAKE_SOURCE, NULL);
  return REGIOND_SOURCE (g_object_ref (*source));
}

static gboolean
listen_to (RegiondHold    *hold,
           RegiondHoldFunc func,
           gpointer        data,
           GError        **error)
{
  FakeHold *self = FAKE_HOLD (hold);

  if (self->object == '!')
    {
      g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "No more watches");
      return FALSE;
    }
  self->func = func;
  self->data = data;
  return TRUE;
}

static gboolean
is_shown (RegiondHold        *hold,
          const RegiondProof *proof)
{
  return proof->inode == (guint64) FAKE_HOLD (hold)->object;
}

static void
fake_hold_class_init (FakeHoldClass *klass)
{
  RegiondHoldClass *hold_class = REGIOND_HOLD_CLASS (klass);

  hold_class->is_gone = is_gone;
  hold_class->is_cut = is_cut;
  hold_class->cut = cut;
  hold_class->is_shared = TRUE;
  hold_class->ref_source = ref_source;
  hold_class->listen = listen_to;
  hold_class->is_shown = is_shown;
}

static void
fake_hold_init (FakeHold *self)
{
}

void
fake_hold_let_go (FakeHold *self)
{
  self->gone = TRUE;
  self->func (self->data);
}
