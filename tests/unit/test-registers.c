/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/registers.h"
#include "space.h"

#include <linux/pci_regs.h>
#include <string.h>

/* Which bits of a register of two bytes a lease may change, each tried alone. */
static guint
probe (const Space *space,
       gboolean     exclusive,
       guint        offset)
{
  g_autoptr (RegiondRegisters) registers = regiond_registers_new (space->bytes, space->size);
  guint allowed = 0;

  for (guint bit = 0; bit < 16; bit++)
    {
      Space changed = *space;

      space_put16 (&changed, offset, space_get16 (space, offset) ^ 1 << bit);
      if (regiond_registers_permit (registers, exclusive, offset, 2, space->bytes + offset, changed.bytes + offset))
        allowed |= 1 << bit;
    }

  return allowed;
}

static void
check (const Space *space,
       guint        offset,
       guint        shared,
       guint        exclusive)
{
  guint found = probe (space, FALSE, offset);

  if (found != shared)
    g_error ("At 0x%x a shared lease may change 0x%04x, and not 0x%04x", offset, found, shared);
  found = probe (space, TRUE, offset);
  if (found != exclusive)
    g_error ("At 0x%x an exclusive lease may change 0x%04x, and not 0x%04x", offset, found, exclusive);
}

static void
check_none (const Space *space,
            guint        from,
            guint        to)
{
  for (guint at = from; at < to; at += 2)
    check (space, at, 0, 0);
}

static gboolean
permits (const Space *space,
         gboolean     exclusive,
         guint        offset,
         gsize        width,
         const Space *wanted)
{
  g_autoptr (RegiondRegisters) registers = regiond_registers_new (space->bytes, space->size);

  return regiond_registers_permit (registers, exclusive, offset, width, space->bytes + offset,
                                   wanted->bytes + offset);
}

/* Of flags that are cleared by a 1, those that are set are changed by one, and
 * toggling writes a 0 there: so both states are tried. */
static void
test_header (void)
{
  Space space;

  space_init_ivshmem (&space);
  check (&space, PCI_VENDOR_ID, 0, 0);
  check (&space, PCI_COMMAND, 0, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
  space_put16 (&space, PCI_STATUS, 0);
  check (&space, PCI_STATUS, 0xf900, 0xf900);
  check (&space, PCI_CLASS_REVISION, 0, 0);
  check (&space, PCI_CACHE_LINE_SIZE, 0xffff, 0xffff);
  check (&space, PCI_HEADER_TYPE, 0, PCI_BIST_START << 8);
  check_none (&space, PCI_BASE_ADDRESS_0, PCI_STD_HEADER_SIZEOF);
}

static void
test_bus_mastering (void)
{
  Space space, wanted;

  space_init_nvme (&space);
  wanted = space;
  space_put16 (&wanted, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE | PCI_COMMAND_MASTER);
  for (guint exclusive = 0; exclusive < 2; exclusive++)
    {
      g_assert_false (permits (&space, exclusive, PCI_COMMAND, 1, &wanted));
      g_assert_false (permits (&space, exclusive, PCI_COMMAND, 2, &wanted));
      g_assert_false (permits (&space, exclusive, PCI_COMMAND, 4, &wanted));
      g_assert_false (permits (&space, exclusive, 0, 64, &wanted));
      g_assert_true (permits (&space, exclusive, PCI_COMMAND + 1, 1, &wanted));
    }
}

static void
test_capabilities (void)
{
  Space space;

  space_init_nvme (&space);
  check (&space, 0x40, 0, 0);
  check (&space, 0x42, 0, 0);
  check (&space, 0x40 + PCI_PM_CTRL, 0, 0x9e03);
  check (&space, 0x46, 0, 0);
  check (&space, 0x50 + PCI_MSI_FLAGS, 0, 0x0471);
  for (guint at = 0x54; at < 0x64; at += 2)
    check (&space, at, 0, 0xffff);
  check_none (&space, 0x50 + PCI_MSI_PENDING_64, 0x50 + PCI_MSI_PENDING_64 + 4);
  check (&space, 0x70 + PCI_VPD_ADDR, 0, 0x7fff);
  check_none (&space, 0x70 + PCI_VPD_DATA, 0x70 + PCI_VPD_DATA + 4);
  check (&space, 0xc0 + PCI_MSIX_FLAGS, 0, 0xc000);
  check_none (&space, 0xc0 + PCI_MSIX_TABLE, 0xcc);
  check_none (&space, 0xd0, 0xd8);
  check (&space, 0xe0, 0, 0);
  check (&space, 0xe2, 0, 0xff00);
  check (&space, 0xe4, 0, 0xffff);
}

/* What comes back from D3hot would not know where its BARs are. */
static void
test_forgetful (void)
{
  Space space;

  space_init_nvme (&space);
  space_put16 (&space, 0x40 + PCI_PM_CTRL, 0);
  check (&space, 0x40 + PCI_PM_CTRL, 0, 0x9e00);
}

static void
test_express (void)
{
  Space space;

  space_init_nvme (&space);
  check_none (&space, 0x80, 0x80 + PCI_EXP_DEVSTA);
  space_put16 (&space, 0x80 + PCI_EXP_DEVSTA, 0);
  check (&space, 0x80 + PCI_EXP_DEVSTA, 0x000f, 0x000f);
  check_none (&space, 0x80 + PCI_EXP_LNKCAP, 0xbc);
}

static void
test_extended (void)
{
  Space space;

  space_init_nvme (&space);
  check_none (&space, 0x100, 0x188);
  check (&space, 0x188, 0, 0xffff);
  check (&space, 0x19e, 0, 0xffff);
  check_none (&space, 0x1a0, 0x1000);
}

/* 32 bits, without masks: the registers end sooner. */
static void
test_short_msi (void)
{
  Space space;

  space_init (&space, 256);
  space_add (&space, 0x50, PCI_CAP_ID_MSI);
  check (&space, 0x50 + PCI_MSI_ADDRESS_LO, 0, 0xffff);
  check (&space, 0x50 + PCI_MSI_DATA_32, 0, 0xffff);
  space_add (&space, 0x5c, PCI_CAP_ID_EA);
  check_none (&space, 0x5c, 0x100);
}

static void
test_own_registers (void)
{
  Space space;

  space_init_ivshmem (&space);
  check (&space, 0x40, 0, 0xffff);
  check (&space, 0xfe, 0, 0xffff);
}

/* Through it the BARs could be reached. */
static void
test_virtio_window (void)
{
  Space space;

  space_init_ivshmem (&space);
  space_add (&space, 0x40, PCI_CAP_ID_VNDR);
  space_put8 (&space, 0x42, 20);
  space_put8 (&space, 0x43, 5);
  check_none (&space, 0x40, 0x54);
  check (&space, 0x54, 0, 0xffff);
  space_put8 (&space, 0x43, 2);
  check (&space, 0x44, 0, 0xffff);
}

static void
test_read_modify_write (void)
{
  Space space, wanted;

  space_init_nvme (&space);
  wanted = space;
  space_put16 (&wanted, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
  g_assert_true (permits (&space, TRUE, PCI_COMMAND, 4, &wanted));
  g_assert_false (permits (&space, FALSE, PCI_COMMAND, 4, &wanted));
  wanted = space;
  space_put8 (&wanted, PCI_CACHE_LINE_SIZE, 16);
  g_assert_true (permits (&space, FALSE, PCI_CACHE_LINE_SIZE, 4, &wanted));
  wanted = space;
  space_put32 (&wanted, 0x80 + PCI_EXP_DEVCTL,
               space_get32 (&space, 0x80 + PCI_EXP_DEVCTL) | PCI_EXP_DEVSTA_URD << 16);
  g_assert_true (permits (&space, FALSE, 0x80 + PCI_EXP_DEVCTL, 4, &wanted));
  space_put32 (&wanted, 0x80 + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
  g_assert_false (permits (&space, TRUE, 0x80 + PCI_EXP_DEVCTL, 4, &wanted));
}

static void
test_whole_or_nothing (void)
{
  Space space, wanted;

  space_init_nvme (&space);
  wanted = space;
  space_put32 (&wanted, 0xe4, 1);
  space_put32 (&wanted, 0xd4, 1); /* AF's reset */
  g_assert_true (permits (&space, TRUE, 0xe4, 4, &wanted));
  g_assert_false (permits (&space, TRUE, 0xd4, 0x14, &wanted));
}

/* What acts is changed by a 1, though it reads as 1 already. */
static void
test_acts (void)
{
  Space space;

  space_init_nvme (&space);
  space_put16 (&space, 0x72, PCI_VPD_ADDR_F | 4);
  g_assert_false (permits (&space, TRUE, 0x72, 2, &space));
  space_put16 (&space, 0x44, PCI_PM_CTRL_PME_STATUS | PCI_PM_CTRL_NO_SOFT_RESET);
  g_assert_true (permits (&space, TRUE, 0x44, 2, &space));
  g_assert_false (permits (&space, FALSE, 0x44, 2, &space));
}

static void
test_bounds (void)
{
  Space space;
  g_autoptr (RegiondRegisters) registers = NULL;

  space_init_ivshmem (&space);
  registers = regiond_registers_new (space.bytes, space.size);
  g_assert_true (regiond_registers_permit (registers, TRUE, 0xff, 1, space.bytes, space.bytes));
  g_assert_false (regiond_registers_permit (registers, TRUE, 0xff, 2, space.bytes, space.bytes));
  g_assert_false (regiond_registers_permit (registers, TRUE, 0x100, 1, space.bytes, space.bytes));
  g_assert_false (regiond_registers_permit (registers, TRUE, G_MAXUINT64, 2, space.bytes, space.bytes));
  g_assert_false (regiond_registers_permit (registers, TRUE, 4, G_MAXSIZE - 1, space.bytes, space.bytes));
}

/* A list that leads in a circle, into the header, or to what is not there: what
 * belongs to nobody may be a capability that was not found. */
static void
test_bad_lists (void)
{
  const guint bad[] = { 0x40, 0x50, 0x20, 0xf0 };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      Space space;

      space_init (&space, 256);
      space_put8 (&space, 0xf0, 0xff);
      space_add (&space, 0x40, PCI_CAP_ID_MSIX);
      space_add (&space, 0x50, PCI_CAP_ID_PM);
      space_put8 (&space, 0x51, bad[i]);
      check (&space, 0x54, 0, 0x9e00);
      check_none (&space, 0x58, 0x100);
      space_put8 (&space, 0x51, 0);
      check (&space, 0x60, 0, 0xffff);
    }
}

static void
test_bad_extended_lists (void)
{
  Space space;

  space_init_nvme (&space);
  space_put32 (&space, 0x1a0, PCI_EXT_CAP_ID_DSN | 0x100u << 20);
  check_none (&space, 0x1a0, 0x1000);
  space_put32 (&space, 0x1a0, PCI_EXT_CAP_ID_DSN | 0x80u << 20);
  check_none (&space, 0x1a0, 0x1000);

  space_init (&space, 4096);
  check (&space, 0x100, 0, 0xffff);
  space_put32 (&space, 0x100, G_MAXUINT32);
  check_none (&space, 0x100, 0x1000);
}

/* What two capabilities claim is nobody's. */
static void
test_overlaps (void)
{
  Space space;

  space_init (&space, 4096);
  space_add (&space, 0x40, PCI_CAP_ID_EXP);
  space_put16 (&space, 0x42, 2);
  space_add (&space, 0x44, PCI_CAP_ID_VNDR);
  space_put8 (&space, 0x46, 0xff);
  space_add_extended (&space, 0x100, PCI_EXT_CAP_ID_SRIOV);
  space_add_extended (&space, 0x110, PCI_EXT_CAP_ID_VNDR);
  space_put32 (&space, 0x114, 0xfffu << 20);
  check_none (&space, 0x40, 0x7c);
  check (&space, 0x7c, 0, 0xffff);
  check_none (&space, 0x100, 0x140);
  check (&space, 0x140, 0, 0xffff);
}

static void
test_bridges (void)
{
  Space space;

  space_init_nvme (&space);
  space_put8 (&space, PCI_HEADER_TYPE, 0x80 | PCI_HEADER_TYPE_NORMAL);
  check (&space, PCI_CACHE_LINE_SIZE, 0xffff, 0xffff);
  space_put8 (&space, PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE);
  check_none (&space, 0, 4096);
  memset (space.bytes, 0xff, sizeof space.bytes);
  check_none (&space, 0, 4096);
}

static void
test_found (void)
{
  g_autoptr (RegiondRegisters) registers = NULL;
  Space space;

  space_init_nvme (&space);
  registers = regiond_registers_new (space.bytes, space.size);
  g_assert_cmpuint (regiond_registers_find (registers, PCI_CAP_ID_PM), ==, 0x40);
  g_assert_cmpuint (regiond_registers_find (registers, PCI_CAP_ID_MSIX), ==, 0xc0);
  g_assert_cmpuint (regiond_registers_find (registers, PCI_CAP_ID_EA), ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/registers/the-header-is-the-system's", test_header);
  g_test_add_func ("/registers/nobody-switches-bus-mastering-on", test_bus_mastering);
  g_test_add_func ("/registers/power-and-interrupts-are-for-who-is-alone", test_capabilities);
  g_test_add_func ("/registers/who-forgets-in-his-sleep-is-kept-awake", test_forgetful);
  g_test_add_func ("/registers/of-pci-express-only-flags-are-cleared", test_express);
  g_test_add_func ("/registers/isolation-cannot-be-undone", test_extended);
  g_test_add_func ("/registers/short-msi-ends-sooner", test_short_msi);
  g_test_add_func ("/registers/a-device's-own-are-for-who-is-alone", test_own_registers);
  g_test_add_func ("/registers/no-way-to-bars-through-virtio", test_virtio_window);
  g_test_add_func ("/registers/read-modify-write-works", test_read_modify_write);
  g_test_add_func ("/registers/a-write-is-whole-or-nothing", test_whole_or_nothing);
  g_test_add_func ("/registers/what-acts-is-not-written-back", test_acts);
  g_test_add_func ("/registers/nothing-beyond-the-end", test_bounds);
  g_test_add_func ("/registers/bad-lists-allow-less", test_bad_lists);
  g_test_add_func ("/registers/bad-extended-lists-allow-less", test_bad_extended_lists);
  g_test_add_func ("/registers/what-two-claim-is-nobody's", test_overlaps);
  g_test_add_func ("/registers/bridges-are-not-written-to", test_bridges);
  g_test_add_func ("/registers/capabilities-are-found", test_found);
  return g_test_run ();
}
