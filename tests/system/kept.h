/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stay.h"
#include "world.h"

/* A world in which bob keeps the memory of a device's region bar2, so that what others
 * do to it shows. */
typedef struct
{
  World *world;
  Person *bob;
  Stay *stay;
} Kept;

void kept_set_up (Kept *kept,
                  const char *device,
                  const char *rules);
void kept_tear_down (Kept *kept);

/* Waits until nobody else has a lease. */
void kept_wait_alone (Kept *kept);
