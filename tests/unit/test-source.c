/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "objects.h"

static RegiondSource *
as_source (RegiondMemfd *memfd)
{
  return REGIOND_SOURCE (memfd);
}

static void
test_memory (void)
{
  g_auto (Objects) o;
  g_autoptr (RegiondMemfd) memfd = NULL;
  const guint8 *bytes = NULL;
  guint8 buffer[4];

  objects_init (&o, PAGE);
  memfd = objects_make (&o, PAGE);
  g_assert_true (regiond_source_is_quick (as_source (memfd)));
  g_assert_cmpint (regiond_source_write (as_source (memfd), 5, 4, (const guint8 *) "abcd"), ==, 0);
  g_assert_cmpint (regiond_source_read (as_source (memfd), 6, 2, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 2, "bc", 2);
  g_assert_cmpint (regiond_source_read (as_source (memfd), PAGE - 4, 4, buffer, &bytes), ==, 0);
  g_assert_cmpmem (bytes, 4, "\0\0\0\0", 4);
  g_clear_object (&memfd);
}

static void
test_retired (void)
{
  g_auto (Objects) o;
  g_autoptr (RegiondMemfd) memfd = NULL;
  const guint8 *bytes = NULL;
  guint8 buffer[4];

  objects_init (&o, PAGE);
  memfd = objects_make (&o, PAGE);
  g_assert_false (regiond_source_is_retired (as_source (memfd)));
  regiond_memfd_retire (memfd);
  g_assert_true (regiond_source_is_retired (as_source (memfd)));

  /* What has begun may end: the bytes are there as long as somebody has them. */
  g_assert_cmpint (regiond_source_read (as_source (memfd), 0, 4, buffer, &bytes), ==, 0);
  g_clear_object (&memfd);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/source/memory-is-read-where-it-is", test_memory);
  g_test_add_func ("/source/what-is-retired-says-so", test_retired);
  return g_test_run ();
}
