/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/cleaner.h"
#include "error.h"
#include "fixture.h"
#include "space.h"
#include "sysfs-tree.h"

#include <glib/gstdio.h>

#define NONE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
#define MEMORY "0x00000000fe800000 0x00000000fe800fff 0x0000000000040200\n"

/* A device that nobody holds. */
typedef struct {
  SysfsTree       tree;
  RegiondWatch   *watch;
  RegiondConfig  *config;
  RegiondGate    *gate;
  RegiondBars    *bars;
  RegiondGrip    *grip;
  RegiondCleaner *cleaner;
} Device;

static Device
device_set_up (const char *methods)
{
  static const char *const nothing[] = { NULL };
  RegiondGripSetup setup = { NULL };
  Space space;
  Device self;

  self.tree = sysfs_tree_set_up ();
  space_init_nvme (&space);
  sysfs_tree_put (&self.tree, "config", space.bytes, space.size);
  sysfs_tree_put (&self.tree, "resource", MEMORY NONE NONE NONE NONE NONE NONE, -1);
  if (methods != NULL)
    sysfs_tree_put (&self.tree, "reset_method", methods, -1);
  self.watch = regiond_watch_new (NULL);
  setup.sysfs = self.tree.sysfs;
  setup.config = self.config = regiond_config_new (self.tree.sysfs);
  setup.gate = self.gate = regiond_gate_new (self.tree.sysfs);
  setup.bars = self.bars = regiond_bars_new (self.tree.sysfs, self.watch, NULL, NULL);
  self.grip = regiond_grip_new (&setup);
  self.cleaner = regiond_cleaner_new (self.tree.sysfs, self.tree.top, self.config, nothing);
  return self;
}

static void
device_clear (Device *self)
{
  regiond_cleaner_free (self->cleaner);
  regiond_grip_free (self->grip);
  regiond_bars_free (self->bars);
  regiond_gate_unref (self->gate);
  regiond_config_unref (self->config);
  regiond_watch_unref (self->watch);
  sysfs_tree_clear (&self->tree);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Device, device_clear)

static void
test_reset (void)
{
  g_auto (Device) device = device_set_up ("flr\n");
  g_autoptr (GError) error = NULL;
  g_autofree char *written = NULL;

  sysfs_tree_put (&device.tree, "reset", "", -1);
  regiond_cleaner_reset (device.cleaner, device.grip, TRUE, &error);
  g_assert_no_error (error);
  written = sysfs_tree_get (&device.tree, "reset");
  g_assert_cmpstr (written, ==, "1");
}

/* It says so, and is lent as it is. */
static void
test_no_way (void)
{
  g_auto (Device) device = device_set_up (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (regiond_cleaner_get_methods (device.cleaner)[0]);
  regiond_cleaner_reset (device.cleaner, device.grip, FALSE, &error);
  g_assert_no_error (error);
}

static void
test_failed (void)
{
  g_auto (Device) device = device_set_up ("flr\n");
  g_autoptr (GError) error = NULL;

  sysfs_tree_link (&device.tree, "reset", "/dev/full");
  g_assert_false (regiond_cleaner_reset (device.cleaner, device.grip, FALSE, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED);
}

/* Killed in a reset by one of two methods. */
static void
test_crash (void)
{
  g_auto (Device) device = device_set_up ("flr bus\n");
  g_autofree char *folder = NULL, *record = NULL, *now = NULL;

  g_assert_false (regiond_cleaner_must_recover (device.cleaner));
  folder = g_build_filename (device.tree.top, "reset-methods", NULL);
  record = g_build_filename (folder, "0000:00:10.0", NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (record, "flr bus", -1, NULL));
  sysfs_tree_put (&device.tree, "reset_method", "flr\n", -1);
  g_assert_true (regiond_cleaner_must_recover (device.cleaner));
  regiond_cleaner_recover (device.cleaner);
  now = sysfs_tree_get (&device.tree, "reset_method");
  g_assert_cmpstr (now, ==, "flr bus");
  g_assert_false (regiond_cleaner_must_recover (device.cleaner));
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cleaner/a-device-is-reset", test_reset);
  g_test_add_func ("/cleaner/where-there-is-no-way-it-is-lent-as-it-is", test_no_way);
  g_test_add_func ("/cleaner/where-there-is-one-it-has-to-work", test_failed);
  g_test_add_func ("/cleaner/what-a-crash-has-left-is-put-right", test_crash);
  return g_test_run ();
}
