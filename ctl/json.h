/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "objects.h"

/* The properties of @object under the names that they have on the bus, and its
 * "Path". */
JsonNode *ctl_json_from_object (const CtlObject *object);

/* An array of them. */
JsonNode *ctl_json_from_objects (GPtrArray *objects);

/* Writes @node to the standard output, indented, and frees it. */
void ctl_json_print (JsonNode *node);
