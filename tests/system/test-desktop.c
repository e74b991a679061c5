/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "desktop.h"
#include "stay.h"
#include "tool.h"
#include "world.h"

/* Nobody but an administrator revokes. */
#define RULES_NO_REVOKING \
  "polkit.addRule(function(action, subject) {" \
  "  return action.id == 'org.regiond1.revoke-lease' ? polkit.Result.NO : polkit.Result.YES; });\n"

#define RULES_NOTHING "polkit.addRule(function(action, subject) { return polkit.Result.NO; });\n"

/* A program of alice's that has REGION until its input ends. */
static Tool *
hold (const char *region)
{
  Tool *tool = tool_start ("open", "shm0", region, "rwm", NULL);
  g_autofree char *path = tool_read_line (tool);

  g_assert_nonnull (path);
  return tool;
}

static guint
count_words (const char *text,
             const char *words)
{
  guint n = 0;

  for (const char *at = text; (at = strstr (at, words)); at++)
    n++;
  return n;
}

static void
test_got (World *world,
          Desktop *desktop)
{
  g_autoptr (Tool) tool = hold ("bar2");
  g_autofree char *text = NULL;

  text = g_strdup_printf ("regionctl (process %d) has region bar2 of Sensor ring (shm0), to read and write",
                          tool_get_pid (tool));
  desktop_wait_shown (desktop, text);
  desktop_wait_shown (desktop, "summary: 'Region in use'");
  desktop_wait_shown (desktop, "\": \"Revoke\"");
  desktop_wait_count (desktop, 1);
  /* It is nobody's any more. */
  tool_close_input (tool);
  desktop_wait_count (desktop, 0);
}

static void
test_button (World *world,
             Desktop *desktop)
{
  g_autoptr (Tool) tool = hold ("bar2");
  g_autoptr (Result) result = NULL;

  desktop_wait_shown (desktop, "has region bar2");
  desktop_press (desktop);
  result = tool_finish (tool);
  result_assert (result, 1);
  g_assert_nonnull (strstr (result->err, "The lease has ended: revoked"));
  desktop_wait_shown (desktop, "has lost region bar2 of Sensor ring (shm0): it was revoked");
  service_wait_log ("asked for at the desktop", NULL);
}

static void
test_button_without_right (World *world,
                           Desktop *desktop)
{
  g_autoptr (Tool) tool = hold ("bar2");

  desktop_wait_shown (desktop, "has region bar2");
  desktop_press (desktop);
  desktop_wait_shown (desktop, "summary: 'Region not revoked'");
  desktop_wait_shown (desktop, ACTION_REVOKE);
  g_assert_cmpuint (world_count_leases (world), ==, 1);
}

static void
test_refused (World *world,
              Desktop *desktop)
{
  g_autoptr (Result) result = tool_run (NULL, "--no-ask-password", "read", "shm0", "bar2", NULL);

  result_assert (result, 1);
  desktop_wait_shown (desktop, "summary: 'Region refused'");
  desktop_wait_shown (desktop, "was refused region bar2 of Sensor ring (shm0): ");
  desktop_wait_shown (desktop, ACTION_READ);
}

static void
test_others (World *world,
             Desktop *desktop)
{
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Stay) his = stay_begin (bob, "shm0", "control", "rwm", "{}");
  g_autoptr (Stay) hers = stay_begin (carol, "kept", "bar2", "r", "{'exclusive': <true>}");
  g_autoptr (Tool) tool = NULL;
  g_autofree char *shown = NULL;

  g_free (person_open_fails (bob, ERROR ("Busy"), "kept", "bar2", "r", "{}"));
  service_wait_log ("refusal kept:bar2", NULL);
  /* Alice's comes after all of theirs, and is told. */
  tool = hold ("bar2");
  desktop_wait_shown (desktop, "has region bar2");
  shown = desktop_read_shown ();
  g_assert_null (strstr (shown, "control"));
  g_assert_null (strstr (shown, "kept"));
  g_assert_null (strstr (shown, "refused"));
}

/* One notification of each kind, and a new text every two seconds at most. */
static void
test_flood (World *world,
            Desktop *desktop)
{
  gint64 start = g_get_monotonic_time ();
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Stay) his = stay_begin (bob, "kept", "bar2", "r", "{'exclusive': <true>}");
  g_autofree char *shown = NULL;
  guint most;

  for (guint i = 0; i < 40; i++)
    {
      g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rm", "{}");

      g_assert_nonnull (opened);
      g_free (person_open_fails (alice, ERROR ("Busy"), "kept", "bar2", "r", "{}"));
    }
  desktop_wait_shown (desktop, "summary: '40 regions in use'");
  desktop_wait_shown (desktop, "and 37 more");
  desktop_wait_shown (desktop, "regions refused'");
  shown = desktop_read_shown ();
  most = 2 * (milliseconds_since (start) / 2000 + 1);
  g_assert_cmpuint (count_words (shown, "summary:"), <=, most);
  desktop_wait_count (desktop, 2);
}

/* More than the service lets one connection ask for at once. */
static void
test_button_for_all (World *world,
                     Desktop *desktop)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autofree char *shown = NULL;

  for (guint i = 0; i < 100; i++)
    opened_free (person_open (alice, "shm0", "control", "r", "{}"));
  desktop_wait_shown (desktop, "summary: '100 regions in use'");
  desktop_press (desktop);
  world_wait_no_leases (world, 10000);
  desktop_wait_shown (desktop, "summary: '100 regions lost'");
  shown = desktop_read_shown ();
  g_assert_null (strstr (shown, "not revoked"));
}

static void
test_service_is_killed (World *world,
                        Desktop *desktop)
{
  g_autoptr (Tool) tool = hold ("bar2");
  g_autoptr (Tool) again = NULL;

  desktop_wait_shown (desktop, "has region bar2");
  process_signal (world->regiond, SIGKILL);
  process_wait (world->regiond);
  process_free (world->regiond);
  desktop_wait_shown (desktop, "has lost region bar2 of Sensor ring (shm0): the service has ended");
  world->regiond = service_start (world->root);
  again = hold ("control");
  desktop_wait_shown (desktop, "has region control of Sensor ring (shm0)");
}

static void
test_dunst_is_killed (World *world,
                      Desktop *desktop)
{
  g_autoptr (Tool) first = hold ("bar2");
  g_autoptr (Tool) unseen = NULL, last = NULL;

  desktop_wait_shown (desktop, "has region bar2");
  desktop_kill_dunst (desktop);
  unseen = hold ("bar2");
  desktop_start_dunst (desktop);
  last = hold ("control");
  desktop_wait_shown (desktop, "has region control");
  desktop_press (desktop);
  desktop_wait_shown (desktop, "has lost region control");
  g_assert_true (process_is_running (desktop->agent));
}

static void
test_one_is_enough (World *world,
                    Desktop *desktop)
{
  g_autoptr (Process) second = desktop_start_agent ();

  g_assert_cmpint (process_wait (second), ==, 0);
  g_assert_true (process_is_running (desktop->agent));
}

typedef struct
{
  const char *path;
  const char *rules;
  void (*test) (World *world,
                Desktop *desktop);
} Case;

static const Case cases[] = {
  { "/desktop/a-program-got-a-region", RULES_ALLOW_ALL, test_got },
  { "/desktop/the-button-takes-it-back", RULES_ALLOW_ALL, test_button },
  { "/desktop/the-button-needs-a-right", RULES_NO_REVOKING, test_button_without_right },
  { "/desktop/a-program-was-refused", RULES_NOTHING, test_refused },
  { "/desktop/other-peoples-programs-are-theirs", RULES_ALLOW_ALL, test_others },
  { "/desktop/a-flood-is-one-notification", RULES_ALLOW_ALL, test_flood },
  { "/desktop/the-button-takes-all-back", RULES_ALLOW_ALL, test_button_for_all },
  { "/desktop/the-service-is-killed", RULES_ALLOW_ALL, test_service_is_killed },
  { "/desktop/the-notification-service-is-killed", RULES_ALLOW_ALL, test_dunst_is_killed },
  { "/desktop/one-agent-is-enough", RULES_ALLOW_ALL, test_one_is_enough },
};

static void
play (gconstpointer data)
{
  const Case *self = data;
  g_autoptr (World) world = NULL;
  Desktop *desktop;

  if (!desktop_is_possible ())
    return;

  world = world_new ("");
  world_set_rules (world, self->rules);
  desktop = desktop_new ();
  self->test (world, desktop);
  desktop_free (desktop);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, &cases[i], play);
  return g_test_run ();
}
