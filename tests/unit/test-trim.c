/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "trim.h"

#include <malloc.h>

static guint trimmed;

/* Instead of the C library's. */
int
malloc_trim (size_t pad)
{
  trimmed++;
  return 1;
}

static void
test_once (void)
{
  for (int i = 0; i < 3; i++)
    regiond_trim_later ();
  g_assert_cmpuint (trimmed, ==, 0);
  wait_until (trimmed > 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (trimmed, ==, 1);
  g_assert_null (g_main_context_find_source_by_user_data (NULL, NULL));

  /* And again after the next one. */
  regiond_trim_later ();
  wait_until (trimmed == 2);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/trim/memory-is-given-back-later-and-once", test_once);
  return g_test_run ();
}
