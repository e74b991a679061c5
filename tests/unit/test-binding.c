/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/binding.h"
#include "fixture.h"
#include "pci-bus.h"

#define DISK "0000:01:00.0"
#define CARD "0000:02:00.0"
#define SOUND "0000:02:00.1"
#define BRIDGE "0000:00:1c.0"
#define BARE "0000:03:00.0"
#define LOOSE "0000:04:00.0"
#define MODE "sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

/* A disk alone; a card and its sound behind a bridge in one group; one without a driver; one without a group. */
static void
prepare (PciBus *bus)
{
  pci_bus_init (bus);
  pci_bus_add_driver (bus, "nvme");
  pci_bus_add_driver (bus, "gpu");
  pci_bus_add_driver (bus, "snd");
  pci_bus_add_driver (bus, "pcieport");
  pci_bus_add_driver (bus, "pci-stub");
  pci_bus_add_driver (bus, "vfio-pci");
  pci_bus_add_device (bus, DISK, "0x010802\n", "nvme", 1);
  pci_bus_add_device (bus, BRIDGE, "0x060400\n", "pcieport", 2);
  pci_bus_add_device (bus, CARD, "0x030000\n", "gpu", 2);
  pci_bus_add_device (bus, SOUND, "0x040300\n", "snd", 2);
  pci_bus_add_device (bus, BARE, "0x050000\n", NULL, 3);
  pci_bus_add_device (bus, LOOSE, "0x050000\n", NULL, -1);
  pci_bus_put (bus, "proc/self/mountinfo", "");
}

static char **
plan (RegiondBinding *binding,
      const char     *address,
      gboolean        group,
      GError        **error)
{
  g_autoptr (RegiondIdentity) identity = regiond_binding_find (binding, address, error);

  return identity != NULL ? regiond_binding_plan (binding, identity, group, error) : NULL;
}

static gboolean
bind_it (RegiondBinding *binding,
         const char     *address,
         gboolean        group,
         GError        **error)
{
  g_auto (GStrv) addresses = plan (binding, address, group, error);

  return addresses != NULL && regiond_binding_bind (binding, (const char *const *) addresses, FALSE, error);
}

static void
assert_driver (PciBus     *bus,
               const char *address,
               const char *driver)
{
  g_autofree char *now = pci_bus_get_driver (bus, address);

  g_assert_cmpstr (now, ==, driver);
}

static gboolean
has_driver (PciBus     *bus,
            const char *address,
            const char *driver)
{
  g_autofree char *now = pci_bus_get_driver (bus, address);

  return g_str_equal (now, driver);
}

static void
test_there_and_back (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL, later = NULL;
  g_autoptr (GError) error = NULL;

  prepare (&bus);
  pci_bus_run (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_true (bind_it (binding, DISK, FALSE, &error));
  g_assert_no_error (error);
  assert_driver (&bus, DISK, "vfio-pci");

  /* Also after a restart. */
  later = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_true (regiond_binding_give_back (later, DISK, &error));
  g_assert_no_error (error);
  assert_driver (&bus, DISK, "nvme");
}

static void
test_none_before (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) error = NULL;

  prepare (&bus);
  pci_bus_run (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_true (bind_it (binding, BARE, FALSE, &error));
  assert_driver (&bus, BARE, "vfio-pci");
  g_assert_true (regiond_binding_give_back (binding, BARE, &error));
  g_assert_no_error (error);
  assert_driver (&bus, BARE, "");
}

static void
test_by_hand (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) error = NULL, twice = NULL;

  prepare (&bus);
  g_hash_table_insert (bus.native, g_strdup (BARE), g_strdup ("nvme"));
  pci_bus_put (&bus, "sys/bus/pci/devices/" BARE "/driver_override", "vfio-pci\n");
  pci_bus_link (&bus, "sys/bus/pci/devices/" BARE "/driver", "sys/bus/pci/drivers/vfio-pci");
  pci_bus_run (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_false (bind_it (binding, BARE, FALSE, &twice));
  assert_error_says (twice, REGIOND_ERROR, REGIOND_ERROR_BUSY, BARE, "already", "GetDevice");
  g_assert_true (regiond_binding_give_back (binding, BARE, &error));
  g_assert_no_error (error);
  wait_until (has_driver (&bus, BARE, "nvme"));
}

static void
test_override (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) error = NULL;

  prepare (&bus);
  pci_bus_put (&bus, "sys/bus/pci/devices/" BARE "/driver_override", "pci-stub\n");
  pci_bus_link (&bus, "sys/bus/pci/devices/" BARE "/driver", "sys/bus/pci/drivers/pci-stub");
  pci_bus_run (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_true (bind_it (binding, BARE, FALSE, &error));
  assert_driver (&bus, BARE, "vfio-pci");
  g_assert_true (regiond_binding_give_back (binding, BARE, &error));
  g_assert_no_error (error);
  assert_driver (&bus, BARE, "pci-stub");
}

static void
test_group (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) error = NULL, alone = NULL, twice = NULL;

  prepare (&bus);
  pci_bus_run (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_false (bind_it (binding, CARD, FALSE, &alone));
  assert_error_says (alone, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED, CARD, SOUND, "snd", "'group'");
  assert_driver (&bus, CARD, "gpu");

  g_assert_true (bind_it (binding, CARD, TRUE, &error));
  g_assert_no_error (error);
  assert_driver (&bus, CARD, "vfio-pci");
  assert_driver (&bus, SOUND, "vfio-pci");
  assert_driver (&bus, BRIDGE, "pcieport");
  g_assert_false (bind_it (binding, SOUND, TRUE, &twice));
  assert_error_says (twice, REGIOND_ERROR, REGIOND_ERROR_BUSY, SOUND, "already");
}

static void
test_bridge_in_the_way (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) error = NULL;

  prepare (&bus);
  pci_bus_add_device (&bus, "0000:00:1d.0", "0x060400\n", "shpchp", 2);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_null (plan (binding, CARD, TRUE, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED, "echo 0000:00:1d.0 > ", "drivers/shpchp/unbind");
}

static void
test_all_or_nothing (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) error = NULL;

  prepare (&bus);
  bus.refuses = SOUND;
  pci_bus_run (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_false (bind_it (binding, CARD, TRUE, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, SOUND, "vfio-pci");
  assert_driver (&bus, CARD, "gpu");
  assert_driver (&bus, SOUND, "snd");
}

static void
test_refused (void)
{
  static const struct {
    const char *address;
    int         code;
    const char *word, *other;
  } cases[] = {
    { "0000:09:00.0", REGIOND_ERROR_NOT_FOUND, "0000:09:00.0", "lspci" },
    { BRIDGE, REGIOND_ERROR_NOT_SUPPORTED, BRIDGE, "bridge" },
    { LOOSE, REGIOND_ERROR_NOT_ISOLATED, LOOSE, "IOMMU" },
  };
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;

  prepare (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (plan (binding, cases[i].address, FALSE, &error));
      assert_error_says (error, REGIOND_ERROR, cases[i].code, cases[i].word, cases[i].other);
    }
}

/* The kernel has to consent as well. */
static void
test_without_an_iommu (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) lacks = NULL, off = NULL;
  g_auto (GStrv) loose = NULL;

  prepare (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, TRUE);
  g_assert_null (plan (binding, LOOSE, FALSE, &lacks));
  assert_error_says (lacks, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, LOOSE, "CONFIG_VFIO_NOIOMMU");
  pci_bus_put (&bus, MODE, "N\n");
  g_assert_null (plan (binding, LOOSE, FALSE, &off));
  assert_error_says (off, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, LOOSE, "echo 1 > /" MODE);
  pci_bus_put (&bus, MODE, "Y\n");
  loose = plan (binding, LOOSE, FALSE, NULL);
  g_assert_cmpstr (loose[0], ==, LOOSE);
}

static void
test_no_module (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) error = NULL;

  pci_bus_init (&bus);
  pci_bus_add_device (&bus, BARE, "0x050000\n", NULL, 3);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_null (plan (binding, BARE, FALSE, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "modprobe vfio-pci");
}

static void
test_in_use (void)
{
  g_auto (PciBus) bus;
  g_autoptr (RegiondBinding) binding = NULL;
  g_autoptr (GError) error = NULL, forced = NULL;
  const char *const addresses[] = { DISK, NULL };

  prepare (&bus);
  pci_bus_put (&bus, "sys/bus/pci/devices/" DISK "/nvme/nvme0/nvme0n1/dev", "259:0\n");
  pci_bus_link (&bus, "sys/dev/block/259:0", "sys/bus/pci/devices/" DISK "/nvme/nvme0/nvme0n1");
  pci_bus_put (&bus, "proc/self/mountinfo", "26 1 259:0 / /srv rw - ext4 /dev/nvme0n1 rw\n");
  pci_bus_run (&bus);
  binding = regiond_binding_new (bus.sysfs, bus.state, FALSE);
  g_assert_false (regiond_binding_bind (binding, addresses, FALSE, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_BUSY, DISK, "/srv", "'force'");
  assert_driver (&bus, DISK, "nvme");
  g_assert_true (regiond_binding_bind (binding, addresses, TRUE, &forced));
  assert_driver (&bus, DISK, "vfio-pci");
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/binding/the-former-driver-comes-back-also-after-a-restart", test_there_and_back);
  g_test_add_func ("/binding/what-had-no-driver-has-none-again", test_none_before);
  g_test_add_func ("/binding/what-was-bound-by-hand-goes-to-who-wants-it", test_by_hand);
  g_test_add_func ("/binding/an-override-is-put-back", test_override);
  g_test_add_func ("/binding/a-group-is-bound-without-its-bridge", test_group);
  g_test_add_func ("/binding/a-bridge-with-a-driver-in-the-way-is-named", test_bridge_in_the_way);
  g_test_add_func ("/binding/all-of-a-group-or-nothing", test_all_or_nothing);
  g_test_add_func ("/binding/what-cannot-be-lent-is-not-bound", test_refused);
  g_test_add_func ("/binding/without-an-iommu-the-kernel-has-to-consent", test_without_an_iommu);
  g_test_add_func ("/binding/without-the-module-it-says-how-to-load-it", test_no_module);
  g_test_add_func ("/binding/what-is-in-use-is-taken-by-force-only", test_in_use);
  return g_test_run ();
}
