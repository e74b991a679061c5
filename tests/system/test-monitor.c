/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>

#include "stay.h"
#include "tool.h"
#include "world.h"

/* Alice looks on while bob, whom the rules let in, and carol, whom they do not, do things. */
#define RULES_BOB \
  "polkit.addRule(function(action, subject) {" \
  "  return subject.user == 'bob' ? polkit.Result.YES : polkit.Result.NO; });\n"

typedef struct
{
  World *world;
  Person *bob;
  Person *carol;
  Tool *monitor;
} Scene;

/* Reads on until a line has the words, and returns it. */
static char *
wait_for_line (Scene *scene,
               const char *words)
{
  for (;;)
    {
      g_autofree char *line = tool_read_line (scene->monitor);

      if (!line)
        g_error ("monitor has ended before \"%s\"", words);
      if (strstr (line, words))
        return g_steal_pointer (&line);
    }
}

/* The same, and it is a line for people. */
static void
wait_to_read (Scene *scene,
              const char *words)
{
  g_autofree char *line = wait_for_line (scene, words);

  g_assert_cmpuint (strlen (line), <=, 80);
}

static void
scene_set_up (Scene *scene,
              gconstpointer option)
{
  scene->world = world_new ("");
  world_set_rules (scene->world, RULES_BOB);
  scene->bob = person_new ("bob", UID_BOB);
  scene->carol = person_new ("carol", UID_CAROL);
  scene->monitor = tool_start ("monitor", option, NULL);
  g_free (wait_for_line (scene, "running"));
}

static void
scene_tear_down (Scene *scene,
                 gconstpointer option)
{
  tool_free (scene->monitor);
  person_free (scene->carol);
  person_free (scene->bob);
  world_free (scene->world);
}

static void
test_who_got_what_and_why_it_ended (Scene *scene,
                                    gconstpointer option)
{
  g_autoptr (Stay) stay = stay_begin (scene->bob, "shm0", "bar2", "rwm", "{'label': <'ring'>}");

  wait_to_read (scene, "added: shm0 bar2 rwm, uid 2002");
  g_free (person_call (scene->bob, stay->opened->path, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  wait_to_read (scene, "ended: revoked");
  wait_to_read (scene, "State lingering");
  stay_let_go (stay);
  wait_to_read (scene, "removed: shm0 bar2 rwm, uid 2002");
}

static void
test_who_was_refused (Scene *scene,
                      gconstpointer option)
{
  g_free (person_open_fails (scene->carol, DENIED, "shm0", "bar2", "rwm", "{}"));
  wait_to_read (scene, "device shm0 refused: bar2 rwm, uid 2003");
}

static void
test_who_needs_a_password (Scene *scene,
                           gconstpointer option)
{
  world_set_rules (scene->world, "");
  g_free (person_open_fails (scene->carol, NEEDS_PROMPT, "shm0", "bar2", "rwm", "{}"));
  wait_to_read (scene, "device shm0 refused: bar2 rwm, uid 2003, needs a password");
}

/* Bob gave her his descriptor, and she may not have it. */
static void
test_who_may_not_attach (Scene *scene,
                         gconstpointer option)
{
  g_autoptr (Stay) stay = stay_begin (scene->bob, "shm0", "bar2", "rwm", "{}");
  g_autofree char *passed = person_pass (scene->bob, stay->opened->fd, scene->carol);
  guint serial = person_send_attach (scene->carol, passed, "{}");

  g_free (person_finish_failure (scene->carol, serial, DENIED));
  wait_to_read (scene, "device shm0 refused: bar2 rwm, uid 2003");
}

static void
test_why_somebody_was_busy (Scene *scene,
                            gconstpointer option)
{
  g_autoptr (Stay) stay = stay_begin (scene->bob, "shm0", "bar2", "rm", "{'exclusive': <true>}");
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);

  g_free (person_open_fails (bob, ERROR ("Busy"), "shm0", "control", "r", "{}"));
  wait_to_read (scene, ", Busy");
}

/* Nor does anybody ask polkit about it. */
static void
test_what_nobody_could_have (Scene *scene,
                             gconstpointer option)
{
  g_free (person_open_fails (scene->bob, ERROR ("NotSupported"), "shm0", "bar2", "rwm", "{'revocation': <'immediate'>}"));
  wait_to_read (scene, "device shm0 refused: bar2 rwm, uid 2002");
  service_wait_log ("refusal", "shm0:bar2", "uid 2002", "'immediate' is demanded", NULL);
}

static void
test_a_reset (Scene *scene,
              gconstpointer option)
{
  g_free (person_call (scene->bob, DEVICE_PREFIX "big", DEVICE_INTERFACE, "Reset", "(@a{sv} {},)"));
  wait_to_read (scene, "device big changed: State resetting");
  wait_to_read (scene, "device big changed: State parked");
}

static void
end_service (World *world,
             int signal)
{
  process_signal (world->regiond, signal);
  process_wait (world->regiond);
  process_free (world->regiond);
}

static void
test_a_restart (Scene *scene,
                gconstpointer option)
{
  World *world = scene->world;
  g_autoptr (Stay) stay = NULL;

  end_service (world, SIGTERM);
  wait_to_read (scene, "service org.regiond1 stopped");
  world->regiond = service_start (world->root);
  wait_to_read (scene, "service org.regiond1 started");
  stay = stay_begin (scene->bob, "shm0", "bar2", "rwm", "{}");
  wait_to_read (scene, "added: shm0 bar2 rwm, uid 2002");
  g_free (person_open_fails (scene->carol, DENIED, "shm0", "bar2", "rwm", "{}"));
  wait_to_read (scene, "refused");
}

static void
test_it_is_interrupted (Scene *scene,
                        gconstpointer option)
{
  g_autoptr (Result) result = NULL;

  tool_signal (scene->monitor, SIGTERM);
  result = tool_finish (scene->monitor);
  result_assert (result, 0);
}

static JsonObject *
wait_for_event (Scene *scene,
                const char *name)
{
  g_autofree char *words = g_strdup_printf ("\"event\":\"%s\"", name);
  g_autofree char *line = wait_for_line (scene, words);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = json_from_string (line, &error);

  g_assert_no_error (error);
  return json_object_ref (json_node_get_object (node));
}

static void
test_json (Scene *scene,
           gconstpointer option)
{
  g_autoptr (Stay) stay = stay_begin (scene->bob, "shm0", "bar2", "rwm", "{}");
  g_autoptr (JsonObject) added = wait_for_event (scene, "added");
  g_autoptr (JsonObject) ended = NULL;
  g_autoptr (JsonObject) removed = NULL;
  g_autoptr (JsonObject) refused = NULL;
  JsonObject *details;

  stay_let_go (stay);
  ended = wait_for_event (scene, "ended");
  removed = wait_for_event (scene, "removed");
  g_assert_cmpstr (json_object_get_string_member (added, "path"), ==, stay->opened->path);
  g_assert_cmpstr (json_object_get_string_member (removed, "path"), ==, stay->opened->path);
  details = json_object_get_object_member (ended, "details");
  g_assert_cmpstr (json_object_get_string_member (details, "reason"), ==, "released");

  g_free (person_open_fails (scene->carol, DENIED, "shm0", "bar2", "rwm", "{}"));
  refused = wait_for_event (scene, "refused");
  details = json_object_get_object_member (refused, "details");
  g_assert_cmpstr (json_object_get_string_member (refused, "path"), ==, SHM0);
  g_assert_cmpstr (json_object_get_string_member (details, "client"), ==, scene->carol->name);
  g_assert_cmpint (json_object_get_int_member (details, "uid"), ==, UID_CAROL);
  g_assert_cmpstr (json_object_get_string_member (details, "error"), ==, DENIED);
  g_assert_nonnull (strstr (json_object_get_string_member (details, "message"), ACTION_WRITE));
  g_assert_cmpint (json_object_get_int_member (details, "omitted"), ==, 0);
}

/* It says no word about its leases any more. */
static void
test_a_crash (Scene *scene,
              gconstpointer option)
{
  g_autoptr (Stay) before = stay_begin (scene->bob, "shm0", "bar2", "rwm", "{}");
  g_autoptr (Stay) after = NULL;
  g_autoptr (JsonObject) stopped = NULL;
  g_autoptr (JsonObject) started = NULL;
  g_autoptr (JsonObject) added = NULL;

  json_object_unref (wait_for_event (scene, "added"));
  end_service (scene->world, SIGKILL);
  stopped = wait_for_event (scene, "stopped");
  scene->world->regiond = service_start (scene->world->root);
  started = wait_for_event (scene, "started");
  after = stay_begin (scene->bob, "shm0", "bar2", "rwm", "{}");
  added = wait_for_event (scene, "added");
  g_assert_cmpstr (json_object_get_string_member (stopped, "kind"), ==, "service");
  g_assert_cmpstr (json_object_get_string_member (started, "kind"), ==, "service");
  g_assert_cmpstr (json_object_get_string_member (added, "path"), ==, after->opened->path);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
#define ADD(name, option, func) \
  g_test_add ("/monitor/" name, Scene, option, scene_set_up, func, scene_tear_down)
  ADD ("who-got-what-and-why-it-ended", NULL, test_who_got_what_and_why_it_ended);
  ADD ("who-was-refused", NULL, test_who_was_refused);
  ADD ("who-needs-a-password", NULL, test_who_needs_a_password);
  ADD ("who-may-not-attach", NULL, test_who_may_not_attach);
  ADD ("why-somebody-was-busy", NULL, test_why_somebody_was_busy);
  ADD ("what-nobody-could-have", NULL, test_what_nobody_could_have);
  ADD ("a-reset", NULL, test_a_reset);
  ADD ("a-restart", NULL, test_a_restart);
  ADD ("it-is-interrupted", NULL, test_it_is_interrupted);
  ADD ("json", "--json", test_json);
  ADD ("a-crash", "--json", test_a_crash);
  return g_test_run ();
}
