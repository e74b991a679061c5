/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "budget.h"
#include "fixture.h"

#include <string.h>
#include <unistd.h>

static void
test_declared (void)
{
  g_autoptr (RegiondBudget) budget = regiond_budget_new (8192);
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_budget_declare (budget, 4096, NULL));
  g_assert_true (regiond_budget_declare (budget, 4096, NULL));
  g_assert_false (regiond_budget_declare (budget, 4096, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "MaxMemory=8K", "declared");

  regiond_budget_undeclare (budget, 4096);
  g_assert_true (regiond_budget_declare (budget, 4096, NULL));
}

static void
test_held (void)
{
  g_autoptr (RegiondBudget) budget = regiond_budget_new (8192);
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_budget_declare (budget, 8192, NULL));
  g_assert_cmpuint (regiond_budget_get_held (budget), ==, 0);
  g_assert_true (regiond_budget_take (budget, 8192, NULL));
  g_assert_cmpuint (regiond_budget_get_held (budget), ==, 8192);
  g_assert_false (regiond_budget_take (budget, 1, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "MaxMemory=8K", "held");
  g_assert_cmpuint (regiond_budget_get_held (budget), ==, 8192);

  regiond_budget_give (budget, 8192);
  g_assert_cmpuint (regiond_budget_get_held (budget), ==, 0);
}

static void
test_wrap (void)
{
  g_autoptr (RegiondBudget) budget = regiond_budget_new (G_MAXUINT64);
  g_autoptr (RegiondBudget) small = regiond_budget_new (4096);

  g_assert_true (regiond_budget_take (budget, G_MAXUINT64 - 1, NULL));
  g_assert_false (regiond_budget_take (budget, G_MAXUINT64, NULL));
  g_assert_false (regiond_budget_take (budget, 2, NULL));
  g_assert_true (regiond_budget_take (budget, 1, NULL));

  g_assert_true (regiond_budget_declare (small, 4096, NULL));
  g_assert_false (regiond_budget_declare (small, G_MAXUINT64, NULL));
  g_assert_false (regiond_budget_declare (small, G_MAXUINT64 - 4095, NULL));
}

#define ROUNDS 10000

static gpointer
take_and_give (gpointer data)
{
  for (int i = 0; i < ROUNDS; i++)
    {
      if (regiond_budget_take (data, 1, NULL))
        regiond_budget_give (data, 1);
    }
  return NULL;
}

static void
test_threads (void)
{
  g_autoptr (RegiondBudget) budget = regiond_budget_new (2);
  GThread *threads[4];

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("taker", take_and_give, budget);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (regiond_budget_get_held (budget), ==, 0);
}

static void
test_room (void)
{
  g_autoptr (RegiondBudget) budget = regiond_budget_new (8192);

  g_assert_true (regiond_budget_has_room (budget, 8192));
  g_assert_false (regiond_budget_has_room (budget, 8193));
  g_assert_false (regiond_budget_has_room (budget, G_MAXUINT64));
  g_assert_true (regiond_budget_take (budget, 4096, NULL));
  g_assert_true (regiond_budget_has_room (budget, 4096));
  g_assert_false (regiond_budget_has_room (budget, 4097));
  g_assert_cmpuint (regiond_budget_get_held (budget), ==, 4096);
  regiond_budget_give (budget, 4096);
  g_assert_true (regiond_budget_has_room (budget, 8192));
}

typedef struct {
  RegiondBudget *budget;
  int            id; /* the thread's, once it runs */
  int            over;
  gboolean       taken;
  gint64         waited;
  GError        *error;
} Taker;

static gpointer
take_half (gpointer data)
{
  Taker *taker = data;
  gint64 before = g_get_monotonic_time ();

  g_atomic_int_set (&taker->id, gettid ());
  taker->taken = regiond_budget_take (taker->budget, 4096, &taker->error);
  taker->waited = g_get_monotonic_time () - before;
  g_atomic_int_set (&taker->over, TRUE);
  return NULL;
}

/* Nothing but the budget puts it to sleep. */
static gboolean
is_asleep (Taker *taker)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d/stat", g_atomic_int_get (&taker->id));
  g_autofree char *text = NULL;
  const char *state;

  if (g_atomic_int_get (&taker->over))
    return TRUE;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  state = strstr (text, ") ");
  return state != NULL && state[2] == 'S';
}

static void
test_wait (void)
{
  g_autoptr (RegiondBudget) budget = regiond_budget_new (8192);
  Taker taker = { .budget = budget };
  GThread *thread;

  g_assert_true (regiond_budget_take (budget, 8192, NULL));
  thread = g_thread_new ("taker", take_half, &taker);
  wait_until (g_atomic_int_get (&taker.id) != 0 && is_asleep (&taker));
  g_assert_false (g_atomic_int_get (&taker.over));

  /* Half of what is asked for does not do. */
  regiond_budget_give (budget, 2048);
  regiond_budget_give (budget, 2048);
  g_thread_join (thread);
  g_assert_no_error (taker.error);
  g_assert_true (taker.taken);
  g_assert_cmpint (taker.waited, <, 250 * 1000);
  g_assert_cmpuint (regiond_budget_get_held (budget), ==, 8192);
}

static void
test_patience (void)
{
  g_autoptr (RegiondBudget) budget = regiond_budget_new (8192);
  Taker taker = { .budget = budget };

  g_assert_true (regiond_budget_take (budget, 8192, NULL));
  g_thread_join (g_thread_new ("taker", take_half, &taker));
  g_assert_false (taker.taken);
  assert_error_says (taker.error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "MaxMemory=8K", "held");
  g_assert_cmpint (taker.waited, >=, 250 * 1000);
  g_assert_cmpuint (regiond_budget_get_held (budget), ==, 8192);
  g_error_free (taker.error);
}

static void
test_main_thread (void)
{
  g_autoptr (RegiondBudget) budget = regiond_budget_new (8192);
  Taker taker = { .budget = budget };

  g_assert_true (regiond_budget_take (budget, 8192, NULL));
  g_assert_true (g_main_context_acquire (NULL));
  take_half (&taker);
  g_main_context_release (NULL);
  g_assert_error (taker.error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpint (taker.waited, <, 250 * 1000);
  g_error_free (taker.error);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/budget/declaring-more-than-there-is-says-how-much", test_declared);
  g_test_add_func ("/budget/what-is-held-counts-apart", test_held);
  g_test_add_func ("/budget/an-enormous-size-does-not-wrap", test_wrap);
  g_test_add_func ("/budget/threads-lose-nothing", test_threads);
  g_test_add_func ("/budget/room-is-what-could-be-taken", test_room);
  g_test_add_func ("/budget/a-worker-waits-for-what-comes-back", test_wait);
  g_test_add_func ("/budget/a-worker-does-not-wait-for-ever", test_patience);
  g_test_add_func ("/budget/the-main-thread-does-not-wait", test_main_thread);
  return g_test_run ();
}
