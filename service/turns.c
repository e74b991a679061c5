/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "turns.h"

/* As many devices can be opened or reset at the same instant. */
#define MOST_WORKERS 64

typedef struct {
  RegiondTurns      *turns;
  GObject           *owner;
  const RegiondTurn *turn;
  gpointer           data;
} Entry;

struct _RegiondTurns {
  GObject *owner;   /* no reference: each Entry has one */
  GQueue   waiting; /* Entry */
  gboolean running;
  gboolean on_hold;
};

static void run_next (RegiondTurns *self);

RegiondTurns *
regiond_turns_new (GObject *owner)
{
  RegiondTurns *self = g_new0 (RegiondTurns, 1);

  self->owner = owner;
  g_queue_init (&self->waiting);
  return self;
}

void
regiond_turns_free (RegiondTurns *self)
{
  g_assert (!self->running && g_queue_is_empty (&self->waiting));
  g_free (self);
}

static void
entry_free (Entry *entry)
{
  g_object_unref (entry->owner);
  g_free (entry);
}

static void
finish (Entry *entry)
{
  entry->turn->done (entry->data);
  entry->turns->running = FALSE;
}

static gboolean
on_worked (gpointer data)
{
  Entry *entry = data;

  finish (entry);
  run_next (entry->turns);
  entry_free (entry);
  return G_SOURCE_REMOVE;
}

static void
work (gpointer data,
      gpointer user_data)
{
  Entry *entry = data;
  g_autoptr (GSource) source = g_idle_source_new ();

  entry->turn->work (entry->data);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_worked, entry, NULL);
  g_source_attach (source, NULL);
}

static GThreadPool *
get_pool (void)
{
  static GThreadPool *pool = NULL;
  static gsize once = 0;

  if (g_once_init_enter (&once))
    {
      pool = g_thread_pool_new (work, NULL, MOST_WORKERS, FALSE, NULL);
      g_once_init_leave (&once, 1);
    }

  return pool;
}

/* Whether the turn is over already. */
static gboolean
take (Entry *entry)
{
  switch (entry->turn->begin (entry->data))
    {
    case REGIOND_TURN_OVER:
      entry->turns->running = FALSE;
      return TRUE;
    case REGIOND_TURN_SHORT:
      entry->turn->work (entry->data);
      finish (entry);
      return TRUE;
    case REGIOND_TURN_LONG:
      g_thread_pool_push (get_pool (), entry, NULL);
      return FALSE;
    }

  g_assert_not_reached ();
}

static void
run_next (RegiondTurns *self)
{
  g_autoptr (GObject) owner = g_object_ref (self->owner);

  while (!self->running && !self->on_hold && !g_queue_is_empty (&self->waiting))
    {
      Entry *entry = g_queue_pop_head (&self->waiting);

      self->running = TRUE;
      if (take (entry))
        entry_free (entry);
    }
}

void
regiond_turns_push (RegiondTurns      *self,
                    const RegiondTurn *turn,
                    gpointer           data)
{
  Entry *entry = g_new (Entry, 1);

  *entry = (Entry){ self, g_object_ref (self->owner), turn, data };
  g_queue_push_tail (&self->waiting, entry);
  run_next (self);
}

void
regiond_turns_hold (RegiondTurns *self,
                    gboolean      hold)
{
  self->on_hold = hold;
  run_next (self);
}
