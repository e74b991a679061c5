/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real device's regions, passed on and attached to: BARs and ROMs, mapped and proxied. */
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

#define MARK "0x6e697073"
#define SIZE "4194304"
#define SOON 20000

/* Alice opens; bob is given it and attaches. */
typedef struct
{
  Bench *bench;
  Opened *hers;
  char *shown;
  Opened *his;
} Share;

static void
share_init (Share *share,
            const char *device,
            const char *region,
            const char *access)
{
  share->bench = bench_new (device);
  share->hers = person_open (share->bench->alice, share->bench->id, region, access, "{}");
  share->shown = person_pass (share->bench->alice, share->hers->fd, share->bench->bob);
  share->his = person_attach (share->bench->bob, share->shown, "{}");
}

static void
share_clear (Share *share)
{
  opened_free (share->hers);
  opened_free (share->his);
  g_free (share->shown);
  bench_free (share->bench);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Share, share_clear)

static void
expect_his (Share *share,
            const char *property,
            const char *value)
{
  world_expect_string (share->bench->world, share->his->path, LEASE_INTERFACE, property, value);
}

/* She goes, with all that stems from hers; what is his stays, and the device is not reset. */
static void
let_her_go (Share *share)
{
  person_let_go (share->bench->bob, NULL, share->shown);
  person_kill (share->bench->alice);
  world_wait_gone (share->bench->world, share->hers->path, SOON);
  world_expect_string (share->bench->world, share->bench->path, DEVICE_INTERFACE, "State", "leased");
  expect_his (share, "State", "active");
}

static void
test_a_mapped_bar_outlives_its_first_owner (void)
{
  g_auto (Share) share = { 0 };
  g_autofree char *map = NULL, *seen = NULL;

  share_init (&share, GUEST_IVSHMEM, "bar2", "rwm");
  expect_his (&share, "Mechanism", "bar");
  expect_his (&share, "Access", "rwm");
  map = person_do (share.bench->bob, "map-bar", share.his->fd, "rw", SIZE, NULL);
  g_free (person_do (share.bench->bob, "store", map, "0", MARK, NULL));
  let_her_go (&share);
  seen = person_do (share.bench->bob, "load", map, "0", "4", NULL);
  g_assert_cmpstr (seen, ==, MARK);
}

static void
test_revoking_one_mapping_takes_it_from_the_other (void)
{
  g_auto (Share) share = { 0 };
  g_autofree char *hers = NULL, *his = NULL;

  share_init (&share, GUEST_IVSHMEM, "bar2", "rwm");
  hers = person_do (share.bench->alice, "map-bar", share.hers->fd, "rw", SIZE, NULL);
  his = person_do (share.bench->bob, "map-bar", share.his->fd, "rw", SIZE, NULL);
  bench_revoke (share.bench, share.hers);
  person_wait_signal (share.bench->bob, share.his->path, "Ended ('superseded',)");
  g_free (person_fail (share.bench->alice, "SIGBUS", "load", hers, "0", "4", NULL));
  g_free (person_fail (share.bench->bob, "SIGBUS", "load", his, "0", "4", NULL));
  g_free (person_finish_failure (share.bench->bob, person_send_attach (share.bench->bob, share.shown, "{}"),
                                 ERROR ("NotFound")));
}

/* The kernel tells one description of the BAR's file from another. */
static void
test_the_bars_file_opened_by_its_path_proves_nothing (void)
{
  g_auto (Share) share = { 0 };
  g_autofree char *path = NULL, *number = NULL;
  int fd;

  share_init (&share, GUEST_IVSHMEM, "bar2", "rm");
  path = g_strdup_printf ("/sys/bus/pci/devices/%s/resource2", share.bench->address);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  number = person_do_with_fd (share.bench->bob, fd, "take", NULL);
  close (fd);
  g_free (person_finish_failure (share.bench->bob, person_send_attach (share.bench->bob, number, "{}"),
                                 ERROR ("NotFound")));
  person_let_go (share.bench->bob, NULL, number);

  /* Nor does what is read-only show more than that. */
  expect_his (&share, "Access", "rm");
  g_free (person_finish_failure (share.bench->bob,
                                 person_send_attach (share.bench->bob, share.shown, "{'access': <'rwm'>}"),
                                 ERROR ("NotSupported")));
}

static void
test_a_proxied_bar_is_only_its_own (void)
{
  g_auto (Share) share = { 0 };
  g_autofree char *text = NULL;

  share_init (&share, GUEST_IVSHMEM, "bar2", "rw");
  expect_his (&share, "Mechanism", "proxy");
  g_free (person_do (share.bench->bob, "pwrite", share.his->fd, "0", "kept", NULL));
  bench_revoke (share.bench, share.hers);
  g_free (person_fail (share.bench->bob, "ENOTCONN", "pread", share.shown, "0", NULL));
  text = person_do (share.bench->bob, "pread", share.his->fd, "0", NULL);
  /* Others may have written more behind it. */
  g_assert_true (g_str_has_prefix (text, "kept"));
}

static void
test_a_rom_is_shared_too (void)
{
  g_auto (Share) share = { 0 };

  share_init (&share, GUEST_E1000E, "rom", "rm");
  expect_his (&share, "Mechanism", "snapshot");
  g_assert_true (person_shares (share.bench->alice, share.hers->fd, share.bench->bob, share.his->fd));
  let_her_go (&share);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/attach/mapped-bar-outlives-its-first-owner", test_a_mapped_bar_outlives_its_first_owner);
  g_test_add_func ("/attach/revoking-one-mapping-takes-it-from-the-other",
                   test_revoking_one_mapping_takes_it_from_the_other);
  g_test_add_func ("/attach/bars-file-opened-by-its-path-proves-nothing",
                   test_the_bars_file_opened_by_its_path_proves_nothing);
  g_test_add_func ("/attach/proxied-bar-is-only-its-own", test_a_proxied_bar_is_only_its_own);
  g_test_add_func ("/attach/rom-is-shared-too", test_a_rom_is_shared_too);
  return g_test_run ();
}
