/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "guest.h"

#define COMMAND 4
#define COMMAND_MEMORY 2

/* The proxied file of a region, in the test's own hands: closed by the caller. */
static int
open_region (Bench *bench,
             const char *region,
             const char *access)
{
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, region, access, "{}");
  int fd = person_give (bench->alice, opened->fd);

  world_expect_string (bench->world, opened->path, LEASE_INTERFACE, "Mechanism", "proxy");
  return fd;
}

static guint32
load (int fd,
      off_t offset)
{
  guint32 value = 0;

  g_assert_cmpint (pread (fd, &value, sizeof value, offset), ==, sizeof value);
  return value;
}

static void
store (int fd,
       off_t offset,
       guint32 value)
{
  g_assert_cmpint (pwrite (fd, &value, sizeof value, offset), ==, sizeof value);
}

/* edu answers accesses of four bytes to its registers, and no other ones. */
static void
test_registers_get_exact_widths (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_EDU);
  int fd = open_region (bench, "bar0", "rw");

  g_assert_cmphex (load (fd, 0), ==, 0x010000ed);
  store (fd, 4, 0x12345678);
  g_assert_cmphex (load (fd, 4), ==, ~0x12345678u);
  store (fd, 8, 5);
  while (load (fd, 0x20) & 1)
    ;
  g_assert_cmphex (load (fd, 8), ==, 120);
  close (fd);
}

/* One access of eight, which the registers from 0x80 on answer: in two halves the
 * second would be nothing. */
static void
test_eight_bytes_are_one_access (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_EDU);
  int fd = open_region (bench, "bar0", "rw");
  guint64 source = G_GUINT64_CONSTANT (0x4000001234), seen = 0;

  g_assert_cmpint (pwrite (fd, &source, sizeof source, 0x80), ==, sizeof source);
  g_assert_cmpint (pread (fd, &seen, sizeof seen, 0x80), ==, sizeof seen);
  g_assert_cmphex (seen, ==, source);
  close (fd);
}

/* pci-testdev tells the names of its tests, of which a byte selects one. */
static void
test_ports_are_reached (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_TESTDEV);
  int fd = open_region (bench, "bar1", "rw");
  char name[8] = "";
  guint8 test = 0;

  g_assert_cmpint (pwrite (fd, &test, 1, 0), ==, 1);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpint (pread (fd, &name[i], 1, 16 + i), ==, 1);
  g_assert_cmpstr (name, ==, "portio");
  g_free (person_open_fails (bench->bob, ERROR ("NotSupported"), bench->id, "bar1", "rwm", "{}"));
  close (fd);
}

static void
set_decoding (Bench *bench,
              gboolean on)
{
  g_autofree char *path = g_strdup_printf ("/sys/bus/pci/devices/%s/config", bench->address);
  int config = open (path, O_RDWR | O_CLOEXEC);
  guint16 command;

  g_assert_cmpint (pread (config, &command, sizeof command, COMMAND), ==, sizeof command);
  command = on ? command | COMMAND_MEMORY : command & ~COMMAND_MEMORY;
  g_assert_cmpint (pwrite (config, &command, sizeof command, COMMAND), ==, sizeof command);
  close (config);
}

static void
test_no_decoding_is_an_error (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  int fd = open_region (bench, "bar2", "rw");
  guint32 value = 1;

  store (fd, 0, G_MAXUINT32);
  g_assert_cmphex (load (fd, 0), ==, G_MAXUINT32);
  set_decoding (bench, FALSE);
  g_assert_cmpint (pwrite (fd, &value, sizeof value, 0), ==, -1);
  g_assert_cmpint (errno, ==, EIO);
  set_decoding (bench, TRUE);
  g_assert_cmphex (load (fd, 0), ==, G_MAXUINT32);
  close (fd);
}

/* BARs smaller than a page are there, and cannot be mapped. */
static void
test_small_bars_are_proxied_only (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  int fd = open_region (bench, "bar0", "rw");
  g_autofree char *why = NULL;

  /* IntrMask keeps what is written. */
  store (fd, 0, 0x5);
  g_assert_cmphex (load (fd, 0), ==, 0x5);
  store (fd, 0, 0);
  why = person_open_fails (bench->bob, ERROR ("NotSupported"), bench->id, "bar0", "rwm", "{}");
  g_assert_nonnull (strstr (why, "whole pages"));
  close (fd);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/aperture/registers-get-exact-widths", test_registers_get_exact_widths);
  g_test_add_func ("/aperture/eight-bytes-are-one-access", test_eight_bytes_are_one_access);
  g_test_add_func ("/aperture/ports-are-reached", test_ports_are_reached);
  g_test_add_func ("/aperture/no-decoding-is-an-error", test_no_decoding_is_an_error);
  g_test_add_func ("/aperture/small-bars-are-proxied-only", test_small_bars_are_proxied_only);
  return g_test_run ();
}
