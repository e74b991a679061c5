/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where nobody, not even root, may look into another process it cannot be known whether
 * a mapping has escaped: run with --append sysctl.kernel.yama.ptrace_scope=3.
 */
#include <string.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

#define SIZE "4194304"
#define MARK "0x6e697073"
#define SOON 20000

static guint16
read_command (Bench *bench)
{
  g_autofree char *path = g_strdup_printf ("/sys/bus/pci/devices/%s/config", bench->address);
  g_autofree char *config = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (path, &config, &size, NULL));
  return (guint8) config[4];
}

/* The device is switched off until her mapping is gone, and comes back by itself. */
static void
test_a_revoked_mapping_reaches_nothing (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Opened) hers = person_open (bench->alice, bench->id, "bar2", "rwm", "{}");
  g_autoptr (Opened) his = person_open (bench->bob, bench->id, "config", "r", "{}");
  g_autoptr (Opened) again = NULL;
  g_autofree char *map = person_do (bench->alice, "map-bar", hers->fd, "rw", SIZE, NULL);
  g_autofree char *other = NULL;
  g_autofree char *mapped = NULL;
  g_autofree char *proxied = NULL;
  g_autofree char *seen = NULL;

  g_free (person_do (bench->alice, "store", map, "0", MARK, NULL));
  bench_revoke (bench, hers);
  person_wait_signal (bench->alice, hers->path, "Ended ('revoked',)");
  g_free (person_fail (bench->alice, "SIGBUS", "load", map, "0", "4", NULL));
  service_wait_log (bench->address, "memory decoding stays off", NULL);
  g_assert_cmphex (read_command (bench) & 2, ==, 0);

  mapped = person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, "bar2", "rwm", "{}");
  proxied = person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, "bar2", "r", "{}");
  g_assert_nonnull (strstr (proxied, "switched off"));
  g_assert_false (device_is_mappable (bench->world, bench->address));
  g_free (person_do (bench->bob, "pcount", his->fd, "0", "4", NULL));

  person_kill (bench->alice);
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  again = person_open (bench->bob, bench->id, "bar2", "rwm", "{}");
  other = person_do (bench->bob, "map-bar", again->fd, "rw", SIZE, NULL);
  seen = person_do (bench->bob, "load", other, "0", "4", NULL);
  g_assert_cmpstr (seen, ==, MARK);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  guest_needs_told ("sysctl.kernel.yama.ptrace_scope=3");
  g_test_add_func ("/ptrace/revoked-mapping-reaches-nothing", test_a_revoked_mapping_reaches_nothing);
  return g_test_run ();
}
