/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "world.h"

/*
 * What OpenRegion takes somebody while others send a flood, and at the same time
 * the same of the peer (peer.c), in which regiond has no part: appended to OPENS and
 * PEERS, doubles, in ms. What is answered after the flood is sent counts only
 * where nothing was before. FLOODS: of Flood, which have begun to send.
 */
void burst_measure (Person *bob,
                    const char *device,
                    const char *region,
                    GPtrArray *floods,
                    GArray *opens,
                    GArray *peers);

/* OpenRegion and Open, once: in ms. */
double burst_open (Person *bob,
                   const char *device,
                   const char *region);
double burst_open_peer (Person *bob);

/* The peer's Echo, which asks nobody. */
double burst_echo (Person *bob);
