/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <stdio.h>

JsonNode *
ctl_json_from_object (const CtlObject *object)
{
  JsonNode *node = json_gvariant_serialize (object->properties);

  json_object_set_string_member (json_node_get_object (node), "Path", object->path);
  return node;
}

JsonNode *
ctl_json_from_objects (GPtrArray *objects)
{
  JsonArray *array = json_array_new ();
  JsonNode *node = json_node_new (JSON_NODE_ARRAY);

  for (guint i = 0; i < objects->len; i++)
    json_array_add_element (array, ctl_json_from_object (g_ptr_array_index (objects, i)));

  json_node_take_array (node, array);
  return node;
}

void
ctl_json_print (JsonNode *node)
{
  g_autofree char *text = json_to_string (node, TRUE);

  printf ("%s\n", text);
  json_node_unref (node);
}
