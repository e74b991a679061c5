/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <unistd.h>
#include <utime.h>

#include "ear.h"
#include "scene.h"

/* Authorization goes on: what becomes of leases when the policy changes. */

#define ASKED "ASKED by"

/* EXPRESSION says who is let in; every question is written into polkitd's log. */
#define RULES(expression) \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  polkit.log('" ASKED " ' + subject.user);" \
  "  if (" expression ") return polkit.Result.YES; });\n"

#define RULES_REFUSE(expression) \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  polkit.log('" ASKED " ' + subject.user);" \
  "  return (" expression ") ? polkit.Result.NO : polkit.Result.YES; });\n"

#define WITHDRAWN "Ended ('withdrawn',)"

static void
listen_for (guint milliseconds)
{
  gint64 start = g_get_monotonic_time ();

  while (milliseconds_since (start) < milliseconds)
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (500);
    }
}

/* Writes RULES and listens until COUNT leases are withdrawn. */
static void
withdraw (Ear *ear,
          const char *rules,
          guint count)
{
  ear_forget (ear);
  polkit_write_rules (rules);
  ear_wait_withdrawn (ear, count, 30000);
}

/* Nothing ends, long after everything would have. */
static void
expect_nothing (Ear *ear,
                guint milliseconds)
{
  guint before = ear->withdrawn;

  listen_for (milliseconds);
  g_assert_cmpuint (ear->withdrawn, ==, before);
}

static void
test_a_rule_that_says_no (World *world,
                          Person *alice,
                          Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  g_autoptr (Opened) hers = person_open (alice, "shm0", "control", "rw", "{}");
  g_autoptr (Opened) his = person_open (bob, "shm0", "control", "rw", "{}");

  withdraw (ear, RULES_REFUSE ("subject.user == 'bob'"), 1);

  person_wait_signal (bob, his->path, WITHDRAWN);
  person_wait_cut (bob, his->fd);
  g_free (person_do (alice, "pread", hers->fd, "0", NULL));
  person_expect_no_signal (alice);
  g_free (person_open_fails (bob, DENIED, "shm0", "control", "rw", "{}"));
  service_wait_log ("end", his->path, "withdrawn", NULL);
}

static void
test_a_rule_taken_away (World *world,
                        Person *alice,
                        Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  g_autoptr (Opened) hers = person_open (alice, "shm0", "control", "r", "{}");
  g_autoptr (Opened) his = person_open (bob, "shm0", "control", "r", "{}");

  withdraw (ear, RULES ("subject.user == 'alice'"), 1);
  person_wait_signal (bob, his->path, WITHDRAWN);
  g_free (person_open_fails (bob, NEEDS_PROMPT, "shm0", "control", "r", "{}"));

  withdraw (ear, "", 1);
  person_wait_signal (alice, hers->path, WITHDRAWN);
}

/* Who shares memory with one who is to lose it is to lose it as well: each is told why. */
static void
test_those_who_share (World *world,
                      Person *alice,
                      Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Opened) his = person_open (bob, "shm0", "bar2", "rm", "{}");
  g_autoptr (Opened) again = NULL;
  g_autofree char *map = NULL;

  map = person_map (alice, hers->fd, "rw");
  person_write (alice, map, "hers");
  withdraw (ear, "", 2);
  person_wait_signal (alice, hers->path, WITHDRAWN);
  person_wait_signal (bob, his->path, WITHDRAWN);

  /* They keep what they had; it is nobody else's. */
  world_set_rules (world, RULES ("true"));
  person_let_go (bob, NULL, his->fd);
  again = person_open (bob, "shm0", "bar2", "rm", "{}");
  person_expect_text (alice, map, "hers");
  g_free (person_map (bob, again->fd, "r"));
  person_expect_zeros (bob, "0");
}

/* DAEMON: of regiond.conf. Two leases, one opened by a password: what is left when nothing is allowed any more? */
static void
expect_of_a_password (const char *daemon,
                      gboolean stays)
{
  g_autoptr (World) world = world_new (daemon);
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_YES);
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  g_autoptr (Opened) hers = NULL, his = NULL;

  world_set_rules (world, RULES ("subject.user == 'bob'"));
  hers = person_open (alice, "shm0", "control", "r", "{'interactive': <true>}");
  his = person_open (bob, "shm0", "control", "r", "{}");
  g_assert_cmpuint (agent_count (agent), ==, 1);
  withdraw (ear, "", stays ? 1 : 2);
  person_wait_signal (bob, his->path, WITHDRAWN);
  if (!stays)
    {
      person_wait_signal (alice, hers->path, WITHDRAWN);
      return;
    }

  /* Nobody was asked again; a no is a no all the same. */
  g_assert_cmpuint (agent_count (agent), ==, 1);
  person_expect_no_signal (alice);
  g_free (person_do (alice, "pread", hers->fd, "0", NULL));
  withdraw (ear, RULES_REFUSE ("subject.user == 'alice'"), 1);
  person_wait_signal (alice, hers->path, WITHDRAWN);
}

static void
test_a_password_outlasts_continuing (void)
{
  expect_of_a_password ("Authorization=continuing", TRUE);
}

static void
test_a_password_does_not_outlast_strict (void)
{
  expect_of_a_password ("Authorization=strict", FALSE);
}

static void
test_each_device_as_its_file_says (void)
{
  g_autoptr (World) world = world_new_without_service ("Authorization=strict");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Ear) ear = NULL;
  g_autoptr (Opened) kept = NULL, lost = NULL;

  service_configure_device ("kept.conf", "[Device]\nBackend=memory\nAuthorization=one-shot\n[Region bar2]\nSize=64K\n");
  world->regiond = service_start (world->root);
  ear = ear_new (world->root, "LeaseEnded");
  world_set_rules (world, RULES ("true"));
  kept = person_open (alice, "kept", "bar2", "r", "{}");
  lost = person_open (alice, "big", "whole", "r", "{}");
  withdraw (ear, RULES_REFUSE ("true"), 1);
  person_wait_signal (alice, lost->path, WITHDRAWN);
  expect_nothing (ear, 500);
  g_free (person_do (alice, "pread", kept->fd, "0", NULL));
}

/* How often polkit is asked about alice after eight edits one behind the other. */
static guint
ask_in_a_burst (Ear *ear)
{
  guint before;

  listen_for (500);
  before = polkit_count_log (ASKED " alice");
  for (guint i = 0; i < 8; i++)
    polkit_write_rules (RULES ("true"));
  expect_nothing (ear, 1000);
  return polkit_count_log (ASKED " alice") - before;
}

static void
test_a_burst_costs_one_round (World *world,
                              Person *alice,
                              Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  g_autoptr (Opened) one = person_open (alice, "shm0", "control", "r", "{}");
  g_autoptr (Opened) same = person_open (alice, "shm0", "control", "r", "{}");
  g_autoptr (Opened) other = person_open (alice, "shm0", "bar2", "r", "{}");
  guint asked = 0;

  /* On a machine full of work it may take so long that it is none. */
  for (guint attempt = 0; attempt < 3 && asked != 2; attempt++)
    asked = ask_in_a_burst (ear);
  /* Two distinct questions. */
  g_assert_cmpuint (asked, ==, 2);
}

/* They change no answer, and anybody can have them come and go. */
static void
test_agents_that_come_and_go (World *world,
                              Person *alice,
                              Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  g_autoptr (Opened) opened = person_open (alice, "shm0", "control", "r", "{}");
  gint64 start;
  guint before;

  /* The edit is old by then. */
  listen_for (3500);
  before = polkit_count_log (ASKED " alice");
  start = g_get_monotonic_time ();
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (Agent) agent = agent_start (alice->process->pid, AGENT_CANCEL);

      listen_for (200);
    }
  g_assert_cmpint (ear->changed, !=, 0);
  g_assert_cmpuint (milliseconds_since (start), <, 9000);
  g_assert_cmpuint (polkit_count_log (ASKED " alice"), <=, before + 1);

  /* An edit acts at once all the same. */
  withdraw (ear, "", 1);
}

#define FLAG SANDBOX_DIR "/flag"
#define RULES_OF_A_PROGRAM \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  polkit.spawn(['/usr/bin/test', '-e', '" FLAG "']);" \
  "  return polkit.Result.YES; });\n"

/* What a program says that a rule runs: nothing sees that change, nor a file's being touched. Written again it is read again. */
static void
test_what_polkit_does_not_see (World *world,
                               Person *alice,
                               Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  g_autoptr (Opened) opened = NULL;

  sandbox_write (FLAG, "");
  world_set_rules (world, RULES_OF_A_PROGRAM);
  opened = person_open (alice, "shm0", "control", "r", "{}");
  listen_for (500);
  ear_forget (ear);
  g_assert_cmpint (g_unlink (FLAG), ==, 0);
  g_assert_cmpint (g_utime (SANDBOX_RULES "/10-test.rules", NULL), ==, 0);
  expect_nothing (ear, 1000);
  g_assert_cmpint (ear->changed, ==, 0);
  g_free (person_do (alice, "pread", opened->fd, "0", NULL));

  withdraw (ear, RULES_OF_A_PROGRAM, 1);
  person_wait_signal (alice, opened->path, WITHDRAWN);
}

static void
test_polkitd_away_and_back (World *world,
                            Person *alice,
                            Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  g_autoptr (Opened) opened = person_open (alice, "shm0", "control", "r", "{}");

  process_signal (world->polkitd, SIGKILL);
  process_wait (world->polkitd);
  polkit_write_rules ("");
  expect_nothing (ear, 1000);
  g_free (person_open_fails (alice, DENIED, "shm0", "control", "r", "{}"));
  g_free (person_do (alice, "pread", opened->fd, "0", NULL));

  /* It does not announce what it reads when it starts. */
  process_free (world->polkitd);
  world->polkitd = polkit_start (world->root);
  person_wait_signal (alice, opened->path, WITHDRAWN);
}

/* A client that waits for its region. */
typedef struct
{
  GDBusConnection *bus;
  gboolean answered, granted;
} Waiter;

static void
on_opened (GObject *source,
           GAsyncResult *result,
           gpointer data)
{
  Waiter *waiter = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) answer = g_dbus_connection_call_with_unix_fd_list_finish (waiter->bus, &fds, result, &error);

  waiter->answered = TRUE;
  waiter->granted = answer != NULL;
  if (error)
    g_assert_cmpstr (g_dbus_error_get_remote_error (error), ==, DENIED);
}

static void
start_waiting (Waiter *waiter,
               uid_t uid)
{
  g_assert_cmpint (seteuid (uid), ==, 0);
  waiter->bus = bus_connect ();
  g_assert_cmpint (seteuid (0), ==, 0);
  g_assert_nonnull (waiter->bus);
  g_dbus_connection_call_with_unix_fd_list (waiter->bus, "org.regiond1", SHM0, DEVICE_INTERFACE, "OpenRegion",
                                            g_variant_new_parsed ("('control', 'r', @a{sv} {})"), NULL, 0, 60000, NULL,
                                            NULL, on_opened, waiter);
}

static void
stop_waiting (Waiter *waiter)
{
  g_dbus_connection_close_sync (waiter->bus, NULL, NULL);
  g_object_unref (waiter->bus);
}

static guint
count_answered (Waiter *waiters,
                guint count)
{
  guint answered = 0;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  for (guint i = 0; i < count; i++)
    answered += waiters[i].answered;
  return answered;
}

/* About them polkit has nothing to say; the others are reviewed all the same, in that round. */
static void
test_those_who_leave_meanwhile (World *world,
                                Person *alice,
                                Person *bob)
{
  Waiter waiters[60] = { { NULL, FALSE, FALSE } };
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "r", "{}");
  gint64 start;

  for (guint i = 0; i < G_N_ELEMENTS (waiters); i++)
    start_waiting (&waiters[i], UID_BOB);
  while (count_answered (waiters, G_N_ELEMENTS (waiters)) < G_N_ELEMENTS (waiters))
    ;
  start = g_get_monotonic_time ();
  polkit_write_rules (RULES ("subject.user == 'bob'"));
  for (guint i = 0; i < G_N_ELEMENTS (waiters); i++)
    {
      listen_for (3);
      stop_waiting (&waiters[i]);
    }
  person_wait_signal (alice, opened->path, WITHDRAWN);
  /* Another round would be ten seconds later. */
  g_assert_cmpuint (milliseconds_since (start), <, 9000);
}

/* What ends the script may end polkitd as well (122 crashes now and then); then it is
 * started again, as the system does. */
static gboolean
revive_polkitd (World *world)
{
  if (process_is_running (world->polkitd))
    return FALSE;

  g_test_message ("polkitd has crashed");
  polkit_write_rules (RULES_REFUSE ("action.lookup('label') == 'loop'"));
  process_free (world->polkitd);
  world->polkitd = polkit_start (world->root);
  return TRUE;
}

/* polkitd is at work on the review of a lease for 15 s, which is then a no. */
static void
test_a_rule_that_loops (World *world,
                        Person *alice,
                        Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  Waiter waiters[100] = { { NULL, FALSE, FALSE } };
  gboolean crashed = FALSE;
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "r", "{'label': <'loop'>}");
  gint64 start;

  start = g_get_monotonic_time ();
  polkit_write_rules ("polkit.addRule(function(action, subject) {"
                      "  while (action.lookup('label') == 'loop');"
                      "  return polkit.Result.YES; });\n");
  listen_for (1000);
  for (guint i = 0; i < G_N_ELEMENTS (waiters); i++)
    start_waiting (&waiters[i], i % 2 ? UID_BOB : UID_CAROL);
  while (milliseconds_since (start) < 10000)
    {
      gint64 call = g_get_monotonic_time ();

      g_free (person_call (bob, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
      g_assert_cmpuint (milliseconds_since (call), <, 1000);
      listen_for (100);
    }
  g_assert_cmpuint (count_answered (waiters, G_N_ELEMENTS (waiters)), ==, 0);
  g_assert_cmpuint (ear->withdrawn, ==, 0);

  while (count_answered (waiters, G_N_ELEMENTS (waiters)) < G_N_ELEMENTS (waiters) || ear->withdrawn == 0)
    {
      crashed = revive_polkitd (world) || crashed;
      g_assert_cmpuint (milliseconds_since (start), <, 60000);
    }
  person_wait_signal (alice, opened->path, WITHDRAWN);
  for (guint i = 0; i < G_N_ELEMENTS (waiters); i++)
    {
      g_assert_true (waiters[i].granted || crashed);
      stop_waiting (&waiters[i]);
    }
}

/* It gets what it may have, and is refused what it may not. */
static void
test_a_client_that_opens_again (World *world,
                                Person *alice,
                                Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "control", "r", "{}");
  g_autoptr (Opened) again = NULL;

  g_variant_unref (world_call (world, opened->path, LEASE_INTERFACE, "Revoke",
                               g_variant_new_parsed ("('soon', {'grace': <uint32 200>})")));
  person_wait_signal (alice, opened->path, "RevokeRequested ('soon', 200)");
  again = person_open (alice, "shm0", "control", "r", "{}");
  person_wait_signal (alice, opened->path, "Ended ('revoked',)");
  person_wait_cut (alice, opened->fd);
  g_free (person_do (alice, "pread", again->fd, "0", NULL));

  polkit_write_rules ("");
  person_wait_signal (alice, again->path, WITHDRAWN);
  for (guint i = 0; i < 20; i++)
    g_free (person_open_fails (alice, NEEDS_PROMPT, "shm0", "control", "r", "{}"));
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/policy/a-rule-that-says-no", RULES ("true"), test_a_rule_that_says_no);
  scene_add ("/policy/a-rule-taken-away", RULES ("true"), test_a_rule_taken_away);
  scene_add ("/policy/those-who-share", RULES ("true"), test_those_who_share);
  g_test_add_func ("/policy/a-password-outlasts-continuing", test_a_password_outlasts_continuing);
  g_test_add_func ("/policy/a-password-does-not-outlast-strict", test_a_password_does_not_outlast_strict);
  g_test_add_func ("/policy/each-device-as-its-file-says", test_each_device_as_its_file_says);
  scene_add ("/policy/a-burst-costs-one-round", RULES ("true"), test_a_burst_costs_one_round);
  scene_add ("/policy/agents-that-come-and-go", RULES ("true"), test_agents_that_come_and_go);
  scene_add ("/policy/what-polkit-does-not-see", "", test_what_polkit_does_not_see);
  scene_add ("/policy/polkitd-away-and-back", RULES ("true"), test_polkitd_away_and_back);
  scene_add ("/policy/those-who-leave-meanwhile", RULES ("true"), test_those_who_leave_meanwhile);
  scene_add ("/policy/a-rule-that-loops", RULES ("true"), test_a_rule_that_loops);
  scene_add ("/policy/a-client-that-opens-again", RULES ("true"), test_a_client_that_opens_again);
  return g_test_run ();
}
