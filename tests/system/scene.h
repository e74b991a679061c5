/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "world.h"

/* What happens where alice and bob are. */
typedef void (*SceneFunc) (World *world,
                           Person *alice,
                           Person *bob);

/* Adds a test: SCENE in a world of its own where RULES are in force, "" for none. */
void scene_add (const char *path,
                const char *rules,
                SceneFunc scene);
