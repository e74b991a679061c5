/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/resetter.h"

#include <linux/pci_regs.h>

#include "backends/vfio/hotreset.h"
#include "bound.h"
#include "devices.h"
#include "error.h"
#include "guest.h"

/* Of nvme: configuration, status (bit 0: ready), the admin queues' sizes and places;
 * of e1000e: the VLAN ether type. */
#define NVME_CC 0x14
#define NVME_CSTS 0x1c
#define NVME_AQA 0x24
#define NVME_ASQ 0x28
#define NVME_ACQ 0x30
#define E1000E_VET 0x38

static void
check_methods (const char *id,
               const char *wanted)
{
  g_auto (Bound) bound = bound_set_up (id);
  g_autoptr (RegiondResetter) resetter = regiond_resetter_new (bound.sysfs, "/run/regiond");
  g_autofree char *found = g_strjoinv (" ", (GStrv) regiond_resetter_get_methods (resetter));

  g_assert_cmpstr (found, ==, wanted);
}

static void
test_methods (void)
{
  check_methods (GUEST_NVME, "flr bus");
  check_methods (GUEST_E1000E, "bus");
  check_methods (GUEST_IVSHMEM, "");
  check_methods (GUEST_EDU, "");
  check_methods (GUEST_TESTDEV, "");
}

static void
must_reset (RegiondResetter *resetter,
            RegiondHandle *handle,
            gboolean mapped)
{
  g_autoptr (GError) error = NULL;

  regiond_resetter_reset (resetter, handle, mapped, &error);
  g_assert_no_error (error);
}

/* The kernel enables its BARs, once; a device that has flr is reset by that. */
static void
enable (Bound *bound)
{
  bound_open (bound);
  bound_close (bound);
}

/* No DMA: without bus mastering it is ready and no more. */
static void
start_nvme (Bound *bound)
{
  bound_poke (bound, 0, NVME_AQA, 0x00010001);
  bound_poke (bound, 0, NVME_ASQ, 0x1000);
  bound_poke (bound, 0, NVME_ACQ, 0x2000);
  bound_poke (bound, 0, NVME_CC, 0x00460001);
  g_assert_cmphex (bound_peek (bound, 0, NVME_CSTS), ==, 1);
}

/* With the device's methods as they were, afterwards. */
static void
test_nvme (void)
{
  g_auto (Bound) bound = bound_set_up (GUEST_NVME);
  g_autoptr (RegiondResetter) resetter = NULL;
  g_autofree char *before = NULL, *after = NULL;

  enable (&bound);
  before = guest_attribute (bound.address, "reset_method");
  resetter = regiond_resetter_new (bound.sysfs, "/run/regiond");
  start_nvme (&bound);
  must_reset (resetter, NULL, TRUE);
  g_assert_cmphex (bound_peek (&bound, 0, NVME_CSTS), ==, 0);
  must_reset (resetter, bound_open (&bound), TRUE);
  after = guest_attribute (bound.address, "reset_method");
  g_assert_cmpstr (after, ==, before);
}

static void
test_e1000e (void)
{
  g_auto (Bound) bound = bound_set_up (GUEST_E1000E);
  g_autoptr (RegiondResetter) resetter = NULL;
  g_autofree char *before = NULL, *after = NULL;
  guint32 clean;

  enable (&bound);
  before = guest_attribute (bound.address, "reset_method");
  resetter = regiond_resetter_new (bound.sysfs, "/run/regiond");
  must_reset (resetter, NULL, TRUE);
  clean = bound_peek (&bound, 0, E1000E_VET);
  bound_poke (&bound, 0, E1000E_VET, 0x1234);
  g_assert_cmphex (bound_peek (&bound, 0, E1000E_VET), ==, 0x1234);
  must_reset (resetter, NULL, TRUE);
  g_assert_cmphex (bound_peek (&bound, 0, E1000E_VET), ==, clean);
  g_assert_cmphex (clean, !=, 0x1234);
  after = guest_attribute (bound.address, "reset_method");
  g_assert_cmpstr (after, ==, before);
}

/* The fact that the order is for: it says that it has reset the device. */
static void
test_pm (void)
{
  g_auto (Bound) bound = bound_set_up (GUEST_E1000E);
  g_autoptr (RegiondResetter) resetter = NULL;

  enable (&bound);
  guest_set_attribute (bound.address, "reset_method", "pm");
  resetter = regiond_resetter_new (bound.sysfs, "/run/regiond");
  bound_poke (&bound, 0, E1000E_VET, 0x1234);
  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*pm*");
  must_reset (resetter, NULL, TRUE);
  g_test_assert_expected_messages ();
  g_assert_cmphex (bound_peek (&bound, 0, E1000E_VET), ==, 0x1234);
  guest_set_attribute (bound.address, "reset_method", "default");
}

static void
test_none (void)
{
  const char *const ids[] = { GUEST_IVSHMEM, GUEST_EDU, GUEST_TESTDEV };

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_auto (Bound) bound = bound_set_up (ids[i]);
      g_autoptr (RegiondResetter) resetter = regiond_resetter_new (bound.sysfs, "/run/regiond");
      g_autoptr (GError) error = NULL;

      g_assert_false (regiond_resetter_reset (resetter, bound_open (&bound), FALSE, &error));
      g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED);
    }
}

/* A device that has no way of its own, alone in its group behind a port. */
static void
test_hot (void)
{
  g_auto (Bound) bound = bound_set_up (GUEST_E1000E);
  g_autoptr (RegiondResetter) resetter = NULL;
  g_autoptr (GError) error = NULL;

  enable (&bound);
  bound_poke (&bound, 0, E1000E_VET, 0x1234);
  guest_set_attribute (bound.address, "reset_method", "\n");
  resetter = regiond_resetter_new (bound.sysfs, "/run/regiond");
  g_assert_null (regiond_resetter_get_methods (resetter)[0]);
  g_assert_false (regiond_resetter_reset (resetter, bound_open (&bound), TRUE, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  must_reset (resetter, bound.handle, FALSE);
  g_assert_cmpstr (regiond_resetter_get_methods (resetter)[0], ==, "hot");
  bound_close (&bound);
  g_assert_cmphex (bound_peek (&bound, 0, E1000E_VET), !=, 0x1234);

  /* Also without the handle it is known that there is a way, and why it is barred. */
  g_clear_error (&error);
  g_assert_true (regiond_resetter_needs_handle (resetter));
  g_assert_false (regiond_resetter_reset (resetter, NULL, TRUE, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  guest_set_attribute (bound.address, "reset_method", "default");
}

/* The bridge's driver for hot-plug makes the group unfit for VFIO; it cannot be
 * had back, since it does not take a bridge twice. */
static char *
find_bridge (const char *address)
{
  g_auto (GStrv) members = guest_group_members (address);

  for (guint i = 0; members[i] != NULL; i++)
    {
      g_autofree char *driver = guest_driver (members[i]);

      if (g_strcmp0 (driver, "shpchp") == 0)
        return g_strdup (members[i]);
    }

  return NULL;
}

/* Two in one group, on one bus: what would reset both is no way for one. */
static void
test_neighbours (void)
{
  g_auto (Bound) serial = { 0 };
  g_autofree char *audio = guest_find (GUEST_AUDIO);
  g_autofree char *bridge = find_bridge (audio);
  g_autoptr (RegiondResetter) resetter = NULL;

  if (bridge != NULL)
    guest_set_attribute (bridge, "driver/unbind", bridge);
  guest_bind (audio);
  serial = bound_set_up (GUEST_SERIAL);
  resetter = regiond_resetter_new (serial.sysfs, "/run/regiond");
  g_assert_false (g_strv_contains (regiond_resetter_get_methods (resetter), "bus"));
  g_assert_false (regiond_hotreset_is_ours (bound_open (&serial), guest_group (serial.address)));
  guest_give_back (audio);
}

/* On the bus: what is published, and what Reset says. */
static void
check_published (World *world,
                 const char *id,
                 const char *wanted)
{
  g_autofree char *address = guest_find (id);
  g_autofree char *path = device_path (address);
  g_autoptr (GVariant) methods = NULL;
  g_autofree const char **names = NULL;
  g_autofree char *found = NULL;

  device_wait (world, address);
  methods = world_get (world, path, DEVICE_INTERFACE, "ResetMethods");
  names = g_variant_get_strv (methods, NULL);
  found = g_strjoinv (" ", (char **) names);
  g_assert_cmpstr (found, ==, wanted);
}

static void
test_published (void)
{
  const char *const ids[] = { GUEST_NVME, GUEST_E1000E, GUEST_EDU, GUEST_IVSHMEM };
  const char *const wanted[] = { "flr bus", "bus", "", "" };
  g_autoptr (World) world = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_autofree char *address = guest_find (ids[i]);

      guest_bind (address);
    }
  world = world_new ("");
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    check_published (world, ids[i], wanted[i]);
  g_clear_pointer (&world, world_free);
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_autofree char *address = guest_find (ids[i]);

      guest_give_back (address);
    }
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/reset/methods", test_methods);
  g_test_add_func ("/reset/nvme-forgets-by-flr", test_nvme);
  g_test_add_func ("/reset/e1000e-forgets-by-bus", test_e1000e);
  g_test_add_func ("/reset/e1000e-remembers-by-pm", test_pm);
  g_test_add_func ("/reset/without-a-way-it-is-not-supported", test_none);
  g_test_add_func ("/reset/hot-is-the-last-way", test_hot);
  g_test_add_func ("/reset/neighbours-are-not-reset-for-each-other", test_neighbours);
  g_test_add_func ("/reset/methods-are-published", test_published);
  return g_test_run ();
}
