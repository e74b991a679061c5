/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rule.h"

#include <json-glib/json-glib.h>

/* In the order of docs/polkit.md. With address, vendor and model another card in
 * the same slot is another device. */
static const char *const compared[] = {
  "device", "backend", "address", "vendor", "model", "region", "region_kind", "access", "offset", "length",
  "exclusive", "mechanism", "revocation", "proof",
};

/* A JSON string is one of JavaScript's. */
static char *
quote (const char *text)
{
  g_autoptr (JsonNode) node = json_node_init_string (json_node_alloc (), text);

  return json_to_string (node, FALSE);
}

static void
append_details (GString  *rule,
                GVariant *details)
{
  for (gsize i = 0; i < G_N_ELEMENTS (compared); i++)
    {
      const char *value;
      g_autofree char *quoted = NULL;

      if (!g_variant_lookup (details, compared[i], "&s", &value))
        continue;
      quoted = quote (value);
      g_string_append_printf (rule, "        action.lookup(\"%s\") == %s &&\n", compared[i], quoted);
    }
}

char *
ctl_rule_make (const char           *action,
               GVariant             *details,
               const CtlRuleSubject *subject)
{
  g_autofree char *id = quote (action);
  g_autofree char *who = quote (subject->group == NULL ? subject->user : subject->group);
  GString *rule = g_string_new ("polkit.addRule(function (action, subject) {\n");

  g_string_append_printf (rule, "    if (action.id == %s &&\n", id);
  append_details (rule, details);
  g_string_append_printf (rule, subject->group == NULL ? "        subject.user == %s)\n" : "        subject.isInGroup(%s))\n", who);
  g_string_append (rule, "        return polkit.Result.YES;\n});\n");
  return g_string_free (rule, FALSE);
}
