/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../system/world.h"

/*
 * A device on vfio-pci, a regiond that lends it to everybody, and two people.
 * When it is freed the device has to be parked soon.
 */
typedef struct
{
  World *world;
  char *address;
  char *id;   /* what person_open() takes */
  char *path;
  Person *alice;
  Person *bob;
} Bench;

/* ID: one of guest.h. */
Bench *bench_new (const char *id);
/* With DAEMON in regiond.conf, and SETTINGS (or NULL) as a file of devices.d. */
Bench *bench_new_configured (const char *id,
                             const char *daemon,
                             const char *settings);
void bench_free (Bench *bench);

/* As root, at once. */
void bench_revoke (Bench *bench,
                   Opened *opened);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bench, bench_free)
