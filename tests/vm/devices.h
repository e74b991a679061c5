/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../system/world.h"

/* "0000_00_10_0" of "0000:00:10.0": what person_open() takes, and the path. */
char *device_id (const char *address);
char *device_path (const char *address);

/* On the bus: waits until it is, is not; whether it is. */
void device_wait (World *world, const char *address);
void device_wait_gone (World *world, const char *address);
gboolean device_is_there (World *world, const char *address);

/* Whether Regions says that some BAR of it can be mapped, which none can while a claim is held
 * against what is left; and waits for it. */
gboolean device_is_mappable (World *world, const char *address);
void device_wait_mappable (World *world, const char *address);

/* BindDevice and UnbindDevice as root, with OPTIONS as GVariant text, which must succeed. */
void device_bind (World *world, const char *address, const char *options);
void device_unbind (World *world, const char *address, const char *options);

/* Must fail with NAME and a message that has all the words, NULL-terminated. */
void device_bind_fails (World *world, const char *name, const char *address, const char *options, ...)
    G_GNUC_NULL_TERMINATED;
void device_unbind_fails (World *world, const char *name, const char *address, const char *options, ...)
    G_GNUC_NULL_TERMINATED;

/* Reset as root. */
gboolean device_reset (World *world, const char *address, GError **error);

/* Waits until one succeeds. */
void device_mend (World *world, const char *address);

/* Takes the bridge above GUEST_SERIAL and GUEST_AUDIO from its hot-plug driver, with which
 * their group cannot be isolated, and which never takes it back. */
void device_free_bridge (void);
