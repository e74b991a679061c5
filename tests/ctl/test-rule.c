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

/* A card is that card, in that place; its driver and its group may be others tomorrow. */
static void
test_card (void)
{
  const CtlRuleSubject subject = { "alice", NULL };
  g_autoptr (GVariant) details = parse (
    "{'device': '0000:00:10.0', 'backend': 'vfio', 'description': 'Card', 'address': '0000:00:10.0', 'vendor': '0x1af4',"
    " 'model': '0x1110', 'class': '0x050000', 'driver': 'vfio-pci', 'iommu_group': '7', 'region': 'bar2',"
    " 'region_kind': 'mmio', 'access': 'r', 'offset': '16', 'length': '4', 'exclusive': 'true', 'mechanism': 'proxy',"
    " 'revocation': 'immediate', 'label': 'mine', 'proof': ''}");
  g_autofree char *rule = ctl_rule_make ("org.regiond1.read-region", details, &subject);

  g_assert_cmpstr (rule, ==,
                   "polkit.addRule(function (action, subject) {\n"
                   "    if (action.id == \"org.regiond1.read-region\" &&\n"
                   "        action.lookup(\"device\") == \"0000:00:10.0\" &&\n"
                   "        action.lookup(\"backend\") == \"vfio\" &&\n"
                   "        action.lookup(\"address\") == \"0000:00:10.0\" &&\n"
                   "        action.lookup(\"vendor\") == \"0x1af4\" &&\n"
                   "        action.lookup(\"model\") == \"0x1110\" &&\n"
                   "        action.lookup(\"region\") == \"bar2\" &&\n"
                   "        action.lookup(\"region_kind\") == \"mmio\" &&\n"
                   "        action.lookup(\"access\") == \"r\" &&\n"
                   "        action.lookup(\"offset\") == \"16\" &&\n"
                   "        action.lookup(\"length\") == \"4\" &&\n"
                   "        action.lookup(\"exclusive\") == \"true\" &&\n"
                   "        action.lookup(\"mechanism\") == \"proxy\" &&\n"
                   "        action.lookup(\"revocation\") == \"immediate\" &&\n"
                   "        action.lookup(\"proof\") == \"\" &&\n"
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
  g_test_add_func ("/rule/for-a-card", test_card);
  g_test_add_func ("/rule/for-a-group", test_group);
  g_test_add_func ("/rule/quoting", test_quoting);
  return g_test_run ();
}
