/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "world.h"

/*
 * What OpenRegion takes somebody while others send a flood, and in turn with
 * that the same of the peer (peer.c), in which regiond has no part. In ms, on an
 * average; where none was done before the flood was sent, what the one under
 * way had taken by then.
 */
typedef struct
{
  double open;
  double peer;
  guint sent;         /* calls of the flood */
  guint milliseconds; /* in which the bus took them */
} Burst;

/* FLOODS: of Flood, which have begun to send. */
void burst_measure (Burst *burst,
                    Person *bob,
                    const char *device,
                    const char *region,
                    GPtrArray *floods);

void burst_tell (const Burst *burst);

/* OpenRegion and Open, once: in ms. */
double burst_open (Person *bob,
                   const char *device,
                   const char *region);
double burst_open_peer (Person *bob);

/* The peer's Echo, which asks nobody. */
double burst_echo (Person *bob);
