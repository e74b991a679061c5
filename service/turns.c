/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "turns.h"

/* As many devices can be opened or reset at the same instant. */
#define MOST_WORKERS 64

typedef struct {
  RegiondTurns      *turns;
  GObject           *owner;
  const RegiondTurn *turn;
  gpointer           data;
  gboolean           worked; /* under work_lock */
} Entry;

static GMutex work_lock;
static GCond work_over; /* of any */

struct _RegiondTurns {
  GObject         *owner;   /* no reference: each Entry has one */
  GQueue           waiting; /* Entry */
  gboolean         running;
  gboolean         on_hold;
  guint            limit; /* ms; 0: none */
  RegiondTurnsFunc func;
  Entry           *at_work; /* while the limit for it runs, and after */
  guint            timer;
  gboolean         stuck; /* it is over */
};

static void run_next (RegiondTurns *self);
static gboolean on_worked (gpointer data);

RegiondTurns *
regiond_turns_new (GObject         *owner,
                   RegiondTurnsFunc func)
{
  RegiondTurns *self = g_new0 (RegiondTurns, 1);

  self->owner = owner;
  self->func = func;
  g_queue_init (&self->waiting);
  return self;
}

void
regiond_turns_set_limit (RegiondTurns *self,
                         guint         limit)
{
  self->limit = limit;
}

gboolean
regiond_turns_wait (RegiondTurns *self,
                    gint64        until)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&work_lock);

  while (self->running && !self->at_work->worked)
    {
      if (!g_cond_wait_until (&work_over, &work_lock, until))
        return FALSE;
    }

  return TRUE;
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

static void
work (gpointer data,
      gpointer user_data)
{
  Entry *entry = data;
  g_autoptr (GSource) source = g_idle_source_new ();

  entry->turn->work (entry->data);
  g_mutex_lock (&work_lock);
  entry->worked = TRUE;
  g_cond_broadcast (&work_over);
  g_mutex_unlock (&work_lock);
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

/* Those that hang leave as many to the others. */
static void
change_workers (int more)
{
  GThreadPool *pool = get_pool ();

  g_thread_pool_set_max_threads (pool, g_thread_pool_get_max_threads (pool) + more, NULL);
}

static gboolean
has_worked (Entry *entry)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&work_lock);

  return entry->worked;
}

/* Where the main thread itself has been held up the work may be back all the same. */
static gboolean
on_late (gpointer data)
{
  RegiondTurns *self = data;
  Entry *entry = self->at_work;

  self->timer = 0;
  if (has_worked (entry))
    return G_SOURCE_REMOVE;

  self->stuck = TRUE;
  change_workers (1);
  self->func (self->owner, TRUE);
  if (entry->turn->late != NULL)
    entry->turn->late (entry->data);
  run_next (self);
  return G_SOURCE_REMOVE;
}

static void
come_back (RegiondTurns *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  if (!self->stuck)
    return;

  self->stuck = FALSE;
  change_workers (-1);
  self->func (self->owner, FALSE);
}

static gboolean
on_worked (gpointer data)
{
  Entry *entry = data;

  finish (entry);
  come_back (entry->turns);
  run_next (entry->turns);
  entry_free (entry);
  return G_SOURCE_REMOVE;
}

static void
set_off (Entry *entry)
{
  RegiondTurns *self = entry->turns;

  self->at_work = entry;
  if (self->limit > 0)
    self->timer = g_timeout_add (self->limit, on_late, self);
  g_thread_pool_push (get_pool (), entry, NULL);
}

/* Whether the turn is over already. */
static gboolean
take (Entry *entry)
{
  entry->turns->running = TRUE;
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
      set_off (entry);
      return FALSE;
    }

  g_assert_not_reached ();
}

/* Behind one that has not come back. */
static void
turn_away (Entry *entry)
{
  RegiondTurnLength length = entry->turn->begin (entry->data);

  g_assert (length == REGIOND_TURN_OVER);
  entry_free (entry);
}

static void
run_next (RegiondTurns *self)
{
  g_autoptr (GObject) owner = g_object_ref (self->owner);

  while (self->stuck && !g_queue_is_empty (&self->waiting))
    turn_away (g_queue_pop_head (&self->waiting));

  while (!self->running && !self->on_hold && !g_queue_is_empty (&self->waiting))
    {
      Entry *entry = g_queue_pop_head (&self->waiting);

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

  *entry = (Entry){ self, g_object_ref (self->owner), turn, data, FALSE };
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
