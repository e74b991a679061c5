/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bubble.h"

#include "session.h"

static const AgentBubbleKind kind = { "One thing", "things", "Stop", "Stop all", 0 };

/* What the buttons were for. */
static GString *pressed;

static void
on_pressed (const char *key,
            gpointer    data)
{
  g_string_append_printf (pressed, "%s ", key);
}

typedef struct
{
  Session session;
  AgentBubble *bubble;
} Scene;

static void
scene_set_up (Scene        *scene,
              gconstpointer data)
{
  session_init (&scene->session);
  scene->bubble = agent_bubble_new (scene->session.agent, &kind, on_pressed, NULL);
  session_settle (&scene->session);
  pressed = g_string_new (NULL);
}

static void
scene_tear_down (Scene        *scene,
                 gconstpointer data)
{
  agent_bubble_free (scene->bubble);
  session_clear (&scene->session);
  g_string_free (pressed, TRUE);
}

static Shown *
wait_shown (Scene *scene,
            guint  count)
{
  session_wait (scene->session.shown->len == count);
  session_settle (&scene->session);
  return session_get_last (&scene->session);
}

static void
test_together (Scene        *scene,
               gconstpointer data)
{
  Shown *shown;

  for (guint i = 1; i <= 5; i++)
    {
      g_autofree char *key = g_strdup_printf ("k%u", i);
      g_autofree char *text = g_strdup_printf ("number %u", i);

      agent_bubble_add (scene->bubble, key, text, 1);
    }
  shown = wait_shown (scene, 1);
  g_assert_cmpstr (shown->summary, ==, "5 things");
  g_assert_cmpstr (shown->body, ==, "number 3\nnumber 4\nnumber 5\nand 2 more");
  g_assert_cmpstr (shown->label, ==, "Stop all");
}

static void
test_later (Scene        *scene,
            gconstpointer data)
{
  gint64 start = g_get_monotonic_time ();
  Shown *first, *second;

  agent_bubble_add (scene->bubble, "a", "first", 1);
  first = wait_shown (scene, 1);
  g_assert_cmpstr (first->summary, ==, "One thing");
  g_assert_cmpstr (first->label, ==, "Stop");
  agent_bubble_add (scene->bubble, "b", "second", 1);
  second = wait_shown (scene, 2);
  g_assert_cmpuint (second->replaces, ==, first->number);
  g_assert_cmpstr (second->summary, ==, "2 things");
  g_assert_cmpstr (second->body, ==, "first\nsecond");
  /* The first may have been heard of late. */
  g_assert_cmpint (second->when - start, >=, 2 * G_USEC_PER_SEC);
}

static void
test_closed (Scene        *scene,
             gconstpointer data)
{
  Shown *shown;

  agent_bubble_add (scene->bubble, "a", "first", 1);
  shown = wait_shown (scene, 1);
  session_dismiss (&scene->session, shown->number);
  session_settle (&scene->session);
  agent_bubble_add (scene->bubble, "b", "second", 1);
  shown = wait_shown (scene, 2);
  g_assert_cmpuint (shown->replaces, ==, 0);
  g_assert_cmpstr (shown->body, ==, "second");
}

/* It goes by itself as it is about to be replaced: what stands there instead has all its lines. */
static void
test_closed_as_it_is_replaced (Scene        *scene,
                               gconstpointer data)
{
  Shown *shown;

  scene->session.closes = TRUE;
  agent_bubble_add (scene->bubble, "a", "first", 1);
  wait_shown (scene, 1);
  agent_bubble_add (scene->bubble, "b", "second", 1);
  shown = wait_shown (scene, 2);
  g_assert_cmpstr (shown->body, ==, "first\nsecond");
  session_press (&scene->session, shown);
  session_wait (pressed->len > 2);
  g_assert_cmpstr (pressed->str, ==, "a b ");
}

static void
test_over_before_it_is_shown (Scene        *scene,
                              gconstpointer data)
{
  Shown *shown;

  agent_bubble_add (scene->bubble, "a", "is there", 1);
  agent_bubble_remove (scene->bubble, "a", "was there");
  shown = wait_shown (scene, 1);
  g_assert_cmpstr (shown->body, ==, "was there");
  g_assert_null (shown->action);
}

static void
test_over (Scene        *scene,
           gconstpointer data)
{
  Session *session = &scene->session;
  Shown *shown;

  agent_bubble_add (scene->bubble, "a", "a is there", 1);
  agent_bubble_add (scene->bubble, "b", "b is there", 1);
  shown = wait_shown (scene, 1);
  agent_bubble_remove (scene->bubble, "a", "a was there");
  shown = wait_shown (scene, 2);
  g_assert_cmpstr (shown->body, ==, "b is there");
  g_assert_cmpstr (shown->summary, ==, "One thing");
  g_assert_cmpuint (session->closed->len, ==, 0);
  agent_bubble_remove (scene->bubble, "b", "b was there");
  session_wait (session->closed->len == 1);
  g_assert_cmpuint (g_array_index (session->closed, guint32, 0), ==, shown->number);
  g_assert_cmpuint (session->shown->len, ==, 2);
}

/* The person cannot have meant what came after. */
static void
test_button (Scene        *scene,
             gconstpointer data)
{
  Shown *first;

  agent_bubble_add (scene->bubble, "a", "first", 1);
  first = wait_shown (scene, 1);
  agent_bubble_add (scene->bubble, "b", "second", 1);
  session_press (&scene->session, first);
  session_wait (pressed->len > 0);
  g_assert_cmpstr (pressed->str, ==, "a ");
  wait_shown (scene, 2);
  session_press (&scene->session, first);
  session_wait (pressed->len > 2);
  g_assert_cmpstr (pressed->str, ==, "a a ");
  session_press (&scene->session, session_get_last (&scene->session));
  session_wait (pressed->len > 4);
  g_assert_cmpstr (pressed->str, ==, "a a a b ");
}

static void
test_without_keys (Scene        *scene,
                   gconstpointer data)
{
  Shown *shown;

  for (guint i = 0; i < 100; i++)
    agent_bubble_add (scene->bubble, NULL, "no", 2);
  shown = wait_shown (scene, 1);
  g_assert_cmpstr (shown->summary, ==, "200 things");
  g_assert_cmpstr (shown->body, ==, "no\nno\nno\nand 197 more");
  g_assert_null (shown->action);
}

/* One thing lasts, and others come and go all the time. */
static void
test_coming_and_going (Scene        *scene,
                       gconstpointer data)
{
  Shown *shown;

  agent_bubble_add (scene->bubble, "lasting", "it lasts", 1);
  for (guint i = 0; i < 10000; i++)
    {
      agent_bubble_add (scene->bubble, "passing", "is there", 1);
      agent_bubble_remove (scene->bubble, "passing", "was there");
    }
  g_assert_cmpuint (agent_bubble_count_entries (scene->bubble), <=, 4);
  shown = wait_shown (scene, 1);
  g_assert_cmpstr (shown->summary, ==, "10001 things");
  g_assert_cmpstr (shown->body, ==, "was there\nwas there\nwas there\nand 9998 more");
  g_assert_cmpstr (shown->label, ==, "Stop");

  /* What has been read is not counted again. */
  session_dismiss (&scene->session, shown->number);
  session_settle (&scene->session);
  agent_bubble_add (scene->bubble, NULL, "new", 1);
  shown = wait_shown (scene, 2);
  g_assert_cmpstr (shown->summary, ==, "One thing");
}

static void
test_nobody_shows (Scene        *scene,
                   gconstpointer data)
{
  Session *session = &scene->session;
  Shown *shown;

  session_stop_desktop (session);
  session_settle (session);
  g_test_expect_message ("regiond", G_LOG_LEVEL_MESSAGE, "What happens to regions is shown to nobody: *");
  agent_bubble_add (scene->bubble, "a", "unseen", 1);
  for (gint64 until = g_get_monotonic_time () + G_USEC_PER_SEC / 2; g_get_monotonic_time () < until;)
    session_turn ();
  g_test_assert_expected_messages ();

  session_start_desktop (session);
  agent_bubble_add (scene->bubble, "b", "seen", 1);
  shown = wait_shown (scene, 1);
  g_assert_cmpstr (shown->body, ==, "seen");
}

static void
test_desktop_is_replaced (Scene        *scene,
                          gconstpointer data)
{
  Session *session = &scene->session;
  Shown *shown;

  agent_bubble_add (scene->bubble, "a", "before", 1);
  wait_shown (scene, 1);
  session_stop_desktop (session);
  session_settle (session);
  session_start_desktop (session);
  agent_bubble_add (scene->bubble, "b", "after", 1);
  shown = wait_shown (scene, 2);
  g_assert_cmpuint (shown->replaces, ==, 0);
  g_assert_cmpstr (shown->body, ==, "after");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/bubble/" name, Scene, NULL, scene_set_up, func, scene_tear_down)
  ADD ("what-comes-together-is-one", test_together);
  ADD ("what-comes-later-is-added-in-its-time", test_later);
  ADD ("what-was-closed-begins-anew", test_closed);
  ADD ("what-is-closed-as-it-is-replaced-stands", test_closed_as_it_is_replaced);
  ADD ("what-is-over-before-it-is-shown-is-told", test_over_before_it_is_shown);
  ADD ("what-is-over-is-taken-away", test_over);
  ADD ("the-button-is-for-what-was-read", test_button);
  ADD ("a-flood-is-counted", test_without_keys);
  ADD ("coming-and-going-takes-no-memory", test_coming_and_going);
  ADD ("nobody-shows-notifications", test_nobody_shows);
  ADD ("another-one-shows-notifications", test_desktop_is_replaced);
  return g_test_run ();
}
