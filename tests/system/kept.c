/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kept.h"

void
kept_set_up (Kept *kept,
             const char *device,
             const char *rules)
{
  kept->world = world_new ("");
  world_set_rules (kept->world, rules);
  kept->bob = person_new ("bob", UID_BOB);
  kept->stay = stay_begin (kept->bob, device, "bar2", "rwm", "{}");
}

void
kept_tear_down (Kept *kept)
{
  stay_free (kept->stay);
  person_free (kept->bob);
  world_free (kept->world);
}

static gboolean
is_alone (gpointer world)
{
  return world_count_leases (world) == 1;
}

void
kept_wait_alone (Kept *kept)
{
  wait_until (is_alone, kept->world, 5000, "bob's lease being the last");
}
