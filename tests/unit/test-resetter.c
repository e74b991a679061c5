/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/hotreset.h"
#include "backends/vfio/resetter.h"
#include "error.h"
#include "fixture.h"
#include "registers.h"
#include "space.h"
#include "sysfs-tree.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <unistd.h>

/* A device whose reset lasts until the gate is opened. */
typedef struct {
  SysfsTree    tree;
  Proxies      proxies;
  RegiondHold *hold;
  int          fd;
  Space        space;
} Device;

static Device
device_set_up (const char *methods)
{
  g_autofree char *path = NULL;
  Device self;

  self.tree = sysfs_tree_set_up ();
  self.proxies = proxies_set_up ();
  self.hold = proxies_open (&self.proxies, R | W, &self.fd);
  path = g_strdup_printf ("/proc/%d/fd/%d", getpid (), self.fd);
  sysfs_tree_link (&self.tree, "reset", path);
  sysfs_tree_put (&self.tree, "reset_method", methods, -1);
  space_init_nvme (&self.space);
  sysfs_tree_put (&self.tree, "config", self.space.bytes, self.space.size);
  return self;
}

static void
device_clear (Device *self)
{
  proxies_finish (&self->hold, self->fd);
  proxies_clear (&self->proxies);
  sysfs_tree_clear (&self->tree);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Device, device_clear)

typedef struct {
  RegiondResetter *resetter;
  gboolean         done;
  GError          *error;
} Attempt;

static gpointer
run_attempt (gpointer data)
{
  Attempt *attempt = data;

  attempt->done = regiond_resetter_reset (attempt->resetter, NULL, TRUE, &attempt->error);
  return NULL;
}

/* Starts a reset, and returns while it lasts. */
static GThread *
start (Device  *device,
       Attempt *attempt)
{
  GThread *thread;

  *attempt = (Attempt){ regiond_resetter_new (device->tree.sysfs, device->tree.top), FALSE, NULL };
  registers_let (device->proxies.registers, FALSE);
  thread = g_thread_new ("reset", run_attempt, attempt);
  wait_until (registers_count_begun (device->proxies.registers) > 0);
  return thread;
}

static void
finish (Device  *device,
        Attempt *attempt,
        GThread *thread)
{
  registers_let (device->proxies.registers, TRUE);
  g_thread_join (thread);
  regiond_resetter_free (attempt->resetter);
}

static void
check_methods (const char *said,
               const char *wanted)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondResetter) resetter = NULL;
  g_autofree char *found = NULL;

  if (said != NULL)
    sysfs_tree_put (&tree, "reset_method", said, -1);
  resetter = regiond_resetter_new (tree.sysfs, tree.top);
  found = g_strjoinv (" ", (GStrv) regiond_resetter_get_methods (resetter));
  g_assert_cmpstr (found, ==, wanted);
}

static void
test_order (void)
{
  check_methods ("flr bus\n", "flr bus");
  check_methods ("pm\n", "pm");
  check_methods ("pm bus\n", "bus");
  check_methods ("device_specific acpi flr af_flr pm bus cxl_bus\n",
                 "device_specific acpi flr af_flr bus cxl_bus");
  check_methods ("pm novel flr\n", "flr novel");
}

static void
test_none (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondResetter) resetter = NULL;
  g_autoptr (GError) error = NULL;
  Space space;

  check_methods (NULL, "");
  check_methods ("\n", "");
  space_init_ivshmem (&space);
  sysfs_tree_put (&tree, "config", space.bytes, space.size);
  resetter = regiond_resetter_new (tree.sysfs, tree.top);
  g_assert_false (regiond_resetter_reset (resetter, NULL, FALSE, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "0000:00:10.0");
}

/* On the same bus, on another, in another domain. */
static void
test_neighbours (void)
{
  const char *const others[] = { "0000:01:00.0", "0001:00:10.0", "0000:00:10.1" };
  const char *const wanted[] = { "bus", "bus", "pm" };
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();

  sysfs_tree_put (&tree, "reset_method", "pm bus\n", -1);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autofree char *name = g_strdup_printf ("../%s/vendor", others[i]);
      g_autoptr (RegiondResetter) resetter = NULL;
      g_autofree char *found = NULL;

      sysfs_tree_put (&tree, name, "0x1af4\n", -1);
      resetter = regiond_resetter_new (tree.sysfs, tree.top);
      found = g_strjoinv (" ", (GStrv) regiond_resetter_get_methods (resetter));
      g_assert_cmpstr (found, ==, wanted[i]);
    }
}

static void
test_best (void)
{
  Attempt attempt;
  g_auto (Device) device = device_set_up ("pm bus flr\n");
  GThread *thread = start (&device, &attempt);
  g_autofree char *during = sysfs_tree_get (&device.tree, "reset_method");
  g_autofree char *after = NULL;

  finish (&device, &attempt, thread);
  g_assert_no_error (attempt.error);
  g_assert_true (attempt.done);
  g_assert_true (g_str_has_prefix (during, "flr")); /* a plain file keeps the rest */
  after = sysfs_tree_get (&device.tree, "reset_method");
  g_assert_true (g_str_has_prefix (after, "pm bus flr"));
  g_assert_cmpuint (device.proxies.registers->bytes[0], ==, '1');
}

static void
test_pm (void)
{
  g_auto (Device) device = device_set_up ("pm\n");
  Attempt attempt;
  GThread *thread;

  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*0000:00:10.0*pm*");
  thread = start (&device, &attempt);
  finish (&device, &attempt, thread);
  g_assert_true (attempt.done);
  g_test_assert_expected_messages ();
}

/* What failed is not said to be clean because pm says so. */
static void
test_pm_after_failure (void)
{
  Attempt attempt;
  g_auto (Device) device = device_set_up ("bus pm\n");
  GThread *thread = start (&device, &attempt);

  space_put16 (&device.space, PCI_BASE_ADDRESS_0 + 2, 0);
  sysfs_tree_put (&device.tree, "config", device.space.bytes, device.space.size);
  finish (&device, &attempt, thread);
  g_assert_false (attempt.done);
  assert_error_says (attempt.error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED, "bus");
  g_assert_null (strstr (attempt.error->message, "pm was"));
  g_assert_cmpuint (registers_count_begun (device.proxies.registers), ==, 1);
  g_clear_error (&attempt.error);
}

/* Both were tried, and the methods are what they were. */
static void
test_failed (void)
{
  g_auto (SysfsTree) tree = sysfs_tree_set_up ();
  g_autoptr (RegiondResetter) resetter = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *after = NULL;
  Space space;

  space_init_nvme (&space);
  sysfs_tree_put (&tree, "config", space.bytes, space.size);
  sysfs_tree_put (&tree, "reset_method", "flr bus\n", -1);
  sysfs_tree_link (&tree, "reset", "/dev/full");
  resetter = regiond_resetter_new (tree.sysfs, tree.top);
  g_assert_false (regiond_resetter_reset (resetter, NULL, FALSE, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED, "0000:00:10.0", "flr:", "bus:",
                     g_strerror (ENOSPC));
  after = sysfs_tree_get (&tree, "reset_method");
  g_assert_true (g_str_has_prefix (after, "flr bus"));
}

static void
check_not_back (Device     *device,
                gsize       offset,
                const char *said)
{
  Attempt attempt;
  GThread *thread = start (device, &attempt);

  space_put16 (&device->space, offset, space_get16 (&device->space, offset) ^ 0xff00);
  sysfs_tree_put (&device->tree, "config", device->space.bytes, device->space.size);
  finish (device, &attempt, thread);
  g_assert_false (attempt.done);
  assert_error_says (attempt.error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED, "flr", said);
  g_clear_error (&attempt.error);
}

static void
test_not_proof (void)
{
  g_auto (Device) device = device_set_up ("flr\n");

  check_not_back (&device, PCI_BASE_ADDRESS_0 + 2, "config space has not come back");
}

static void
test_no_answer (void)
{
  g_auto (Device) device = device_set_up ("flr\n");

  check_not_back (&device, PCI_VENDOR_ID, "does not answer");
}

/* Errors that the device has seen are no difference. */
static void
test_flags (void)
{
  Attempt attempt;
  g_auto (Device) device = device_set_up ("flr\n");
  GThread *thread = start (&device, &attempt);

  space_put16 (&device.space, PCI_STATUS, PCI_STATUS_CAP_LIST);
  sysfs_tree_put (&device.tree, "config", device.space.bytes, device.space.size);
  finish (&device, &attempt, thread);
  g_assert_no_error (attempt.error);
}

static void
test_unplugged (void)
{
  Attempt attempt;
  g_auto (Device) device = device_set_up ("flr bus\n");
  GThread *thread = start (&device, &attempt);

  sysfs_tree_unplug (&device.tree);
  finish (&device, &attempt, thread);
  g_assert_error (attempt.error, REGIOND_ERROR, REGIOND_ERROR_GONE);
  g_clear_error (&attempt.error);
}

/* The one beside it in the group may be somebody else's. */
static void
test_hot_alone (void)
{
  g_autofree struct vfio_pci_hot_reset_info *info =
      g_malloc0 (sizeof *info + 2 * sizeof (struct vfio_pci_dependent_device));

  g_assert_false (regiond_hotreset_hits_one (info, 7));
  info->devices[0].group_id = info->devices[1].group_id = 7;
  info->count = 1;
  g_assert_true (regiond_hotreset_hits_one (info, 7));
  g_assert_false (regiond_hotreset_hits_one (info, 8));
  info->count = 2;
  g_assert_false (regiond_hotreset_hits_one (info, 7));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/resetter/the-best-comes-first", test_order);
  g_test_add_func ("/resetter/without-a-way-there-is-none", test_none);
  g_test_add_func ("/resetter/a-bus-with-neighbours-is-not-reset", test_neighbours);
  g_test_add_func ("/resetter/the-best-is-done-alone", test_best);
  g_test_add_func ("/resetter/pm-is-warned-of", test_pm);
  g_test_add_func ("/resetter/after-a-failure-pm-is-no-way-out", test_pm_after_failure);
  g_test_add_func ("/resetter/each-failure-is-told", test_failed);
  g_test_add_func ("/resetter/a-success-is-no-proof", test_not_proof);
  g_test_add_func ("/resetter/who-does-not-answer-is-not-reset", test_no_answer);
  g_test_add_func ("/resetter/flags-are-no-difference", test_flags);
  g_test_add_func ("/resetter/unplugged-in-a-reset-it-is-gone", test_unplugged);
  g_test_add_func ("/resetter/by-the-bus-only-who-is-alone", test_hot_alone);
  return g_test_run ();
}
