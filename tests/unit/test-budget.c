/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "budget.h"
#include "fixture.h"

#include <string.h>

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

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/budget/declaring-more-than-there-is-says-how-much", test_declared);
  g_test_add_func ("/budget/what-is-held-counts-apart", test_held);
  g_test_add_func ("/budget/an-enormous-size-does-not-wrap", test_wrap);
  g_test_add_func ("/budget/threads-lose-nothing", test_threads);
  return g_test_run ();
}
