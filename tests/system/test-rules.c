/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "command.h"
#include "scene.h"
#include "tool.h"
#include "vocabulary.h"

/* Every rule that is installed to be copied, as it is, in the real polkitd; and what regionctl explain says. */

#define RULES_FOLDER "usr/share/doc/regiond/examples/polkit"

/* After the installed ones: what no rule denies is allowed. For those that deny. */
#define LATER SANDBOX_RULES "/95-later.rules"

/* A question, the person that the rule lets in, and one that it does not (or NULL). */
typedef struct
{
  const char *action;
  const char *details; /* a{ss} as GVariant text */
  const char *in;
  const char *out;
} Case;

#define MOST_CASES 4

static const struct
{
  const char *file;
  gboolean denies; /* what it says no to is allowed by a later rule */
  Case cases[MOST_CASES];
} rules[] = {
  { "30-regiond-nobody-writes-config.rules", TRUE,
    { { ACTION_WRITE, "{'region_kind': 'config'}", NULL, "alice" },
      { ACTION_READ, "{'region_kind': 'config'}", "alice", NULL },
      { ACTION_WRITE, "{'region_kind': 'mmio'}", "alice", NULL } } },
  { "30-regiond-never-config.rules", TRUE,
    { { ACTION_READ, "{'region_kind': 'config'}", NULL, "alice" },
      { ACTION_WRITE, "{'region_kind': 'vga'}", NULL, "alice" },
      { ACTION_READ, "{'region_kind': 'mmio'}", "alice", NULL } } },
  { "40-regiond-write-only-if-revocable.rules", TRUE,
    { { ACTION_WRITE, "{'revocation': 'on-close'}", NULL, "alice" },
      { ACTION_READ, "{'revocation': 'on-close'}", "alice", NULL },
      { ACTION_WRITE, "{'revocation': 'immediate'}", "alice", NULL } } },
  { "50-regiond-group-reads.rules", FALSE,
    { { ACTION_READ, "{'region_kind': 'memory'}", "alice", "witness" },
      { ACTION_READ, "{'region_kind': 'config'}", NULL, "alice" },
      { ACTION_WRITE, "{'region_kind': 'memory'}", NULL, "alice" } } },
  { "50-regiond-user-develops.rules", FALSE,
    { { ACTION_READ, "{'vendor': '0x1af4', 'model': '0x1110', 'region_kind': 'config'}", "alice", "bob" },
      { ACTION_WRITE, "{'vendor': '0x1af4', 'model': '0x1110', 'region_kind': 'mmio'}", "alice", "bob" },
      { ACTION_WRITE, "{'vendor': '0x1af4', 'model': '0x1110', 'region_kind': 'config'}", NULL, "alice" },
      { ACTION_READ, "{'vendor': '0x1af4', 'model': '0x1111', 'region_kind': 'mmio'}", NULL, "alice" } } },
  { "50-regiond-user-one-region.rules", FALSE,
    { { ACTION_WRITE, "{'device': 'shm0', 'region': 'bar2'}", "alice", "bob" },
      { ACTION_READ, "{'device': 'shm0', 'region': 'control'}", NULL, "alice" } } },
  { "50-regiond-one-region-read-only.rules", FALSE,
    { { ACTION_READ, "{'device': 'shm0', 'region': 'bar2'}", "alice", "witness" },
      { ACTION_WRITE, "{'device': 'shm0', 'region': 'bar2'}", NULL, "alice" },
      { ACTION_READ, "{'device': 'big', 'region': 'bar2'}", NULL, "alice" } } },
  { "50-regiond-first-bytes.rules", FALSE,
    { { ACTION_WRITE, "{'device': 'shm0', 'region': 'control', 'offset': '60', 'length': '4'}", "bob", "alice" },
      { ACTION_WRITE, "{'device': 'shm0', 'region': 'control', 'offset': '8', 'length': '100'}", NULL, "bob" } } },
  { "50-regiond-only-immediate.rules", FALSE,
    { { ACTION_WRITE, "{'revocation': 'immediate', 'region_kind': 'memory'}", "alice", "witness" },
      { ACTION_READ, "{'revocation': 'detached', 'region_kind': 'memory'}", NULL, "alice" },
      { ACTION_READ, "{'revocation': 'immediate', 'region_kind': 'config'}", NULL, "alice" } } },
  { "50-regiond-only-exclusive.rules", FALSE,
    { { ACTION_WRITE, "{'device': 'shm0', 'exclusive': 'true'}", "alice", "bob" },
      { ACTION_WRITE, "{'device': 'shm0', 'exclusive': 'false'}", NULL, "alice" } } },
  { "50-regiond-iommu-group.rules", FALSE,
    { { ACTION_WRITE, "{'iommu_group': '7', 'region_kind': 'mmio'}", "alice", "bob" },
      { ACTION_READ, "{'iommu_group': '70', 'region_kind': 'mmio'}", NULL, "alice" },
      { ACTION_READ, "{'iommu_group': '7', 'region_kind': 'config'}", NULL, "alice" } } },
  { "50-regiond-container-agent.rules", FALSE,
    { { "org.regiond1.delegate", "{'target_unit': 'libpod-1234.scope'}", "alice", "bob" },
      { "org.regiond1.delegate", "{'target_unit': 'sshd.service'}", NULL, "alice" },
      { ACTION_READ, "{'device': 'shm0', 'region': 'bar2', 'target_unit': 'libpod-1234.scope'}", "bob", NULL },
      { ACTION_READ, "{'device': 'shm0', 'region': 'bar2', 'target_unit': ''}", "alice", "bob" } } },
  { "60-regiond-operators.rules", FALSE,
    { { ACTION_REVOKE, "{'device': 'shm0'}", "bob", "alice" },
      { ACTION_RESET, "{'device': 'shm0'}", NULL, "bob" } } },
  { "90-regiond-no-prompts.rules", TRUE,
    { { ACTION_READ, "{'device': 'shm0'}", NULL, "alice" },
      { "org.freedesktop.policykit.exec", "{'program': '/bin/true'}", "alice", NULL } } },
};

static gboolean
is_let_in (World *world,
           Person *person,
           const char *action,
           GVariant *details)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = NULL;
  gboolean authorized;
  GVariant *question = g_variant_new_parsed ("(('system-bus-name', {'name': <%s>}), %s, %@a{ss}, @u 0, '')",
                                             person->name, action, details);

  answer = g_dbus_connection_call_sync (world->root, "org.freedesktop.PolicyKit1",
                                        "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
                                        "CheckAuthorization", question, NULL, 0, 5000, NULL, &error);
  g_assert_no_error (error);
  g_variant_get (answer, "((bb@a{ss}))", &authorized, NULL, NULL);
  return authorized;
}

static Person *
find_person (GPtrArray *people,
             const char *user)
{
  static const char *const users[] = { "alice", "bob", "witness", NULL };

  for (guint i = 0; users[i]; i++)
    if (g_str_equal (users[i], user))
      return people->pdata[i];
  g_assert_not_reached ();
}

static void
expect (World *world,
        GPtrArray *people,
        const char *file,
        const Case *wanted,
        const char *user,
        gboolean let_in)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) details = g_variant_parse (G_VARIANT_TYPE ("a{ss}"), wanted->details, NULL, NULL, &error);

  g_assert_no_error (error);
  if (user && is_let_in (world, find_person (people, user), wanted->action, details) != let_in)
    g_error ("%s: %s is %s with %s and %s", file, user, let_in ? "not let in" : "let in", wanted->action,
             wanted->details);
}

/* In force when this returns. */
static void
copy_rule (World *world,
           const char *file,
           gboolean denies)
{
  g_autofree char *from = g_build_filename (RULES_FOLDER, file, NULL);
  g_autofree char *path = sandbox_installed (from);
  g_autofree char *to = g_build_filename (SANDBOX_RULES, file, NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  sandbox_write (LATER, denies ? "polkit.addRule(function(action, subject) { return polkit.Result.YES; });" : "");
  sandbox_write (to, text);
  /* polkitd may have listed the folder before and read the probe's file after that. */
  world_set_rules (world, "");
  world_set_rules (world, "");
}

static void
remove_rule (const char *file)
{
  g_autofree char *path = g_build_filename (SANDBOX_RULES, file, NULL);

  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
person_unref (gpointer person)
{
  person_free (person);
}

static void
test_each_rule (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (GPtrArray) people = g_ptr_array_new_with_free_func (person_unref);

  g_ptr_array_add (people, person_new ("alice", UID_ALICE));
  g_ptr_array_add (people, person_new ("bob", UID_BOB));
  g_ptr_array_add (people, person_new ("witness", UID_WITNESS));
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    {
      copy_rule (world, rules[i].file, rules[i].denies);
      for (guint n = 0; n < MOST_CASES && rules[i].cases[n].action; n++)
        {
          expect (world, people, rules[i].file, &rules[i].cases[n], rules[i].cases[n].in, TRUE);
          expect (world, people, rules[i].file, &rules[i].cases[n], rules[i].cases[n].out, FALSE);
        }
      remove_rule (rules[i].file);
    }
  g_assert_cmpint (g_unlink (LATER), ==, 0);
}

/* None is installed that is not tried above. */
static void
test_no_rule_is_left_out (void)
{
  g_autofree char *folder = sandbox_installed (RULES_FOLDER);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n = 0;

  g_assert_nonnull (dir);
  for (; (name = g_dir_read_name (dir)); n++)
    {
      gboolean known = FALSE;

      for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
        known = known || g_str_equal (rules[i].file, name);
      if (!known)
        g_error ("%s is not tried", name);
    }
  g_assert_cmpuint (n, ==, G_N_ELEMENTS (rules));
}

/* What polkit is asked with when bar2 of shm0 is opened: a{ss}. */
static GVariant *
explain_details (World *world,
                 const char *access)
{
  g_autoptr (GVariant) answer = world_call (world, MANAGER_PATH, MANAGER_INTERFACE, "Explain",
                                            g_variant_new_parsed ("(%o, 'bar2', %s, @a{sv} {})", SHM0, access));
  g_autoptr (GVariant) explanation = g_variant_get_child_value (answer, 0);

  return g_variant_lookup_value (explanation, "details", G_VARIANT_TYPE ("a{ss}"));
}

/* Whatever polkit is asked with stands in both pages. PCI devices have more: the guest's tests of the policy. */
static void
test_every_detail_is_in_the_vocabulary (World *world,
                                        Person *alice,
                                        Person *bob)
{
  static const char *const told[] = {
    "device", "backend", "description", "region", "region_kind", "access", "offset", "length", "exclusive",
    "mechanism", "revocation", "label", "proof", "target_pid", "target_uid", "target_unit", NULL,
  };
  g_autofree char *pidfd = person_take_pidfd (alice, bob->process->pid);
  g_autoptr (Opened) opened =
    person_finish_open (alice, person_send_open (alice, "shm0", "bar2", "rwm", "{'bind-to': <handle 0>}", pidfd));

  g_free (person_call (bob, opened->path, LEASE_INTERFACE, "Revoke", "('', @a{sv} {})"));
  g_free (person_call (bob, SHM0, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"));
  g_free (person_call (bob, MANAGER_PATH, MANAGER_INTERFACE, "AddMemoryDevice",
                       "('new', [('a', uint64 4096)], @a{sv} {})"));
  vocabulary_expect (told);
}

static void
test_explain_tells (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Result) no = NULL, yes = NULL, json = NULL, wrong = NULL;

  no = tool_run (NULL, "explain", "shm0:bar2:rwm", NULL);
  result_assert (no, 1);
  g_assert_nonnull (strstr (no->out, "challenge (a password would do)"));
  g_assert_nonnull (strstr (no->out, ACTION_WRITE));
  g_assert_nonnull (strstr (no->out, "region_kind = memory"));
  world_set_rules (world, RULES_ALLOW_ALL);
  yes = tool_run (NULL, "explain", "shm0:bar2:r", NULL);
  result_assert (yes, 0);
  g_assert_nonnull (strstr (yes->out, "Revocation: immediate"));
  json = tool_run (NULL, "explain", "shm0:bar2:r", "--json", NULL);
  result_assert (json, 0);
  g_assert_nonnull (strstr (json->out, "\"result\" : \"yes\""));
  g_assert_nonnull (strstr (json->out, "\"mechanism\" : \"proxy\""));
  wrong = tool_run (NULL, "explain", "shm0:bar2", NULL);
  result_assert (wrong, 2);
}

/* An administrator asks about somebody else; others may not. */
static void
test_explain_of_others (World *world,
                        Person *alice,
                        Person *bob)
{
  g_autoptr (Result) refused = NULL, told = NULL, rule = NULL;

  refused = tool_run (NULL, "explain", "shm0:bar2:rm", "--client", bob->name, "--no-ask-password", NULL);
  result_assert (refused, 1);
  g_assert_nonnull (strstr (refused->err, ACTION_MANAGE));
  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (subject.user == 'alice' && action.id == '" ACTION_MANAGE "') return polkit.Result.YES;"
                          "  if (subject.user == 'bob' && action.id == '" ACTION_READ "') return polkit.Result.YES; });");
  told = tool_run (NULL, "explain", "shm0:bar2:rm", "--client", bob->name, NULL);
  result_assert (told, 0);
  rule = tool_run (NULL, "explain", "shm0:bar2:rm", "--client", bob->name, "--rule", NULL);
  result_assert (rule, 0);
  g_assert_nonnull (strstr (rule->out, "subject.user == \"bob\""));
}

#define RULES_DENY_ALICE \
  "polkit.addRule(function(action, subject) { if (subject.user == 'alice') return polkit.Result.NO; });"

#define EXPLAIN_BAR2 "(objectpath '" SHM0 "', 'bar2', 'rwm', @a{sv} {})"

/* Explain says so beforehand, in the words in which OpenRegion then refuses. */
static void
expect_refusal (Person *person,
                const char *error,
                const char *result)
{
  g_autofree char *text = person_call (person, MANAGER_PATH, MANAGER_INTERFACE, "Explain", EXPLAIN_BAR2);
  g_autofree char *message = person_open_fails (person, error, "shm0", "bar2", "rwm", "{}");
  g_autoptr (GVariant) reply = g_variant_parse (G_VARIANT_TYPE ("(a{sv})"), text, NULL, NULL, NULL);
  g_autoptr (GVariant) explanation = g_variant_get_child_value (reply, 0);
  const char *blocker, *answer;

  g_assert_true (g_variant_lookup (explanation, "result", "&s", &answer));
  g_assert_cmpstr (answer, ==, result);
  g_assert_true (g_variant_lookup (explanation, "blocker", "&s", &blocker));
  if (g_str_equal (result, "yes"))
    g_assert_true (*blocker != '\0' && g_str_has_suffix (message, blocker));
  else
    g_assert_cmpstr (blocker, ==, "");
}

static void
test_explain_says_what_a_rule_refuses (World *world,
                                       Person *alice,
                                       Person *bob)
{
  expect_refusal (alice, DENIED, "no");
  expect_refusal (bob, NEEDS_PROMPT, "challenge");
}

/* What she keeps has cost bob his lease: she has to let go of it first. */
static void
test_explain_says_that_a_reference_is_left (World *world,
                                            Person *alice,
                                            Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *map = person_map (alice, opened->fd, "rw");
  g_autoptr (Opened) his = person_open (bob, "shm0", "bar2", "rwm", "{}");

  g_variant_unref (world_call (world, opened->path, LEASE_INTERFACE, "Revoke",
                               g_variant_new_parsed ("('enough', @a{sv} {})")));
  person_wait_signal (bob, his->path, "Ended ('superseded',)");
  expect_refusal (alice, ERROR ("Lingering"), "yes");
}

static gboolean
is_asked (gpointer agent)
{
  return agent_count (agent) > 0;
}

/* Neither more leases than she may have, nor more questions at a time. */
static void
test_explain_says_that_there_are_enough (void)
{
  g_autoptr (World) world = world_new ("MaxLeasesPerConnection=1\nMaxAuthorizationsPerConnection=1");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_SILENT);
  g_autoptr (Opened) opened = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  opened = person_open (alice, "shm0", "control", "rm", "{}");
  expect_refusal (alice, ERROR ("LimitExceeded"), "yes");

  world_set_rules (world, "");
  person_let_go (alice, NULL, opened->fd);
  world_wait_no_leases (world, 5000);
  person_send_open (alice, "shm0", "bar2", "rwm", "{}", "interactive");
  wait_until (is_asked, agent, 5000, "somebody being asked");
  g_free (person_call_fails (alice, ERROR ("LimitExceeded"), MANAGER_PATH, MANAGER_INTERFACE, "Explain", EXPLAIN_BAR2));
}

/* What --rule prints, for SPEC of shm0, lets in whom it should with just that. */
static void
expect_rule (const char *group,
             gboolean bob_too)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Person) witness = person_new ("witness", UID_WITNESS);
  g_autoptr (Result) rule = tool_run (NULL, "explain", "shm0:bar2:rm", "--rule", group ? "--group" : NULL, group, NULL);
  g_autoptr (Opened) opened = NULL, his = NULL;

  result_assert (rule, 0);
  world_set_rules (world, rule->out);
  opened = person_open (alice, "shm0", "bar2", "rm", "{}");
  g_free (person_open_fails (alice, NEEDS_PROMPT, "shm0", "bar2", "rwm", "{}"));
  g_free (person_open_fails (alice, NEEDS_PROMPT, "shm0", "bar2", "r", "{}"));
  g_free (person_open_fails (alice, NEEDS_PROMPT, "shm0", "bar2", "rm", "{'exclusive': <true>}"));
  g_free (person_finish_failure (alice, person_send_attach (alice, opened->fd, "{}"), NEEDS_PROMPT));
  g_free (person_open_fails (alice, NEEDS_PROMPT, "shm0", "control", "rm", "{}"));
  g_free (person_open_fails (alice, NEEDS_PROMPT, "big", "whole", "rm", "{}"));
  g_free (person_open_fails (witness, NEEDS_PROMPT, "shm0", "bar2", "rm", "{}"));
  if (bob_too)
    his = person_open (bob, "shm0", "bar2", "rm", "{'label': <'mine'>}");
  else
    g_free (person_open_fails (bob, NEEDS_PROMPT, "shm0", "bar2", "rm", "{}"));
}

static void
test_the_rule_for_a_user (void)
{
  expect_rule (NULL, FALSE);
}

static void
test_the_rule_for_a_group (void)
{
  expect_rule ("regions", TRUE);
}

/* The details, but for KEY, which is another. */
static GVariant *
change_detail (GVariant *details,
               const char *key)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{ss}"));
  GVariantIter iter;
  const char *name, *value;

  g_variant_iter_init (&iter, details);
  while (g_variant_iter_next (&iter, "{&s&s}", &name, &value))
    g_variant_builder_add (&builder, "{ss}", name, g_str_equal (name, key) ? "another" : value);
  return g_variant_builder_end (&builder);
}

/* Every detail counts but for what the device is called and what the client says of itself. */
static void
test_the_rule_is_for_just_this (World *world,
                                Person *alice,
                                Person *bob)
{
  static const char *const ignored[] = { "description", "label", NULL };
  g_autoptr (Result) rule = tool_run (NULL, "explain", "shm0:bar2:rm", "--rule", NULL);
  g_autoptr (GVariant) details = explain_details (world, "rm");
  GVariantIter iter;
  const char *key;

  world_set_rules (world, rule->out);
  g_assert_true (is_let_in (world, alice, ACTION_READ, details));
  g_variant_iter_init (&iter, details);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, NULL))
    if (is_let_in (world, alice, ACTION_READ, change_detail (details, key)) != g_strv_contains (ignored, key))
      g_error ("with another %s alice is %slet in", key, g_strv_contains (ignored, key) ? "not " : "");
}

/* What alice's regionctl read ends with. */
static void
expect_read (int status,
             const char *offset,
             const char *length)
{
  g_autoptr (Result) result = tool_run (NULL, "--no-ask-password", "read", "shm0", "control", offset, length, NULL);

  result_assert (result, status);
}

/* regionctl read asks for no more than it shows. */
static void
test_the_rule_for_a_part (World *world,
                          Person *alice,
                          Person *bob)
{
  g_autoptr (Result) rule = NULL;

  rule = tool_run (NULL, "explain", "shm0:control:r", "--offset", "0x10", "--length", "4", "--rule", NULL);
  result_assert (rule, 0);
  world_set_rules (world, rule->out);
  expect_read (0, "0x10", "4");
  expect_read (1, "0x14", "4");
  expect_read (1, "0x10", "8");
  expect_read (1, "0x10", NULL);
  expect_read (1, NULL, NULL);
}

/* The options are those of open. */
static void
test_explain_with_options (World *world,
                           Person *alice,
                           Person *bob)
{
  g_autoptr (Result) alone = NULL, revocable = NULL, nothing = NULL;

  alone = tool_run (NULL, "explain", "shm0:bar2:rm", "--exclusive", NULL);
  g_assert_nonnull (strstr (alone->out, "exclusive = true"));
  revocable = tool_run (NULL, "explain", "shm0:bar2:rm", "--revocation", "immediate", NULL);
  result_assert (revocable, 1);
  g_assert_nonnull (strstr (revocable->out, "In the way: Revocation"));
  nothing = tool_run (NULL, "explain", "shm0:bar2:r", "--length", "0", NULL);
  result_assert (nothing, 2);
}

/* What root's regionctl prints, errors too. */
static char *
explain_as_root (int status,
                 const char *option,
                 const char *value)
{
  g_autofree char *regionctl = sandbox_installed ("usr/bin/regionctl");
  Command *command = command_start (0, regionctl, "explain", "shm0:bar2:rm", option, value, NULL);
  char *output = NULL;

  g_assert_cmpint (command_finish (command, &output), ==, status);
  return output;
}

/* rules.d is root's, so root it is who prints rules. */
static void
test_root_needs_no_rule (World *world,
                         Person *alice,
                         Person *bob)
{
  g_autofree char *told = explain_as_root (0, NULL, NULL);
  g_autofree char *own = explain_as_root (1, "--rule", NULL);
  g_autofree char *group = explain_as_root (0, "--rule", "--group=regions");
  g_autofree char *option = g_strconcat ("--client=", bob->name, NULL);
  g_autofree char *client = explain_as_root (0, "--rule", option);

  g_assert_nonnull (strstr (told, "Result: yes (the super-user is always let in)"));
  g_assert_nonnull (strstr (own, "--client or --group"));
  g_assert_null (strstr (own, "polkit.addRule"));
  g_assert_nonnull (strstr (group, "subject.isInGroup(\"regions\")"));
  g_assert_nonnull (strstr (client, "subject.user == \"bob\""));
}

/* A rule for nobody would be one that does not work. */
static void
test_the_group_is_one (World *world,
                       Person *alice,
                       Person *bob)
{
  g_autoptr (Result) unknown = NULL, useless = NULL, json = NULL;

  unknown = tool_run (NULL, "explain", "shm0:bar2:rm", "--rule", "--group", "nobody-at-all", NULL);
  result_assert (unknown, 1);
  g_assert_nonnull (strstr (unknown->err, "nobody-at-all"));
  g_assert_cmpstr (unknown->out, ==, "");
  useless = tool_run (NULL, "explain", "shm0:bar2:rm", "--group", "regions", NULL);
  result_assert (useless, 2);
  json = tool_run (NULL, "explain", "shm0:bar2:rm", "--rule", "--json", NULL);
  result_assert (json, 2);
}

/* polkit skips such a file, and its denial with it: nobody claims that it is there. */
static void
test_a_rule_with_a_syntax_error (World *world,
                                 Person *alice,
                                 Person *bob)
{
  g_autoptr (Result) told = NULL;
  g_autoptr (Opened) opened = NULL;

  sandbox_write (SANDBOX_RULES "/05-broken.rules",
                 "polkit.addRule(function(action, subject) { return polkit.Result.NO;");
  world_set_rules (world, RULES_ALLOW_ALL);
  told = tool_run (NULL, "explain", "shm0:bar2:rm", NULL);
  result_assert (told, 0);
  opened = person_open (alice, "shm0", "bar2", "rm", "{}");
  g_assert_cmpint (g_unlink (SANDBOX_RULES "/05-broken.rules"), ==, 0);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/rules/each-lets-in-whom-it-should", test_each_rule);
  g_test_add_func ("/rules/none-is-left-out", test_no_rule_is_left_out);
  scene_add ("/rules/every-detail-is-in-the-vocabulary", VOCABULARY_RULES, test_every_detail_is_in_the_vocabulary);
  g_test_add_func ("/rules/explain-tells", test_explain_tells);
  scene_add ("/rules/explain-of-others", "", test_explain_of_others);
  scene_add ("/rules/explain/refused", RULES_DENY_ALICE, test_explain_says_what_a_rule_refuses);
  scene_add ("/rules/explain/a-reference-is-left", RULES_ALLOW_ALL, test_explain_says_that_a_reference_is_left);
  g_test_add_func ("/rules/explain/enough", test_explain_says_that_there_are_enough);
  g_test_add_func ("/rules/the-rule-for-a-user", test_the_rule_for_a_user);
  g_test_add_func ("/rules/the-rule-for-a-group", test_the_rule_for_a_group);
  scene_add ("/rules/the-rule-is-for-just-this", "", test_the_rule_is_for_just_this);
  scene_add ("/rules/the-rule-for-a-part", "", test_the_rule_for_a_part);
  scene_add ("/rules/root-needs-no-rule", "", test_root_needs_no_rule);
  scene_add ("/rules/the-group-is-one", "", test_the_group_is_one);
  scene_add ("/rules/explain-with-options", "", test_explain_with_options);
  scene_add ("/rules/a-rule-with-a-syntax-error", "", test_a_rule_with_a_syntax_error);
  return g_test_run ();
}
