/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

/* The legacy VGA window, by the addresses that it has since ever: text, and a register of a byte. */
#define VGA_SIZE 0xc0000
#define VGA_TEXT 0xb8000
#define VGA_TEXT_PLACE "753664"
#define VGA_MISC_OUTPUT 0x3cc
#define VGA_NOTHING 0x100

/* Where a ROM is in config space; bit 0: it is decoded. */
#define ROM_ADDRESS 0x30

#define SOON 20000

static GVariant *
get_region (Bench *bench,
            const char *name)
{
  g_autoptr (GVariant) regions = world_get (bench->world, bench->path, DEVICE_INTERFACE, "Regions");

  return g_variant_lookup_value (regions, name, G_VARIANT_TYPE_VARDICT);
}

static void
expect_entry (GVariant *region,
              const char *key,
              const char *value)
{
  g_autoptr (GVariant) found = g_variant_lookup_value (region, key, NULL);
  g_autofree char *text = found ? g_variant_print (found, FALSE) : NULL;

  g_assert_cmpstr (text, ==, value);
}

/* Only VFIO knows of it, and it is not asked before somebody wants the device. */
static void
learn_regions (Bench *bench)
{
  g_autoptr (Opened) opened = person_open (bench->bob, bench->id, "config", "r", "{}");

  person_let_go (bench->bob, NULL, opened->fd);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
}

static void
expect_vga (Bench *bench)
{
  g_autoptr (GVariant) region = get_region (bench, "vga");

  g_assert_nonnull (region);
  expect_entry (region, "kind", "'vga'");
  expect_entry (region, "size", "786432");
  expect_entry (region, "access", "'rw'");
  expect_entry (region, "mechanisms", "['proxy']");
  expect_entry (region, "revocation", "'immediate'");
}

/* What the processor finds at that address. */
static void
read_memory (off_t address,
             char *bytes,
             gsize size)
{
  int fd = open ("/dev/mem", O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (pread (fd, bytes, size, address), ==, size);
  close (fd);
}

static void
check_window (int fd)
{
  const char text[] = "l e n t . . ";
  char seen[sizeof text] = "";
  guint8 output = 0;

  g_assert_cmpint (pwrite (fd, text, strlen (text), VGA_TEXT), ==, strlen (text));
  g_assert_cmpint (pread (fd, seen, strlen (text), VGA_TEXT), ==, strlen (text));
  g_assert_cmpstr (seen, ==, text);
  read_memory (VGA_TEXT, seen, strlen (text));
  g_assert_cmpstr (seen, ==, text);

  /* That colours are at 0x3d4 and not at 0x3b4, which firmware and kernel want. */
  g_assert_cmpint (pread (fd, &output, 1, VGA_MISC_OUTPUT), ==, 1);
  g_assert_cmphex (output & 1, ==, 1);

  /* What is between the two is not the window's, and behind it is nothing. */
  g_assert_cmpint (pread (fd, &output, 1, VGA_NOTHING), ==, -1);
  g_assert_cmpint (errno, ==, EINVAL);
  g_assert_cmpint (pread (fd, &output, 1, VGA_SIZE), ==, 0);
}

static gboolean
is_offered (gpointer data)
{
  g_autoptr (GVariant) region = get_region (data, "vga");
  const char *access = NULL;

  g_assert_true (g_variant_lookup (region, "access", "&s", &access));
  return g_str_equal (access, "rw");
}

static gboolean
is_not_offered (gpointer data)
{
  return !is_offered (data);
}

/* VFIO's fd is what it goes through, and takes mappings away: one or the other. */
static void
check_beside_mappings (Bench *bench)
{
  g_autoptr (Opened) window = person_open (bench->alice, bench->id, "vga", "r", "{}");
  g_autoptr (Opened) beside = NULL;
  g_autoptr (Opened) bar = NULL;
  g_autofree char *why = person_open_fails (bench->alice, ERROR ("Busy"), bench->id, "bar0", "rwm", "{}");
  g_autofree char *other = NULL;
  g_autofree char *map = NULL;

  g_assert_nonnull (strstr (why, "by way of VFIO"));
  person_let_go (bench->alice, NULL, window->fd);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);

  /* Also when nothing else changes: somebody has the device all the time. */
  beside = person_open (bench->bob, bench->id, "config", "r", "{}");
  wait_until (is_offered, bench, SOON, "it is offered");
  bar = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  map = person_map (bench->alice, bar->fd, "rw");
  other = person_open_fails (bench->alice, ERROR ("Busy"), bench->id, "vga", "r", "{}");
  g_assert_nonnull (strstr (other, "mapped"));
  wait_until (is_not_offered, bench, SOON, "what is Busy is not offered");
  person_let_go (bench->alice, map, bar->fd);
  wait_until (is_offered, bench, SOON, "it is offered again");
  person_let_go (bench->bob, NULL, beside->fd);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
}

static void
test_the_vga_window_is_proxied (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_VGA);
  g_autoptr (Opened) opened = NULL;
  int fd;

  learn_regions (bench);
  expect_vga (bench);
  opened = person_open (bench->alice, bench->id, "vga", "rw", "{}");
  world_expect_string (bench->world, opened->path, LEASE_INTERFACE, "Mechanism", "proxy");
  fd = person_give (bench->alice, opened->fd);
  check_window (fd);

  g_free (person_open_fails (bench->alice, ERROR ("NotSupported"), bench->id, "vga", "rwm", "{}"));
  bench_revoke (bench, opened);
  person_wait_signal (bench->alice, opened->path, "Ended ('revoked',)");
  g_free (person_fail (bench->alice, "ENOTCONN", "pread", opened->fd, VGA_TEXT_PLACE, NULL));
  close (fd);
  check_beside_mappings (bench);
}

/* As the kernel gives it to root, without regiond: from a device that decodes its memory, for
 * its driver if it has one. */
static GBytes *
read_rom (const char *id)
{
  g_autofree char *address = guest_find (id);
  g_autofree char *path = g_strdup_printf ("/sys/bus/pci/devices/%s/rom", address);
  g_autofree char *driver = guest_driver (address);
  g_autoptr (GError) error = NULL;
  char *bytes;
  gsize size;

  if (!driver)
    guest_set_attribute (address, "enable", "1");
  guest_set_attribute (address, "rom", "1");
  g_file_get_contents (path, &bytes, &size, &error);
  g_assert_no_error (error);
  guest_set_attribute (address, "rom", "0");
  if (!driver)
    guest_set_attribute (address, "enable", "0");
  return g_bytes_new_take (bytes, size);
}

static void
expect_rom (Person *person,
            Opened *opened,
            GBytes *rom)
{
  gsize size = g_bytes_get_size (rom);
  g_autofree guint8 *bytes = g_malloc0 (size);
  int fd = person_give (person, opened->fd);

  g_assert_cmpint (pread (fd, bytes, size, 0), ==, size);
  g_assert_cmpmem (bytes, size, g_bytes_get_data (rom, NULL), size);
  close (fd);
}

static void
expect_rom_not_decoded (Bench *bench)
{
  g_autofree char *path = g_strdup_printf ("/sys/bus/pci/devices/%s/config", bench->address);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  guint32 address = 1;

  g_assert_cmpint (pread (fd, &address, sizeof address, ROM_ADDRESS), ==, sizeof address);
  g_assert_cmphex (address & 1, ==, 0);
  close (fd);
}

static void
check_rom (const char *id)
{
  g_autoptr (GBytes) rom = read_rom (id);
  g_autoptr (Bench) bench = bench_new (id);
  g_autoptr (Opened) bar = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  g_autoptr (Opened) mapped = person_open (bench->alice, bench->id, "rom", "rm", "{}");
  g_autoptr (Opened) proxied = person_open (bench->bob, bench->id, "rom", "r", "{}");
  g_autofree char *map = person_map (bench->alice, mapped->fd, "r");

  g_test_message ("%" G_GSIZE_FORMAT " bytes", g_bytes_get_size (rom));
  expect_rom_not_decoded (bench);
  expect_rom (bench->alice, mapped, rom);
  expect_rom (bench->bob, proxied, rom);
  world_expect_string (bench->world, mapped->path, LEASE_INTERFACE, "Mechanism", "snapshot");
  world_expect_string (bench->world, mapped->path, LEASE_INTERFACE, "Revocation", "detached");
  world_expect_string (bench->world, proxied->path, LEASE_INTERFACE, "Mechanism", "proxy");
  world_expect_string (bench->world, proxied->path, LEASE_INTERFACE, "Revocation", "immediate");

  g_free (person_fail (bench->alice, "EACCES", "map", mapped->fd, "rw", NULL));
  g_free (person_fail (bench->alice, "EACCES", "protect", map, NULL));
  g_free (person_fail (bench->alice, "EBADF", "pwrite", mapped->fd, "0", "w", NULL));
  g_free (person_open_fails (bench->alice, ERROR ("NotSupported"), bench->id, "rom", "rw", "{}"));
  g_free (person_open_fails (bench->alice, ERROR ("NotSupported"), bench->id, "rom", "rwm", "{}"));
}

static void
test_a_rom_is_a_copy_of_what_the_device_has (void)
{
  check_rom (GUEST_E1000E);
}

/* The kernel gives the copy that firmware has made. */
static void
test_a_rom_in_the_shadow_is_one_too (void)
{
  check_rom (GUEST_VGA);
}

static char *
look_for_zeros (Bench *bench)
{
  g_autoptr (Opened) opened = person_open (bench->bob, bench->id, "bar2", "rm", "{}");
  g_autofree char *map = person_map (bench->bob, opened->fd, "r");
  char *zeros = person_do (bench->bob, "zeros", map, NULL);

  person_let_go (bench->bob, map, opened->fd);
  return zeros;
}

/* While Alice has it Bob sees what she has written, and nothing of it when she has gone. */
static void
test_what_cannot_be_reset_is_zeroed_if_it_is_to_be (void)
{
  g_autoptr (Bench) bench = bench_new_configured (GUEST_IVSHMEM, "", "[Device]\nBackend=vfio\nMatch=" GUEST_IVSHMEM
                                                                     "\nZeroRegions=bar2\n");
  g_autoptr (GVariant) methods = world_get (bench->world, bench->path, DEVICE_INTERFACE, "ResetMethods");
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar2", "rwm", "{}");
  g_autofree char *map = person_map (bench->alice, opened->fd, "rw");
  g_autofree char *during = NULL;
  g_autofree char *after = NULL;

  g_assert_cmpuint (g_variant_n_children (methods), ==, 0);
  g_free (person_do (bench->alice, "fill", map, NULL));
  during = look_for_zeros (bench);
  g_assert_cmpstr (during, ==, "no");
  person_kill (bench->alice);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
  after = look_for_zeros (bench);
  g_assert_cmpstr (after, ==, "yes");
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/regions/vga-window-is-proxied", test_the_vga_window_is_proxied);
  g_test_add_func ("/regions/rom-is-a-copy-of-what-the-device-has", test_a_rom_is_a_copy_of_what_the_device_has);
  g_test_add_func ("/regions/rom-in-the-shadow-is-one-too", test_a_rom_in_the_shadow_is_one_too);
  g_test_add_func ("/regions/what-cannot-be-reset-is-zeroed-if-it-is-to-be",
                   test_what_cannot_be_reset_is_zeroed_if_it_is_to_be);
  return g_test_run ();
}
