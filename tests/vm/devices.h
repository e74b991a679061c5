/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../system/world.h"

/* "0000_00_10_0" of "0000:00:10.0": what person_open() takes, and the path. */
char *device_id (const char *address);
char *device_path (const char *address);

/* Waits until it is on the bus. */
void device_wait (World *world, const char *address);

/* BindDevice and UnbindDevice as root, with OPTIONS as GVariant text, which must succeed. */
void device_bind (World *world, const char *address, const char *options);
void device_unbind (World *world, const char *address, const char *options);

/* Must fail with NAME and a message that has all the words, NULL-terminated. */
void device_bind_fails (World *world, const char *name, const char *address, const char *options, ...)
    G_GNUC_NULL_TERMINATED;
