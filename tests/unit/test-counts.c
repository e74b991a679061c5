/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "counts.h"

static void
test_each (void)
{
  g_autoptr (GHashTable) counts = regiond_counts_new ();

  regiond_counts_change (counts, ":1.1", 1);
  regiond_counts_change (counts, ":1.1", 1);
  regiond_counts_change (counts, ":1.2", 1);
  g_assert_cmpuint (regiond_counts_get (counts, ":1.1"), ==, 2);
  g_assert_cmpuint (regiond_counts_get (counts, ":1.2"), ==, 1);
  g_assert_cmpuint (regiond_counts_get (counts, ":1.3"), ==, 0);
}

static void
test_none (void)
{
  g_autoptr (GHashTable) counts = regiond_counts_new ();

  regiond_counts_change (counts, ":1.1", 1);
  regiond_counts_change (counts, ":1.1", -1);
  g_assert_cmpuint (regiond_counts_get (counts, ":1.1"), ==, 0);
  g_assert_cmpuint (g_hash_table_size (counts), ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/counts/each-has-its-own", test_each);
  g_test_add_func ("/counts/who-has-none-is-forgotten", test_none);
  return g_test_run ();
}
