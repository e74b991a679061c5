/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scene.h"

typedef struct
{
  const char *rules;
  SceneFunc scene;
} Act;

static void
play (gconstpointer data)
{
  const Act *act = data;
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);

  world_set_rules (world, act->rules);
  act->scene (world, alice, bob);
}

void
scene_add (const char *path,
           const char *rules,
           SceneFunc scene)
{
  Act *act = g_new (Act, 1);

  *act = (Act){ rules, scene };
  g_test_add_data_func_full (path, act, play, g_free);
}
