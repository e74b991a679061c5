/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/viability.h"
#include "error.h"
#include "fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* A group's folder as sysfs has it. */
static char *
make_group (void)
{
  char *folder = g_dir_make_tmp ("viability-XXXXXX", NULL);
  g_autofree char *devices = g_build_filename (folder, "devices", NULL);

  g_assert_cmpint (g_mkdir (devices, 0700), ==, 0);
  return folder;
}

static void
add_member (const char *folder,
            const char *address,
            const char *driver)
{
  g_autofree char *device = g_build_filename (folder, "devices", address, NULL);
  g_autofree char *link = g_build_filename (device, "driver", NULL);
  g_autofree char *target = g_strdup_printf ("../../../../bus/pci/drivers/%s", driver);

  g_assert_cmpint (g_mkdir (device, 0700), ==, 0);
  if (driver != NULL)
    g_assert_cmpint (symlink (target, link), ==, 0);
}

static void
remove_group (const char *folder)
{
  g_autofree char *command = g_strdup_printf ("rm -r %s", folder);

  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
}

static void
test_viable (void)
{
  g_autofree char *folder = make_group ();
  g_autoptr (GError) error = NULL;

  add_member (folder, "0000:00:1c.0", "pcieport");
  add_member (folder, "0000:01:00.0", "vfio-pci");
  add_member (folder, "0000:01:00.1", "pci-stub");
  add_member (folder, "0000:01:00.2", "mlx5_vfio_pci");
  add_member (folder, "0000:01:00.3", NULL);
  g_assert_true (regiond_viability_check (7, folder, &error));
  g_assert_no_error (error);
  remove_group (folder);
}

static void
test_member_in_use (void)
{
  g_autofree char *folder = make_group ();
  g_autoptr (GError) error = NULL;

  add_member (folder, "0000:01:00.0", "vfio-pci");
  add_member (folder, "0000:01:00.1", "snd_hda_intel");
  g_assert_false (regiond_viability_check (7, folder, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED);
  g_assert_nonnull (strstr (error->message, "group 7"));
  g_assert_nonnull (strstr (error->message, "0000:01:00.1"));
  g_assert_nonnull (strstr (error->message, "snd_hda_intel"));
  remove_group (folder);
}

static void
test_no_group (void)
{
  g_assert_true (regiond_viability_check (7, "/nowhere/at/all", NULL));
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/viability/drivers-that-leave-dma-alone-are-no-hindrance", test_viable);
  g_test_add_func ("/viability/a-member-in-use-is-named-with-its-driver", test_member_in_use);
  g_test_add_func ("/viability/a-group-that-is-not-there-hinders-nobody", test_no_group);
  return g_test_run ();
}
