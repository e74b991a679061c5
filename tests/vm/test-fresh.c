/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

/*
 * Registers that keep what is written until a reset, and nobody else writes: of nvme which
 * interrupts are masked, of e1000e the VLAN ether type.
 */
#define NVME_INTMS "0xc"
#define NVME_SIZE "16384"
#define E1000E_VET "0x38"
#define E1000E_SIZE "131072"
#define MARK "0x3003"

#define SOON 30000

typedef struct
{
  const char *id;
  const char *methods;  /* what the kernel is told to do, or NULL: all it can */
  const char *told;     /* ResetMethods, once the device has been lent */
  const char *place;
  const char *size;
} Way;

static const Way by_function = { GUEST_NVME, NULL, "['flr', 'bus']", NVME_INTMS, NVME_SIZE };
static const Way by_bus = { GUEST_E1000E, NULL, "['bus']", E1000E_VET, E1000E_SIZE };
static const Way by_nothing_but_the_bus_as_a_whole = { GUEST_E1000E, "\n", "['hot']", E1000E_VET, E1000E_SIZE };
static const Way by_power = { GUEST_E1000E, "pm", "['pm']", E1000E_VET, E1000E_SIZE };

/* The device with those methods and no others. */
static Bench *
prepare (const Way *way)
{
  g_autofree char *address = guest_find (way->id);

  if (way->methods)
    guest_set_attribute (address, "reset_method", way->methods);
  return bench_new (way->id);
}

static void
finish (Bench *bench,
        const Way *way)
{
  g_autofree char *address = g_strdup (bench->address);

  bench_free (bench);
  if (way->methods)
    guest_set_attribute (address, "reset_method", "default");
}

static void
expect_methods (Bench *bench,
                const char *wanted)
{
  g_autoptr (GVariant) methods = world_get (bench->world, bench->path, DEVICE_INTERFACE, "ResetMethods");
  g_autofree char *text = g_variant_print (methods, FALSE);

  g_assert_cmpstr (text, ==, wanted);
}

static char *
map_bar (const Way *way,
         Person *person,
         Opened *opened)
{
  return person_do (person, "map-bar", opened->fd, "rw", way->size, NULL);
}

static char *
load (const Way *way,
      Person *person,
      const char *map)
{
  return person_do (person, "load", map, way->place, "4", NULL);
}

static void
mark (const Way *way,
      Person *person,
      const char *map)
{
  g_autofree char *seen = NULL;

  g_free (person_do (person, "store", map, way->place, MARK, NULL));
  seen = load (way, person, map);
  g_assert_cmpstr (seen, ==, MARK);
}

static void
let_go (const Way *way,
        Person *person,
        const char *map,
        Opened *opened)
{
  g_free (person_do (person, "unmap-bar", map, "0", way->size, NULL));
  person_let_go (person, NULL, opened->fd);
}

/* What Bob finds where Alice has left her mark. */
static char *
look_after_alice (Bench *bench,
                  const Way *way)
{
  g_autoptr (Opened) hers = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  g_autofree char *map = map_bar (way, bench->alice, hers);
  g_autoptr (Opened) his = NULL;
  g_autofree char *other = NULL;
  char *seen;

  expect_methods (bench, way->told);
  mark (way, bench->alice, map);
  let_go (way, bench->alice, map, hers);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
  his = person_open (bench->bob, bench->id, "bar0", "rwm", "{}");
  other = map_bar (way, bench->bob, his);
  seen = load (way, bench->bob, other);
  let_go (way, bench->bob, other, his);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
  return seen;
}

static void
reset (Bench *bench)
{
  g_free (person_call (bench->alice, bench->path, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"));
}

/* Her mapping stands it, and finds the device fresh. */
static void
reset_under_mapping (Bench *bench,
                     const Way *way)
{
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{'exclusive': <true>}");
  g_autofree char *map = map_bar (way, bench->alice, opened);
  g_autofree char *seen = NULL;

  mark (way, bench->alice, map);
  reset (bench);
  seen = load (way, bench->alice, map);
  g_assert_cmpstr (seen, !=, MARK);
  mark (way, bench->alice, map);
  world_expect_string (bench->world, opened->path, LEASE_INTERFACE, "State", "active");
  let_go (way, bench->alice, map, opened);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
}

static void
test_next_finds_nothing_and_mappings_stand (gconstpointer data)
{
  const Way *way = data;
  Bench *bench = prepare (way);
  g_autofree char *seen = look_after_alice (bench, way);

  g_assert_cmpstr (seen, !=, MARK);
  reset_under_mapping (bench, way);
  finish (bench, way);
}

/* The kernel would take her mapping away. */
static void
test_hot_reset_waits_for_mappings (void)
{
  const Way *way = &by_nothing_but_the_bus_as_a_whole;
  Bench *bench = prepare (way);
  g_autofree char *seen = look_after_alice (bench, way);
  g_autoptr (Opened) opened = person_open (bench->alice, bench->id, "bar0", "rwm", "{'exclusive': <true>}");
  g_autofree char *map = map_bar (way, bench->alice, opened);
  g_autofree char *kept = NULL;
  g_autofree char *why = NULL;

  g_assert_cmpstr (seen, !=, MARK);
  mark (way, bench->alice, map);
  why = person_call_fails (bench->alice, ERROR ("Busy"), bench->path, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)");
  g_assert_nonnull (strstr (why, "by its bus"));
  kept = load (way, bench->alice, map);
  g_assert_cmpstr (kept, ==, MARK);
  let_go (way, bench->alice, map, opened);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
  reset (bench);
  finish (bench, way);
}

/* It is the only way, and is said to be none. */
static void
test_a_reset_that_does_not_clean_is_named (void)
{
  Bench *bench = prepare (&by_power);
  g_autofree char *seen = look_after_alice (bench, &by_power);

  g_assert_cmpstr (seen, ==, MARK);
  service_wait_log (bench->address, "reset by pm alone", NULL);
  finish (bench, &by_power);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_data_func ("/fresh/by-function-next-finds-nothing-and-mappings-stand", &by_function,
                        test_next_finds_nothing_and_mappings_stand);
  g_test_add_data_func ("/fresh/by-bus-next-finds-nothing-and-mappings-stand", &by_bus,
                        test_next_finds_nothing_and_mappings_stand);
  g_test_add_func ("/fresh/hot-reset-waits-for-mappings", test_hot_reset_waits_for_mappings);
  g_test_add_func ("/fresh/reset-that-does-not-clean-is-named", test_a_reset_that_does_not_clean_is_named);
  return g_test_run ();
}
