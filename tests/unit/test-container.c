/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/container.h"
#include "error.h"

#include <string.h>

/* There is no group of such a number anywhere. */
#define NO_GROUP 4294967295u

static void
test_no_group (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (regiond_container_acquire (NO_GROUP, FALSE, &error));
  if (!g_file_test ("/dev/vfio/vfio", G_FILE_TEST_EXISTS))
    {
      g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED);
      g_assert_nonnull (strstr (error->message, "modprobe vfio-pci"));
    }
  else
    {
      g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED);
      g_assert_nonnull (strstr (error->message, "bound to vfio-pci"));
    }
}

/* What failed leaves nothing behind that a second try would take for a container. */
static void
test_no_group_twice (void)
{
  g_autoptr (GError) error = NULL, again = NULL;

  g_assert_null (regiond_container_acquire (NO_GROUP, TRUE, &error));
  g_assert_null (regiond_container_acquire (NO_GROUP, TRUE, &again));
  g_assert_nonnull (error);
  g_assert_cmpint (error->code, ==, again->code);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/container/what-is-missing-is-named", test_no_group);
  g_test_add_func ("/container/what-failed-leaves-nothing", test_no_group_twice);
  return g_test_run ();
}
