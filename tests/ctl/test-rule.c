/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "rule.h"

static GVariant *
parse (const char *text)
{
  GVariant *details = g_variant_parse (G_VARIANT_TYPE ("a{ss}"), text, NULL, NULL, NULL);

  g_assert_nonnull (details);
  return details;
}

static void
test_user (void)
{
  const CtlRuleSubject subject = { "alice", NULL };
  g_autoptr (GVariant) details = parse ("{'region': 'bar2', 'device': 'shm0', 'label': 'mine', 'driver': 'vfio-pci'}");
  g_autofree char *rule = ctl_rule_make ("org.regiond1.read-region", details, &subject);

  g_assert_cmpstr (rule, ==,
                   "polkit.addRule(function (action, subject) {\n"
                   "    if (action.id == \"org.regiond1.read-region\" &&\n"
                   "        action.lookup(\"device\") == \"shm0\" &&\n"
                   "        action.lookup(\"region\") == \"bar2\" &&\n"
                   "        subject.user == \"alice\")\n"
                   "        return polkit.Result.YES;\n"
                   "});\n");
}

static void
test_group (void)
{
  const CtlRuleSubject subject = { "alice", "domain users" };
  g_autoptr (GVariant) details = parse ("{'proof': ''}");
  g_autofree char *rule = ctl_rule_make ("org.regiond1.read-region", details, &subject);

  g_assert_nonnull (strstr (rule, "action.lookup(\"proof\") == \"\" &&\n"));
  g_assert_nonnull (strstr (rule, "subject.isInGroup(\"domain users\"))\n"));
  g_assert_null (strstr (rule, "alice"));
}

/* Nothing of a name is JavaScript. */
static void
test_quoting (void)
{
  const CtlRuleSubject subject = { "DOMAIN\\alice", NULL };
  g_autoptr (GVariant) details = parse ("{'device': 'a\" || true || \"'}");
  g_autofree char *rule = ctl_rule_make ("org.regiond1.read-region", details, &subject);

  g_assert_nonnull (strstr (rule, "\"a\\\" || true || \\\"\""));
  g_assert_nonnull (strstr (rule, "\"DOMAIN\\\\alice\""));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rule/for-a-user", test_user);
  g_test_add_func ("/rule/for-a-group", test_group);
  g_test_add_func ("/rule/quoting", test_quoting);
  return g_test_run ();
}
