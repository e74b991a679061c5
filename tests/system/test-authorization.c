/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "scene.h"

#define RULES_DENY \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') == 0) return polkit.Result.NO; });\n"

static void
expect_text (const char *message,
             const char *word)
{
  if (!strstr (message, word))
    g_error ("no \"%s\" in: %s", word, message);
}

static void
expect_refused (Person *person,
                const char *access,
                const char *name,
                const char *word)
{
  g_autofree char *message = person_open_fails (person, name, "shm0", "bar2", access, "{}");

  expect_text (message, word);
}

static void
expect_let_in (Person *person,
               const char *access,
               const char *options)
{
  g_autoptr (Opened) opened = person_open (person, "shm0", "bar2", access, options);

  person_let_go (person, NULL, opened->fd);
}

static void
test_nobody_is_let_in_by_default (World *world,
                                  Person *alice,
                                  Person *bob)
{
  expect_refused (alice, "rm", NEEDS_PROMPT, ACTION_READ);
  expect_refused (alice, "rwm", NEEDS_PROMPT, ACTION_WRITE);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
  service_wait_log ("shm0", "bar2", "rwm", "2001", alice->name, NULL);
}

static void
test_no_is_access_denied (World *world,
                          Person *alice,
                          Person *bob)
{
  world_set_rules (world, RULES_DENY);
  expect_refused (alice, "rm", DENIED, ACTION_READ);
  expect_refused (alice, "rwm", DENIED, ACTION_WRITE);
}

static void
test_reading_does_not_mean_writing (World *world,
                                    Person *alice,
                                    Person *bob)
{
  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (action.id == 'org.regiond1.read-region') return polkit.Result.YES; });");
  expect_let_in (alice, "rm", "{}");
  expect_refused (alice, "rwm", NEEDS_PROMPT, ACTION_WRITE);
}

static void
test_a_group_is_let_in_and_others_are_not (World *world,
                                           Person *alice,
                                           Person *bob)
{
  g_autoptr (Person) stranger = person_new ("witness", UID_WITNESS);

  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (action.id == 'org.regiond1.write-region' && action.lookup('device') == 'shm0' &&"
                          "      subject.isInGroup('regions')) return polkit.Result.YES; });");
  expect_let_in (alice, "rwm", "{}");
  expect_refused (stranger, "rwm", NEEDS_PROMPT, ACTION_WRITE);
}

static gboolean
is_let_in (Person *person,
           const char *access,
           const char *options)
{
  guint serial = person_send_open (person, "shm0", "bar2", access, options, "");
  g_auto (GStrv) strings = person_finish (person, serial, NULL);

  if (strings)
    person_let_go (person, NULL, strings[1]);
  return strings != NULL;
}

static void
test_a_rule_sees_every_detail (World *world,
                               Person *alice,
                               Person *bob)
{
  world_set_rules (world, RULES_DETAILS ("{ device: 'shm0', backend: 'memory', region: 'bar2', region_kind: 'memory',"
                                         "  access: 'rm', offset: '0', length: '1048576', exclusive: 'false',"
                                         "  mechanism: 'memfd', revocation: 'detached', label: 'my word', proof: '',"
                                         "  address: '' }"));
  polkit_expect_details (is_let_in (alice, "rm", "{'label': <'my word'>}"));
  /* Each of these differs in one detail. */
  g_assert_false (is_let_in (alice, "rwm", "{'label': <'my word'>}"));
  g_assert_false (is_let_in (alice, "rm", "{'label': <'another'>}"));
  g_assert_false (is_let_in (alice, "rm", "{'label': <'my word'>, 'exclusive': <true>}"));
}

static void
test_a_rule_sees_what_else_is_asked (World *world,
                                     Person *alice,
                                     Person *bob)
{
  g_autoptr (Opened) opened = NULL;

  world_set_rules (world, RULES_DETAILS ("{ device: 'shm0', region: 'control', access: 'rwm', exclusive: 'true',"
                                         "  length: '4096' }"));
  opened = person_open (alice, "shm0", "control", "rwm", "{'exclusive': <true>}");
  person_let_go (alice, NULL, opened->fd);
  world_wait_no_leases (world, 2000);
  world_set_rules (world, RULES_DETAILS ("{ device: 'shm0', backend: 'memory' }"));
  g_free (person_call (alice, SHM0, DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"));
  world_set_rules (world, RULES_DETAILS ("{ device: 'new', backend: 'memory', region: 'a b', length: '12288' }"));
  g_free (person_call (alice, MANAGER_PATH, MANAGER_INTERFACE, "AddMemoryDevice",
                       "('new', [('a', uint64 4096), ('b', 8192)], @a{sv} {})"));
}

/* What is to be taken away is told as what was opened was. */
static void
test_a_rule_sees_what_is_revoked (World *world,
                                  Person *alice,
                                  Person *bob)
{
  g_autoptr (Opened) opened = NULL;

  world_set_rules (world, RULES_DETAILS ("{ device: 'shm0', backend: 'memory', description: 'Sensor ring',"
                                         "  region: 'control', region_kind: 'memory', access: 'r', offset: '16',"
                                         "  length: '4', exclusive: 'true', mechanism: 'proxy', revocation: 'immediate',"
                                         "  label: 'hers', proof: '', address: '' }"));
  opened = person_open (alice, "shm0", "control", "r",
                        "{'offset': <uint64 16>, 'length': <uint64 4>, 'exclusive': <true>, 'label': <'hers'>}");
  g_free (person_call (bob, opened->path, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  person_wait_signal (alice, opened->path, "Ended ('revoked',)");
}

/* Not "device big ()". */
static void
test_a_device_without_a_name_is_asked_about_in_words (World *world,
                                                      Person *alice,
                                                      Person *bob)
{
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_YES);
  guint serial = person_send_open (alice, "big", "whole", "r", "{}", "interactive");
  g_autoptr (Opened) opened = person_finish_open (alice, serial);
  g_autofree char *message = agent_get_message (agent);

  expect_text (message, "device big (shared memory)");
}

static void
test_an_administrator_is_asked_in_plain_words (World *world,
                                               Person *alice,
                                               Person *bob)
{
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_YES);
  g_autoptr (Opened) opened = NULL;
  g_autofree char *message = NULL;
  guint serial;

  /* Without the flag nobody is asked. */
  expect_refused (alice, "rwm", NEEDS_PROMPT, ACTION_WRITE);
  g_assert_cmpuint (agent_count (agent), ==, 0);

  serial = person_send_open (alice, "shm0", "bar2", "rwm", "{'label': <'Trust me'>}", "interactive");
  opened = person_finish_open (alice, serial);
  message = agent_get_message (agent);
  g_assert_cmpuint (agent_count (agent), ==, 1);
  expect_text (message, "shm0");
  expect_text (message, "bar2");
  /* The client's own word is no part of it, and nothing is left to fill in. */
  g_assert_null (strstr (message, "Trust me"));
  g_assert_null (strstr (message, "$("));
}

static void
test_the_option_is_as_good_as_the_flag (World *world,
                                        Person *alice,
                                        Person *bob)
{
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_YES);

  expect_let_in (alice, "rwm", "{'interactive': <true>}");
  g_assert_cmpuint (agent_count (agent), ==, 1);
  /* Nothing is remembered: the next one is asked again. */
  expect_let_in (alice, "rwm", "{'interactive': <true>}");
  g_assert_cmpuint (agent_count (agent), ==, 2);
}

static void
test_a_person_who_says_no (World *world,
                           Person *alice,
                           Person *bob)
{
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_CANCEL);
  g_autofree char *message = person_open_fails (alice, DENIED, "shm0", "bar2", "rwm", "{'interactive': <true>}");

  expect_text (message, ACTION_WRITE);
  g_assert_cmpuint (agent_count (agent), ==, 1);
}

static void
test_a_person_who_does_not_answer (void)
{
  g_autoptr (World) world = world_new ("AuthorizationTimeout=20s;700ms");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_SILENT);
  gint64 start = g_get_monotonic_time ();

  g_free (person_open_fails (alice, DENIED, "shm0", "bar2", "rwm", "{'interactive': <true>}"));
  g_assert_cmpuint (milliseconds_since (start), >=, 600);
  g_assert_cmpuint (milliseconds_since (start), <, 5000);
  g_assert_cmpuint (agent_count (agent), ==, 1);
}

static void
expect_not_kept (Person *person,
                 const char *options)
{
  guint serial = person_send_open (person, "shm0", "bar2", "rwm", options, "");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (person, serial, &error);

  g_assert_null (strings);
  g_assert_true (g_str_has_prefix (error->message, DENIED) || g_str_has_prefix (error->message, NEEDS_PROMPT));
}

/* polkit would remember it for every device, and against a rule that says no. */
static void
test_a_kept_authorization_does_not_count (World *world,
                                          Person *alice,
                                          Person *bob)
{
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_YES);

  polkit_set_defaults (world->root, "auth_admin_keep");
  expect_not_kept (alice, "{'interactive': <true>}");
  g_assert_cmpuint (agent_count (agent), ==, 1);
  expect_not_kept (alice, "{}");
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

static void
test_implicit_yes (World *world,
                   Person *alice,
                   Person *bob)
{
  polkit_set_defaults (world->root, "yes");
  expect_let_in (alice, "rwm", "{}");
}

static void
test_a_hung_polkitd_hangs_nobody (void)
{
  g_autoptr (World) world = world_new ("AuthorizationTimeout=500ms;5s");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  gint64 start;
  guint serial, his;

  world_set_rules (world, RULES_ALLOW_ALL);
  process_stop (world->polkitd);
  start = g_get_monotonic_time ();
  serial = person_send_open (alice, "shm0", "bar2", "rwm", "{}", "");
  his = person_send_open (bob, "shm0", "bar2", "rwm", "{}", "");
  g_free (person_call (bob, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
  g_assert_cmpuint (milliseconds_since (start), <, 400);
  g_assert_false (person_has_answer (alice, serial));

  g_free (person_finish_failure (alice, serial, DENIED));
  g_free (person_finish_failure (bob, his, DENIED));
  g_assert_cmpuint (milliseconds_since (start), >=, 400);
  g_assert_cmpuint (milliseconds_since (start), <, 5000);

  process_signal (world->polkitd, SIGCONT);
  expect_let_in (bob, "rwm", "{}");
}

static void
test_no_polkitd_means_no (World *world,
                          Person *alice,
                          Person *bob)
{
  guint serial;

  /* It dies while it is asked. */
  process_stop (world->polkitd);
  serial = person_send_open (alice, "shm0", "bar2", "rwm", "{}", "");
  process_signal (world->polkitd, SIGKILL);
  process_wait (world->polkitd);
  g_free (person_finish_failure (alice, serial, DENIED));
  /* And it is not there at all. */
  expect_refused (alice, "rwm", DENIED, ACTION_WRITE);

  process_free (world->polkitd);
  world->polkitd = polkit_start (world->root);
  world_set_rules (world, RULES_ALLOW_ALL);
  expect_let_in (alice, "rwm", "{}");
}

static void
test_an_unknown_action_means_no (World *world,
                                 Person *alice,
                                 Person *bob)
{
  polkit_forget_actions (world->root);
  expect_refused (alice, "rwm", DENIED, ACTION_WRITE);
}

static void
test_a_client_that_dies_while_polkit_is_asked (World *world,
                                               Person *alice,
                                               Person *bob)
{
  g_autoptr (Opened) opened = NULL;
  g_autofree char *map = NULL;
  guint before;

  expect_let_in (bob, "rwm", "{}");
  world_wait_no_leases (world, 2000);
  before = process_count_fds (world->regiond);

  process_stop (world->polkitd);
  person_send_open (alice, "shm0", "bar2", "rwm", "{'exclusive': <true>}", "");
  /* The service has it in hand: a later call of the same client is answered. */
  g_free (person_call (alice, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  person_kill (alice);
  process_signal (world->polkitd, SIGCONT);

  opened = person_open (bob, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  map = person_map (bob, opened->fd, "r");
  person_expect_zeros (bob, map);
  g_assert_cmpuint (world_count_leases (world), ==, 1);
  person_let_go (bob, map, opened->fd);
  world_wait_no_leases (world, 2000);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  world_wait_fds (world, before);
}

static void
test_a_client_that_leaves_the_bus_while_polkit_is_asked (World *world,
                                                         Person *alice,
                                                         Person *bob)
{
  process_stop (world->polkitd);
  person_send_open (alice, "shm0", "bar2", "rwm", "{}", "");
  g_free (person_call (alice, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  g_free (person_do (alice, "drop", NULL));
  process_signal (world->polkitd, SIGCONT);

  /* polkitd works serially: what was asked before this is decided after it. */
  world_set_rules (world, RULES_ALLOW_ALL);
  world_wait_no_leases (world, 2000);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);
  world_wait_uint (world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 2000);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/authorization/nobody-is-let-in-by-default", "", test_nobody_is_let_in_by_default);
  scene_add ("/authorization/no-is-access-denied", "", test_no_is_access_denied);
  scene_add ("/authorization/reading-does-not-mean-writing", "", test_reading_does_not_mean_writing);
  scene_add ("/authorization/a-group-is-let-in-and-others-are-not", "", test_a_group_is_let_in_and_others_are_not);
  scene_add ("/authorization/a-rule-sees-every-detail", "", test_a_rule_sees_every_detail);
  scene_add ("/authorization/a-rule-sees-what-else-is-asked", "", test_a_rule_sees_what_else_is_asked);
  scene_add ("/authorization/a-rule-sees-what-is-revoked", "", test_a_rule_sees_what_is_revoked);
  scene_add ("/authorization/plain-words", "", test_an_administrator_is_asked_in_plain_words);
  scene_add ("/authorization/a-device-without-a-name", "", test_a_device_without_a_name_is_asked_about_in_words);
  scene_add ("/authorization/the-option-is-as-good-as-the-flag", "", test_the_option_is_as_good_as_the_flag);
  scene_add ("/authorization/a-person-who-says-no", "", test_a_person_who_says_no);
  g_test_add_func ("/authorization/a-person-who-does-not-answer", test_a_person_who_does_not_answer);
  scene_add ("/authorization/a-kept-authorization", "", test_a_kept_authorization_does_not_count);
  scene_add ("/authorization/implicit-yes", "", test_implicit_yes);
  g_test_add_func ("/authorization/a-hung-polkitd", test_a_hung_polkitd_hangs_nobody);
  scene_add ("/authorization/no-polkitd", RULES_ALLOW_ALL, test_no_polkitd_means_no);
  scene_add ("/authorization/an-unknown-action", RULES_ALLOW_ALL, test_an_unknown_action_means_no);
  scene_add ("/authorization/a-client-that-dies", RULES_ALLOW_ALL, test_a_client_that_dies_while_polkit_is_asked);
  scene_add ("/authorization/a-client-that-leaves", RULES_ALLOW_ALL,
             test_a_client_that_leaves_the_bus_while_polkit_is_asked);
  return g_test_run ();
}
