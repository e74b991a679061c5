/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include "guest.h"

/* A disk takes its time under emulation. */
#define PATIENCE 60000

static gboolean
is_shown (gpointer data)
{
  Bench *bench = data;

  return world_has_object (bench->world, bench->path);
}

static World *
make_world (const char *daemon,
            const char *settings)
{
  World *world = world_new_without_service (daemon);

  service_configure_device ("pci.conf", settings);
  world->regiond = service_start (world->root);
  return world;
}

Bench *
bench_new_configured (const char *id,
                      const char *daemon,
                      const char *settings)
{
  Bench *bench = g_new0 (Bench, 1);

  bench->address = guest_find (id);
  bench->id = g_strdelimit (g_strdup (bench->address), ":.", '_');
  bench->path = g_strconcat (DEVICE_PREFIX, bench->id, NULL);
  guest_bind (bench->address);
  bench->world = settings ? make_world (daemon, settings) : world_new (daemon);
  world_set_rules (bench->world, RULES_ALLOW_ALL);
  wait_until (is_shown, bench, PATIENCE, "the device is on the bus");
  bench->alice = person_new ("alice", UID_ALICE);
  bench->bob = person_new ("bob", UID_BOB);
  return bench;
}

Bench *
bench_new (const char *id)
{
  return bench_new_configured (id, "", NULL);
}

void
bench_free (Bench *bench)
{
  g_clear_pointer (&bench->alice, person_free);
  g_clear_pointer (&bench->bob, person_free);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", PATIENCE);
  world_free (bench->world);
  guest_give_back (bench->address);
  g_free (bench->address);
  g_free (bench->id);
  g_free (bench->path);
  g_free (bench);
}

void
bench_revoke (Bench *bench,
              Opened *opened)
{
  g_variant_unref (world_call (bench->world, opened->path, LEASE_INTERFACE, "Revoke",
                               g_variant_new_parsed ("('test', @a{sv} {})")));
}
