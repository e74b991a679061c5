/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "queue.h"

#define ALICE 1000
#define BOB 1001
#define CAROL 1002

/* What waits is a letter: who, in a word of what was served. */
static void
push (RegiondQueue *queue,
      guint32       uid,
      char          letter,
      guint         times)
{
  for (guint i = 0; i < times; i++)
    regiond_queue_push (queue, uid, GINT_TO_POINTER (letter));
}

/* Serves so many, one after the other, and says whom. */
static char *
serve (RegiondQueue *queue,
       guint         times)
{
  GString *served = g_string_new (NULL);

  for (guint i = 0; i < times; i++)
    {
      gpointer item = regiond_queue_serve (queue);

      if (item == NULL)
        break;
      g_string_append_c (served, GPOINTER_TO_INT (item));
      regiond_queue_done (queue, ALICE + (g_ascii_tolower (GPOINTER_TO_INT (item)) - 'a'));
    }
  return g_string_free (served, FALSE);
}

static void
assert_served (RegiondQueue *queue,
               guint         times,
               const char   *word)
{
  g_autofree char *served = serve (queue, times);

  g_assert_cmpstr (served, ==, word);
}

static void
test_order (void)
{
  g_autoptr (RegiondQueue) queue = regiond_queue_new (1, 1, 0);

  push (queue, ALICE, 'a', 1);
  push (queue, ALICE, 'A', 1);
  push (queue, ALICE, 'a', 2);
  assert_served (queue, 9, "aAaa");
}

/* Her thousand calls were there before, and he has his turn next; and always
 * again, one of hers for one of his once he has caught up with her. */
static void
test_newcomer (void)
{
  g_autoptr (RegiondQueue) queue = regiond_queue_new (1, 1, 0);
  g_autofree char *rest = NULL;

  push (queue, ALICE, 'a', 1000);
  assert_served (queue, 10, "aaaaaaaaaa");
  for (guint i = 0; i < 5; i++)
    {
      push (queue, BOB, 'b', 1);
      assert_served (queue, 2, "ba");
    }
  push (queue, BOB, 'b', 3);
  assert_served (queue, 6, "bbabaa");
  rest = serve (queue, 2000);
  g_assert_cmpuint (strlen (rest), ==, 1000 - 10 - 5 - 3);
}

/* With any number of users a call waits for one round. */
static void
test_one_round (void)
{
  g_autoptr (RegiondQueue) queue = regiond_queue_new (1, 1, 0);
  g_autofree char *served = NULL;

  for (char who = 'a'; who < 'z'; who++)
    push (queue, ALICE + (who - 'a'), who, 40);
  g_free (serve (queue, 137));
  push (queue, ALICE + 25, 'z', 2);
  served = serve (queue, 26 + 1);
  g_assert_cmpint (served[0], ==, 'z');
  g_assert_nonnull (strchr (served + 1, 'z'));
  for (char who = 'a'; who < 'z'; who++)
    g_assert_nonnull (strchr (served, who));
  while (regiond_queue_steal (queue) != NULL)
    ;
}

/* Who was not here saves up nothing for later. */
static void
test_no_savings (void)
{
  g_autoptr (RegiondQueue) queue = regiond_queue_new (1, 1, 0);

  push (queue, BOB, 'b', 1);
  assert_served (queue, 1, "b");
  push (queue, ALICE, 'a', 60);
  g_free (serve (queue, 50));
  push (queue, BOB, 'b', 5);
  assert_served (queue, 10, "bbabababaa");
  assert_served (queue, 9, "aaaaa");
}

static void
test_places (void)
{
  g_autoptr (RegiondQueue) queue = regiond_queue_new (3, 2, 0);

  push (queue, ALICE, 'a', 5);
  g_assert_nonnull (regiond_queue_serve (queue));
  g_assert_nonnull (regiond_queue_serve (queue));
  g_assert_null (regiond_queue_serve (queue)); /* her share */
  g_assert_cmpuint (regiond_queue_count (queue, ALICE), ==, 5);
  g_assert_cmpuint (regiond_queue_count_served (queue), ==, 2);
  g_assert_null (regiond_queue_peek (queue));
  push (queue, BOB, 'b', 2);
  g_assert_cmpint (GPOINTER_TO_INT (regiond_queue_peek (queue)), ==, 'b');
  g_assert_cmpint (GPOINTER_TO_INT (regiond_queue_serve (queue)), ==, 'b');
  g_assert_null (regiond_queue_serve (queue)); /* all places */
  regiond_queue_done (queue, ALICE);
  g_assert_cmpuint (regiond_queue_count (queue, ALICE), ==, 4);
  g_assert_cmpint (GPOINTER_TO_INT (regiond_queue_serve (queue)), ==, 'b');
  while (regiond_queue_steal (queue) != NULL)
    ;
}

static void
assert_next (RegiondQueue *queue,
             char          who)
{
  g_assert_cmpint (GPOINTER_TO_INT (regiond_queue_serve (queue)), ==, who);
}

/* She has all places there are: who has none waits for none of hers, but gets
 * only one, and there is an end to these as well. */
static void
test_reserve (void)
{
  g_autoptr (RegiondQueue) queue = regiond_queue_new (2, 2, 2);

  push (queue, ALICE, 'a', 5);
  assert_next (queue, 'a');
  assert_next (queue, 'a');
  g_assert_null (regiond_queue_serve (queue));
  push (queue, BOB, 'b', 2);
  assert_next (queue, 'b');
  g_assert_null (regiond_queue_serve (queue));
  push (queue, CAROL, 'c', 1);
  assert_next (queue, 'c');
  push (queue, CAROL + 1, 'd', 1);
  g_assert_null (regiond_queue_serve (queue));
  g_assert_cmpuint (regiond_queue_count_served (queue), ==, 4);

  regiond_queue_done (queue, ALICE);
  assert_next (queue, 'd');
  regiond_queue_done (queue, ALICE);
  assert_next (queue, 'a');
  regiond_queue_done (queue, CAROL);
  g_assert_null (regiond_queue_serve (queue));
  regiond_queue_done (queue, CAROL + 1);
  g_assert_null (regiond_queue_serve (queue));
  regiond_queue_done (queue, BOB);
  g_assert_nonnull (regiond_queue_serve (queue));
  while (regiond_queue_steal (queue) != NULL)
    ;
}

static void
test_withdraw (void)
{
  g_autoptr (RegiondQueue) queue = regiond_queue_new (1, 1, 0);

  push (queue, ALICE, 'a', 1);
  push (queue, ALICE, 'A', 1);
  push (queue, BOB, 'b', 1);
  regiond_queue_withdraw (queue, ALICE, GINT_TO_POINTER ('a'));
  regiond_queue_withdraw (queue, BOB, GINT_TO_POINTER ('b'));
  g_assert_cmpuint (regiond_queue_count (queue, BOB), ==, 0);
  assert_served (queue, 9, "A");
  g_assert_cmpuint (regiond_queue_count (queue, CAROL), ==, 0);
}

static void
add_tests (void)
{
  g_test_add_func ("/queue/ones-own-come-in-order", test_order);
  g_test_add_func ("/queue/a-newcomer-waits-for-nobodys-thousand", test_newcomer);
  g_test_add_func ("/queue/everybody-has-his-turn-in-one-round", test_one_round);
  g_test_add_func ("/queue/nobody-saves-up-for-later", test_no_savings);
  g_test_add_func ("/queue/places-are-few-and-shared", test_places);
  g_test_add_func ("/queue/who-has-none-gets-one-of-a-reserve", test_reserve);
  g_test_add_func ("/queue/who-leaves-is-not-served", test_withdraw);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
