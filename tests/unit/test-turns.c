/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "turns.h"

/* One turn, and what has become of it. */
typedef struct {
  GString          *story;
  char              name;
  RegiondTurnLength length;
  GMutex           *gate; /* work waits for it */
  gboolean          done;
  gboolean          late;
} Step;

/* How many turns are at work, and whether there ever were two. */
static int at_work, overlapped, on_main_thread;
static GThread *main_thread;

static void
tell (Step *step,
      char  what)
{
  g_string_append_printf (step->story, "%c%c ", what, step->name);
}

static RegiondTurnLength
begin (gpointer data)
{
  Step *step = data;

  g_assert_true (g_thread_self () == main_thread);
  tell (step, 'b');
  step->done = step->length == REGIOND_TURN_OVER;
  return step->length;
}

static void
work (gpointer data)
{
  Step *step = data;

  if (g_atomic_int_add (&at_work, 1) > 0)
    g_atomic_int_set (&overlapped, TRUE);
  if (g_thread_self () == main_thread)
    g_atomic_int_set (&on_main_thread, TRUE);
  if (step->gate != NULL)
    {
      g_mutex_lock (step->gate);
      g_mutex_unlock (step->gate);
    }
  g_atomic_int_add (&at_work, -1);
}

static void
done (gpointer data)
{
  Step *step = data;

  g_assert_true (g_thread_self () == main_thread);
  tell (step, 'd');
  step->done = TRUE;
}

static void
late (gpointer data)
{
  Step *step = data;

  tell (step, 'l');
  step->late = TRUE;
}

static const RegiondTurn turn = { begin, work, done, late };

static void
test_serial (void)
{
  g_autoptr (GObject) owner = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (RegiondTurns) turns = regiond_turns_new (owner, NULL);
  g_autoptr (GString) story = g_string_new (NULL);
  Step a = { story, 'a', REGIOND_TURN_LONG }, b = { story, 'b', REGIOND_TURN_LONG }, c = { story, 'c', REGIOND_TURN_LONG };

  regiond_turns_push (turns, &turn, &a);
  regiond_turns_push (turns, &turn, &b);
  regiond_turns_push (turns, &turn, &c);
  wait_until (c.done);
  g_assert_cmpstr (story->str, ==, "ba da bb db bc dc ");
  g_assert_false (overlapped);
  g_assert_false (on_main_thread);
}

static void
test_short (void)
{
  g_autoptr (GObject) owner = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (RegiondTurns) turns = regiond_turns_new (owner, NULL);
  g_autoptr (GString) story = g_string_new (NULL);
  GMutex gate;
  Step a = { story, 'a', REGIOND_TURN_SHORT }, b = { story, 'b', REGIOND_TURN_LONG, &gate };
  Step c = { story, 'c', REGIOND_TURN_SHORT };

  /* It is done before the push returns, unless somebody is before it. */
  g_mutex_init (&gate);
  g_mutex_lock (&gate);
  regiond_turns_push (turns, &turn, &a);
  g_assert_true (a.done);
  regiond_turns_push (turns, &turn, &b);
  regiond_turns_push (turns, &turn, &c);
  g_assert_cmpstr (story->str, ==, "ba da bb ");
  g_mutex_unlock (&gate);
  wait_until (c.done);
  g_assert_cmpstr (story->str, ==, "ba da bb db bc dc ");
  g_assert_false (overlapped);
  g_mutex_clear (&gate);
}

static void
test_refused (void)
{
  g_autoptr (GObject) owner = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (RegiondTurns) turns = regiond_turns_new (owner, NULL);
  g_autoptr (GString) story = g_string_new (NULL);
  Step a = { story, 'a', REGIOND_TURN_OVER }, b = { story, 'b', REGIOND_TURN_OVER }, c = { story, 'c', REGIOND_TURN_LONG };

  regiond_turns_push (turns, &turn, &a);
  regiond_turns_push (turns, &turn, &b);
  regiond_turns_push (turns, &turn, &c);
  wait_until (c.done);
  g_assert_cmpstr (story->str, ==, "ba bb bc dc ");
}

static void
test_hold (void)
{
  g_autoptr (GObject) owner = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (RegiondTurns) turns = regiond_turns_new (owner, NULL);
  g_autoptr (GString) story = g_string_new (NULL);
  GMutex gate;
  Step a = { story, 'a', REGIOND_TURN_LONG, &gate }, b = { story, 'b', REGIOND_TURN_LONG };

  g_mutex_init (&gate);
  g_mutex_lock (&gate);
  regiond_turns_push (turns, &turn, &a);
  regiond_turns_push (turns, &turn, &b);
  regiond_turns_hold (turns, TRUE);
  g_mutex_unlock (&gate);

  /* The one that has begun goes on; the other does not begin. */
  wait_until (a.done);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpstr (story->str, ==, "ba da ");

  regiond_turns_hold (turns, FALSE);
  g_assert_cmpstr (story->str, ==, "ba da bb ");
  wait_until (b.done);
  g_mutex_clear (&gate);
}

static GString *owners_story;

static void
on_stuck (gpointer owner,
          gboolean stuck)
{
  g_string_append (owners_story, stuck ? "stuck " : "back ");
}

static void
test_late (void)
{
  g_autoptr (GObject) owner = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (RegiondTurns) turns = regiond_turns_new (owner, on_stuck);
  g_autoptr (GString) story = owners_story = g_string_new (NULL);
  GMutex gate;
  Step a = { story, 'a', REGIOND_TURN_LONG, &gate }, b = { story, 'b', REGIOND_TURN_OVER };
  Step c = { story, 'c', REGIOND_TURN_OVER }, d = { story, 'd', REGIOND_TURN_LONG };

  g_mutex_init (&gate);
  g_mutex_lock (&gate);
  regiond_turns_set_limit (turns, 50);
  regiond_turns_push (turns, &turn, &a);
  regiond_turns_push (turns, &turn, &b);
  regiond_turns_hold (turns, TRUE);
  g_assert_false (regiond_turns_wait (turns, g_get_monotonic_time () + 10000));

  /* Who waits is turned away at once, and whoever comes, on hold or not. */
  wait_until (a.late);
  regiond_turns_push (turns, &turn, &c);
  g_assert_cmpstr (story->str, ==, "ba stuck la bb bc ");
  g_mutex_unlock (&gate);
  wait_until (a.done);
  g_assert_cmpstr (story->str, ==, "ba stuck la bb bc da back ");
  regiond_turns_push (turns, &turn, &d);
  regiond_turns_hold (turns, FALSE);
  g_assert_true (regiond_turns_wait (turns, g_get_monotonic_time () + G_TIME_SPAN_MINUTE));
  g_assert_false (d.done);
  wait_until (d.done);
  g_assert_true (regiond_turns_wait (turns, 0));
  g_assert_cmpstr (story->str, ==, "ba stuck la bb bc da back bd dd ");
  g_assert_false (overlapped);
  g_mutex_clear (&gate);
}

/* It is not the work that takes so long. */
static void
test_held_up (void)
{
  g_autoptr (GObject) owner = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (RegiondTurns) turns = regiond_turns_new (owner, on_stuck);
  g_autoptr (GString) story = owners_story = g_string_new (NULL);
  Step a = { story, 'a', REGIOND_TURN_LONG };

  regiond_turns_set_limit (turns, 20);
  regiond_turns_push (turns, &turn, &a);
  g_assert_true (regiond_turns_wait (turns, g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND));
  g_usleep (40 * 1000);
  wait_until (a.done);
  g_assert_cmpstr (story->str, ==, "ba da ");
}

/* As many as there are workers hang, and one comes after them. */
static void
test_workers (void)
{
  enum { MANY = 64 };
  g_autoptr (GObject) owner = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (GString) story = owners_story = g_string_new (NULL);
  RegiondTurns *turns[MANY], *last = regiond_turns_new (owner, NULL);
  Step steps[MANY], step = { story, 'z', REGIOND_TURN_LONG };
  GMutex gate;

  g_mutex_init (&gate);
  g_mutex_lock (&gate);
  for (guint i = 0; i < MANY; i++)
    {
      steps[i] = (Step){ story, 'a', REGIOND_TURN_LONG, &gate };
      turns[i] = regiond_turns_new (owner, on_stuck);
      regiond_turns_set_limit (turns[i], 100);
      regiond_turns_push (turns[i], &turn, &steps[i]);
    }
  regiond_turns_push (last, &turn, &step);
  wait_until (step.done);
  g_mutex_unlock (&gate);
  for (guint i = 0; i < MANY; i++)
    {
      wait_until (steps[i].done);
      regiond_turns_free (turns[i]);
    }
  regiond_turns_free (last);
  overlapped = FALSE;
  g_mutex_clear (&gate);
}

typedef struct {
  GObject       parent;
  RegiondTurns *turns;
} Owner;
typedef GObjectClass OwnerClass;

static guint finalized;

GType owner_get_type (void);

G_DEFINE_TYPE (Owner, owner, G_TYPE_OBJECT)

static void
owner_finalize (GObject *object)
{
  finalized++;
  regiond_turns_free (((Owner *) object)->turns);
  G_OBJECT_CLASS (owner_parent_class)->finalize (object);
}

static void
owner_class_init (OwnerClass *klass)
{
  klass->finalize = owner_finalize;
}

static void
owner_init (Owner *self)
{
  self->turns = regiond_turns_new (G_OBJECT (self), NULL);
}

static void
test_owner (void)
{
  Owner *owner = g_object_new (owner_get_type (), NULL);
  g_autoptr (GString) story = g_string_new (NULL);
  GMutex gate;
  Step a = { story, 'a', REGIOND_TURN_LONG, &gate }, b = { story, 'b', REGIOND_TURN_LONG };

  g_mutex_init (&gate);
  g_mutex_lock (&gate);
  finalized = 0;
  regiond_turns_push (owner->turns, &turn, &a);
  regiond_turns_push (owner->turns, &turn, &b);
  g_object_unref (owner);
  g_assert_cmpuint (finalized, ==, 0);
  g_mutex_unlock (&gate);
  wait_until (b.done);
  wait_until (finalized == 1);
  g_mutex_clear (&gate);
}

static void
test_owner_refused (void)
{
  Owner *owner = g_object_new (owner_get_type (), NULL);
  g_autoptr (GString) story = g_string_new (NULL);
  Step a = { story, 'a', REGIOND_TURN_OVER };

  finalized = 0;
  regiond_turns_hold (owner->turns, TRUE);
  regiond_turns_push (owner->turns, &turn, &a);
  g_object_ref (owner);
  g_object_unref (owner);
  regiond_turns_hold (owner->turns, FALSE);
  g_assert_true (a.done);
  g_object_unref (owner);
  g_assert_cmpuint (finalized, ==, 1);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  main_thread = g_thread_self ();
  g_test_add_func ("/turns/one-after-the-other-off-the-main-thread", test_serial);
  g_test_add_func ("/turns/a-short-one-is-done-at-once-in-its-turn", test_short);
  g_test_add_func ("/turns/who-has-nothing-to-do-is-passed-over", test_refused);
  g_test_add_func ("/turns/on-hold-nobody-begins", test_hold);
  g_test_add_func ("/turns/who-does-not-come-back-keeps-nobody-waiting", test_late);
  g_test_add_func ("/turns/who-came-back-in-time-is-not-late-though-it-is-heard-of-late", test_held_up);
  g_test_add_func ("/turns/who-hangs-takes-no-worker-from-others", test_workers);
  g_test_add_func ("/turns/the-owner-lives-while-one-waits", test_owner);
  g_test_add_func ("/turns/a-refused-turn-keeps-nobody-alive", test_owner_refused);
  return g_test_run ();
}
