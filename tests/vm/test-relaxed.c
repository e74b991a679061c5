/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel that takes no mapping of a BAR from anybody, as one without
 * CONFIG_IO_STRICT_DEVMEM: run with --append iomem=relaxed.
 */
#include <string.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

#define SIZE "4194304"
#define MARK "0x6e697073"
#define SOON 20000

/* For all of them: ivshmem, and edu, of which more is demanded. */
static Bench *bench;
static char *edu;

static void
set_up (void)
{
  bench = bench_new_configured (GUEST_IVSHMEM, "", "[Device]\nBackend=vfio\nMatch=" GUEST_EDU
                                                   "\nMinimumRevocation=immediate\n");
  edu = guest_find (GUEST_EDU);
  device_bind (bench->world, edu, "{}");
}

static void
clear_up (void)
{
  device_unbind (bench->world, edu, "{}");
  g_free (edu);
  bench_free (bench);
}

static void
expect_region (const char *path,
               const char *name,
               const char *key,
               const char *value)
{
  g_autoptr (GVariant) regions = world_get (bench->world, path, DEVICE_INTERFACE, "Regions");
  g_autoptr (GVariant) region = g_variant_lookup_value (regions, name, G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) found = g_variant_lookup_value (region, key, NULL);
  g_autofree char *text = g_variant_print (found, FALSE);

  g_assert_cmpstr (text, ==, value);
}

/* Lent to nobody, and what was lent is gone. */
static void
wait_parked (void)
{
  world_wait_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
}

static void
test_no_more_is_promised (void)
{
  g_autoptr (Opened) mapped = NULL;
  g_autoptr (Opened) proxied = NULL;

  expect_region (bench->path, "bar2", "revocation", "'on-close'");
  expect_region (bench->path, "bar2", "mechanisms", "['bar', 'proxy']");
  expect_region (bench->path, "bar0", "revocation", "'immediate'");
  mapped = person_open (bench->alice, bench->id, "bar2", "rwm", "{'revocation': <'on-close'>}");
  proxied = person_open (bench->alice, bench->id, "bar2", "rw", "{'revocation': <'immediate'>}");
  world_expect_string (bench->world, mapped->path, LEASE_INTERFACE, "Revocation", "on-close");
  world_expect_string (bench->world, proxied->path, LEASE_INTERFACE, "Revocation", "immediate");
  person_let_go (bench->alice, NULL, mapped->fd);
  person_let_go (bench->alice, NULL, proxied->fd);
  wait_parked ();
}

static void
test_who_demands_more_is_refused (void)
{
  g_autofree char *id = device_id (edu);
  g_autofree char *path = device_path (edu);
  g_autofree char *asked = person_open_fails (bench->alice, ERROR ("NotSupported"), bench->id, "bar2", "rwm",
                                              "{'revocation': <'immediate'>}");
  g_autofree char *configured = person_open_fails (bench->alice, ERROR ("NotSupported"), id, "bar0", "rwm", "{}");
  g_autofree char *question = g_strdup_printf ("(objectpath '%s', 'bar0', 'rwm', @a{sv} {})", path);
  g_autofree char *explained = person_call (bench->alice, MANAGER_PATH, MANAGER_INTERFACE, "Explain", question);
  g_autoptr (Opened) proxied = person_open (bench->alice, id, "bar0", "rw", "{}");

  g_test_message ("%s", asked);
  g_test_message ("%s", configured);
  g_assert_nonnull (strstr (asked, "'on-close'"));
  g_assert_nonnull (strstr (configured, "'on-close'"));
  g_assert_nonnull (strstr (configured, "MinimumRevocation=immediate"));
  g_assert_nonnull (strstr (explained, "MinimumRevocation=immediate"));
  expect_region (path, "bar0", "mechanisms", "['proxy']");
  expect_region (path, "bar0", "revocation", "'immediate'");
  person_let_go (bench->alice, NULL, proxied->fd);
  world_wait_string (bench->world, path, DEVICE_INTERFACE, "State", "parked", SOON);
}

static void
expect_works (Person *person,
              const char *map)
{
  g_autofree char *seen = NULL;

  g_free (person_do (person, "store", map, "0", MARK, NULL));
  seen = person_do (person, "load", map, "0", "4", NULL);
  g_assert_cmpstr (seen, ==, MARK);
}

/* It says that it could not be done. */
static void
revoke_in_vain (Opened *opened)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (bench->world->root, "org.regiond1", opened->path,
                                                            LEASE_INTERFACE, "Revoke",
                                                            g_variant_new_parsed ("('test', @a{sv} {})"), NULL,
                                                            G_DBUS_CALL_FLAGS_NONE, SOON, NULL, &error);
  g_autofree char *name = error ? g_dbus_error_get_remote_error (error) : NULL;

  g_assert_cmpstr (name, ==, ERROR ("Lingering"));
  g_assert_nonnull (strstr (error->message, "could not be cut"));
}

/* Nobody gets anything of the device: whoever was revoked goes on. */
static void
expect_kept_back (void)
{
  const char *const regions[] = { "bar2", "bar2", "bar0", "config" };
  const char *const access[] = { "rwm", "r", "rw", "r" };

  for (guint i = 0; i < G_N_ELEMENTS (regions); i++)
    {
      g_autofree char *why = person_open_fails (bench->bob, ERROR ("Lingering"), bench->id, regions[i], access[i], "{}");

      g_assert_nonnull (strstr (why, "cannot be cut"));
    }
}

static void
expect_lent_again (void)
{
  g_autoptr (Opened) opened = NULL;
  g_autofree char *map = NULL;

  wait_parked ();
  opened = person_open (bench->bob, bench->id, "bar2", "rwm", "{}");
  map = person_do (bench->bob, "map-bar", opened->fd, "rw", SIZE, NULL);
  expect_works (bench->bob, map);
  g_free (person_do (bench->bob, "unmap-bar", map, "0", SIZE, NULL));
  person_let_go (bench->bob, NULL, opened->fd);
  wait_parked ();
}

/* She does, in one way or the other, when she likes. */
static void
let_go_by_closing (Person *person,
                   const char *map,
                   Opened *opened)
{
  g_free (person_do (person, "unmap-bar", map, "0", SIZE, NULL));
  expect_kept_back ();
  person_let_go (person, NULL, opened->fd);
}

static void
let_go_by_dying (Person *person,
                 const char *map,
                 Opened *opened)
{
  person_kill (person);
}

static void
check_revoked (void (*let_go) (Person *person,
                               const char *map,
                               Opened *opened))
{
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) opened = person_open (carol, bench->id, "bar2", "rwm", "{}");
  g_autofree char *map = person_do (carol, "map-bar", opened->fd, "rw", SIZE, NULL);

  revoke_in_vain (opened);
  person_wait_signal (carol, opened->path, "Ended ('revoked',)");
  world_wait_string (bench->world, opened->path, LEASE_INTERFACE, "State", "lingering", SOON);
  world_expect_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "draining");
  g_assert_cmpuint (world_get_uint (bench->world, bench->path, DEVICE_INTERFACE, "Lingering"), ==, 1);
  expect_works (carol, map);
  expect_kept_back ();
  let_go (carol, map, opened);
  expect_lent_again ();
}

static void
test_what_was_revoked_is_kept_back_until_it_is_closed (void)
{
  check_revoked (let_go_by_closing);
}

static void
test_what_was_revoked_is_kept_back_until_death (void)
{
  check_revoked (let_go_by_dying);
}

/* They are told that what they have is somebody else's as well. */
static void
test_who_maps_the_same_is_told (void)
{
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) hers = person_open (carol, bench->id, "bar2", "rwm", "{}");
  g_autoptr (Opened) his = person_open (bench->bob, bench->id, "bar2", "rwm", "{}");
  g_autofree char *map = person_do (carol, "map-bar", hers->fd, "rw", SIZE, NULL);

  revoke_in_vain (hers);
  person_wait_signal (bench->bob, his->path, "Ended ('superseded',)");
  person_let_go (bench->bob, NULL, his->fd);
  expect_works (carol, map);
  person_kill (carol);
  expect_lent_again ();
}

int
main (int argc,
      char **argv)
{
  int failed;

  guest_init (&argc, &argv);
  guest_needs_told ("iomem=relaxed");
  set_up ();
  g_test_add_func ("/relaxed/no-more-is-promised", test_no_more_is_promised);
  g_test_add_func ("/relaxed/who-demands-more-is-refused", test_who_demands_more_is_refused);
  g_test_add_func ("/relaxed/what-was-revoked-is-kept-back-until-it-is-closed",
                   test_what_was_revoked_is_kept_back_until_it_is_closed);
  g_test_add_func ("/relaxed/what-was-revoked-is-kept-back-until-death", test_what_was_revoked_is_kept_back_until_death);
  g_test_add_func ("/relaxed/who-maps-the-same-is-told", test_who_maps_the_same_is_told);
  failed = g_test_run ();
  clear_up ();
  return failed;
}
