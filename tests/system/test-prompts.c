/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "tool.h"
#include "world.h"

/* Somebody is asked: by pkttyagent on a terminal with a real password, or by the programmed agent. */

#define PKTTYAGENT "/usr/bin/pkttyagent"

/* alice's client, and the terminal at which an administrator is asked about it. */
typedef struct
{
  World *world;
  Person *alice;
  Session *terminal;
} Desk;

#define REGISTERED "Registered Authentication Agent"

/* Since there were so many. */
static gboolean
is_registered (gpointer data)
{
  return polkit_count_log (REGISTERED) > *(guint *) data;
}

static Desk *
desk_new (void)
{
  Desk *desk = g_new0 (Desk, 1);
  g_autofree char *pid = NULL;
  guint before;

  desk->world = world_new ("");
  before = polkit_count_log (REGISTERED);
  desk->alice = person_new ("alice", UID_ALICE);
  pid = g_strdup_printf ("%d", desk->alice->process->pid);
  desk->terminal = session_start_program (PKTTYAGENT, "--process", pid, NULL);
  wait_until (is_registered, &before, 10000, "pkttyagent being known to polkit");
  return desk;
}

static void
desk_free (Desk *desk)
{
  Result *result;

  kill (desk->terminal->pid, SIGKILL);
  result = session_finish (desk->terminal);
  result_free (result);
  person_free (desk->alice);
  world_free (desk->world);
  g_free (desk);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Desk, desk_free)

/* alice asks, and the prompt is on the screen. */
static guint
ask (Desk *desk,
     const char *device,
     const char *region)
{
  guint serial = person_send_open (desk->alice, device, region, "rwm", "{'label': <'Trust me'>}", "interactive");

  session_wait_for (desk->terminal, "Password:");
  return serial;
}

static gboolean
is_secret (gpointer session)
{
  return !session_has_echo (session);
}

static void
type (Desk *desk,
      const char *password)
{
  g_autofree char *line = g_strconcat (password, "\n", NULL);

  /* It asks first, and then sees to it that nobody reads along. */
  wait_until (is_secret, desk->terminal, 10000, "what is typed not being shown");
  session_type (desk->terminal, line);
  g_string_truncate (desk->terminal->shown, 0);
}

static void
test_the_right_password (void)
{
  g_autoptr (Desk) desk = desk_new ();
  g_autoptr (Opened) opened = NULL;
  guint serial = ask (desk, "shm0", "bar2");
  g_autofree char *shown = g_strdelimit (g_strdup (desk->terminal->shown->str), "\r\n", ' ');

  /* What is had of what, in words and with the values; and nothing that the client says. */
  g_assert_nonnull (strstr (shown, ACTION_WRITE));
  g_assert_nonnull (strstr (shown, "write to region bar2 of device shm0 (Sensor ring). Access: rwm, 1048576 bytes from "
                                   "offset 0, exclusive: false."));
  g_assert_null (strstr (shown, "Trust me"));
  g_assert_null (strstr (shown, "$("));
  type (desk, SANDBOX_PASSWORD);
  opened = person_finish_open (desk->alice, serial);
  world_expect_string (desk->world, opened->path, LEASE_INTERFACE, "State", "active");
  service_wait_log ("grant", opened->path, NULL);
}

static void
test_a_wrong_password (void)
{
  g_autoptr (Desk) desk = desk_new ();
  g_autofree char *message = NULL;
  guint serial = ask (desk, "shm0", "bar2");

  type (desk, "not it");
  message = person_finish_failure (desk->alice, serial, DENIED);
  g_assert_nonnull (strstr (message, "failed"));
  g_assert_cmpuint (world_count_leases (desk->world), ==, 0);
}

/* KEYS: what is typed in place of a password. */
static void
expect_dismissed (const char *keys)
{
  g_autoptr (Desk) desk = desk_new ();
  g_autofree char *message = NULL;
  guint serial = ask (desk, "shm0", "bar2");

  wait_until (is_secret, desk->terminal, 10000, "what is typed not being shown");
  session_type (desk->terminal, keys);
  message = person_finish_failure (desk->alice, serial, DENIED);
  g_assert_nonnull (strstr (message, ACTION_WRITE));
  g_assert_cmpuint (world_count_leases (desk->world), ==, 0);
  world_expect_string (desk->world, SHM0, DEVICE_INTERFACE, "State", "parked");
}

/* By ^C, which ends pkttyagent, and by ^D. */
static void
test_dismissed (void)
{
  expect_dismissed ("\003");
  expect_dismissed ("\004");
}

static void
test_each_time_anew (void)
{
  g_autoptr (Desk) desk = desk_new ();
  g_autoptr (Opened) opened = NULL, again = NULL;
  guint serial = ask (desk, "shm0", "bar2");

  type (desk, SANDBOX_PASSWORD);
  opened = person_finish_open (desk->alice, serial);
  serial = ask (desk, "big", "whole");
  g_assert_false (person_has_answer (desk->alice, serial));
  type (desk, SANDBOX_PASSWORD);
  again = person_finish_open (desk->alice, serial);
}

static void
test_an_agent_killed_while_asking (void)
{
  g_autoptr (Desk) desk = desk_new ();
  guint serial = ask (desk, "shm0", "bar2");
  gint64 start = g_get_monotonic_time ();

  kill (desk->terminal->pid, SIGKILL);
  g_free (person_finish_failure (desk->alice, serial, DENIED));
  g_assert_cmpuint (milliseconds_since (start), <, 10000);
  g_assert_cmpuint (world_count_leases (desk->world), ==, 0);
  world_expect_string (desk->world, SHM0, DEVICE_INTERFACE, "State", "parked");
}

static void
test_somebody_else_meanwhile (void)
{
  g_autoptr (Desk) desk = desk_new ();
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) his = NULL, hers = NULL;
  guint serial;

  world_set_rules (desk->world, "polkit.addRule(function(action, subject) {"
                                "  if (subject.user == 'bob') return polkit.Result.YES; });");
  serial = ask (desk, "shm0", "bar2");
  his = person_open (bob, "shm0", "bar2", "rwm", "{}");
  g_assert_false (person_has_answer (desk->alice, serial));
  type (desk, SANDBOX_PASSWORD);
  hers = person_finish_open (desk->alice, serial);
  g_assert_true (person_shares (bob, his->fd, desk->alice, hers->fd));
}

/* It is in somebody's way by then: a password changes nothing about that. */
static void
test_what_has_changed_while_asking (void)
{
  g_autoptr (Desk) desk = desk_new ();
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) his = NULL;
  guint serial;

  world_set_rules (desk->world, "polkit.addRule(function(action, subject) {"
                                "  if (subject.user == 'bob') return polkit.Result.YES; });");
  serial = ask (desk, "shm0", "bar2");
  his = person_open (bob, "shm0", "control", "r", "{'exclusive': <true>}");
  type (desk, SANDBOX_PASSWORD);
  g_free (person_finish_failure (desk->alice, serial, ERROR ("Busy")));
}

static gboolean
is_prompted (gpointer agent)
{
  return agent_count (agent) > 0;
}

static gboolean
is_withdrawn (gpointer agent)
{
  return agent_count_withdrawn (agent) > 0;
}

/* The prompt goes from the screen; nobody has anything. */
static void
test_a_client_killed_while_asking (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_SILENT);

  person_send_open (alice, "shm0", "bar2", "rwm", "{}", "interactive");
  wait_until (is_prompted, agent, 10000, "a prompt");
  person_kill (alice);
  wait_until (is_withdrawn, agent, 10000, "the prompt being taken back");
  g_assert_cmpuint (world_count_leases (world), ==, 0);
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
}

/* The person said no to just this. */
static void
expect_said (Agent *agent,
             const char *said)
{
  g_autofree char *message = agent_get_message (agent);
  g_autofree char *whole = g_strconcat ("Authentication is required to ", said, NULL);

  g_assert_cmpstr (message, ==, whole);
}

static void
expect_asked (Person *person,
              Agent *agent,
              const char *path,
              const char *interface,
              const char *method,
              const char *arguments,
              const char *said)
{
  g_free (person_call_fails (person, DENIED, path, interface, method, arguments));
  expect_said (agent, said);
}

/* What is asked for of what, with the values; and no word of the client's, who says "Trust me" wherever it can. */
static void
test_every_action_says_what_it_is (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_CANCEL);
  g_autoptr (Opened) his = NULL;

  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (subject.user == 'bob') return polkit.Result.YES; });");
  his = person_open (bob, "shm0", "control", "rw", "{'label': <'Trust me'>}");
  expect_asked (alice, agent, SHM0, DEVICE_INTERFACE, "OpenRegion",
                "('bar2', 'r', {'offset': <uint64 16>, 'length': <uint64 4>, 'label': <'Trust me'>, 'interactive': <true>})",
                "let a program read region bar2 of device shm0 (Sensor ring). "
                "Access: r, 4 bytes from offset 16, exclusive: false.");
  expect_asked (alice, agent, DEVICE_PREFIX "big", DEVICE_INTERFACE, "OpenRegion",
                "('whole', 'rwm', {'exclusive': <true>, 'label': <'Trust me'>, 'interactive': <true>})",
                "let a program write to region whole of device big (shared memory). "
                "Access: rwm, 8388608 bytes from offset 0, exclusive: true.");
  expect_asked (alice, agent, his->path, LEASE_INTERFACE, "Revoke", "('Trust me', {'interactive': <true>})",
                "take region control of device shm0 (Sensor ring) away from the program that has it. "
                "Access: rw, 4096 bytes from offset 0, exclusive: false.");
  expect_asked (alice, agent, DEVICE_PREFIX "big", DEVICE_INTERFACE, "Reset", "({'interactive': <true>},)",
                "reset device big (shared memory). What its regions hold is lost.");
  expect_asked (alice, agent, MANAGER_PATH, MANAGER_INTERFACE, "AddMemoryDevice",
                "('new', [('a', uint64 4096)], {'description': <'Trust me'>, 'interactive': <true>})",
                "add, remove, bind or give back device new. With its whole IOMMU group: false, by force: false.");
  expect_asked (alice, agent, MANAGER_PATH, MANAGER_INTERFACE, "RemoveDevice",
                "(objectpath '" DEVICE_PREFIX "big', {'force': <true>, 'interactive': <true>})",
                "add, remove, bind or give back device big. With its whole IOMMU group: false, by force: true.");
}

/* Whoever it is for: a process by its number. */
static void
test_delegation_says_for_whom (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_CANCEL);
  g_autofree char *pidfd = person_take_pidfd (alice, bob->process->pid), *said = NULL;
  guint serial;

  world_set_rules (world, "polkit.addRule(function(action, subject) {"
                          "  if (action.id == '" ACTION_WRITE "') return polkit.Result.YES; });");
  serial = person_send_open (alice, "shm0", "bar2", "rwm",
                             "{'bind-to': <handle 0>, 'label': <'Trust me'>, 'interactive': <true>}", pidfd);
  g_free (person_finish_failure (alice, serial, DENIED));
  said = g_strdup_printf ("open region bar2 of device shm0 (Sensor ring) for process %d of user %u. "
                          "Access: rwm, 1048576 bytes from offset 0, exclusive: false.",
                          bob->process->pid, UID_BOB);
  expect_said (agent, said);
}

static void
expect_nothing_kept (Desk *desk)
{
  g_autofree char *message = NULL;
  guint serial = ask (desk, "shm0", "bar2");

  type (desk, SANDBOX_PASSWORD);
  message = person_finish_failure (desk->alice, serial, DENIED);
  g_assert_nonnull (strstr (message, "_keep"));

  /* polkit would say yes to every one of these. */
  g_free (person_open_fails (desk->alice, DENIED, "shm0", "bar2", "rwm", "{}"));
  g_free (person_open_fails (desk->alice, DENIED, "shm0", "control", "rw", "{}"));
  g_free (person_open_fails (desk->alice, DENIED, "big", "whole", "rwm", "{}"));
  g_assert_cmpuint (world_count_leases (desk->world), ==, 0);
}

static void
test_defaults_that_keep (void)
{
  g_autoptr (Desk) desk = desk_new ();

  polkit_set_defaults (desk->world->root, "auth_admin_keep");
  expect_nothing_kept (desk);
}

static void
test_a_rule_that_keeps (void)
{
  g_autoptr (Desk) desk = desk_new ();

  world_set_rules (desk->world, "polkit.addRule(function(action, subject) {"
                                "  if (action.id == '" ACTION_WRITE "') return polkit.Result.AUTH_ADMIN_KEEP; });");
  expect_nothing_kept (desk);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/prompts/the-right-password", test_the_right_password);
  g_test_add_func ("/prompts/a-wrong-password", test_a_wrong_password);
  g_test_add_func ("/prompts/dismissed", test_dismissed);
  g_test_add_func ("/prompts/every-action-says-what-it-is", test_every_action_says_what_it_is);
  g_test_add_func ("/prompts/delegation-says-for-whom", test_delegation_says_for_whom);
  g_test_add_func ("/prompts/each-time-anew", test_each_time_anew);
  g_test_add_func ("/prompts/an-agent-killed-while-asking", test_an_agent_killed_while_asking);
  g_test_add_func ("/prompts/somebody-else-meanwhile", test_somebody_else_meanwhile);
  g_test_add_func ("/prompts/what-has-changed-while-asking", test_what_has_changed_while_asking);
  g_test_add_func ("/prompts/a-client-killed-while-asking", test_a_client_killed_while_asking);
  g_test_add_func ("/prompts/defaults-that-keep", test_defaults_that_keep);
  g_test_add_func ("/prompts/a-rule-that-keeps", test_a_rule_that_keeps);
  return g_test_run ();
}
