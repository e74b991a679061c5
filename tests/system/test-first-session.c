/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "command.h"
#include "scene.h"

#define RULES_ALICE \
  "polkit.addRule(function(action, subject) {" \
  "  if ((action.id == 'org.regiond1.read-region' || action.id == 'org.regiond1.write-region') &&" \
  "      action.lookup('device') == 'shm0' && action.lookup('region') == 'bar2' &&" \
  "      subject.user == 'alice') return polkit.Result.YES; });\n"

#define GDBUS_OPEN \
  "/usr/bin/gdbus", "call", "--system", "--dest", "org.regiond1", "--object-path", SHM0, "--method", \
  "org.regiond1.Device.OpenRegion", "bar2", "rwm", "{}"

static void
expect_text (const char *output,
             const char *word)
{
  if (!strstr (output, word))
    g_error ("no \"%s\" in: %s", word, output);
}

static void
test_gdbus (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *refusal = NULL;
  g_autofree char *grant = NULL;
  g_autofree char *other = NULL;
  int status;

  status = command_finish (command_start (UID_ALICE, GDBUS_OPEN, NULL), &refusal);
  g_assert_cmpint (status, !=, 0);
  expect_text (refusal, ACTION_WRITE);

  world_set_rules (world, RULES_ALICE);
  status = command_finish (command_start (UID_ALICE, GDBUS_OPEN, NULL), &grant);
  g_assert_cmpint (status, ==, 0);
  expect_text (grant, "/org/regiond1/leases/");
  /* It ends with gdbus. */
  world_wait_no_leases (world, 2000);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", 2000);

  status = command_finish (command_start (UID_BOB, GDBUS_OPEN, NULL), &other);
  g_assert_cmpint (status, !=, 0);
  expect_text (other, ACTION_WRITE);
}

static void
test_the_example (void)
{
  g_autoptr (World) world = world_new ("");
  g_autofree char *built = g_build_filename (g_getenv ("REGIOND_TEST_BUILD"), "docs/examples/region-client", NULL);
  g_autofree char *example = command_publish (built);
  g_autofree char *installed = sandbox_installed ("usr/bin/regionctl");
  g_autofree char *regionctl = command_publish (installed);
  g_autofree char *leases = NULL;
  g_autofree char *none = NULL;
  g_autofree char *text = NULL;
  Command *writer;

  world_set_rules (world, RULES_ALICE);
  writer = command_start (UID_ALICE, example, "shm0", "bar2", "written-by-the-example", NULL);
  command_wait_output (writer, "/org/regiond1/leases/");
  g_assert_cmpint (command_finish (command_start (UID_ALICE, regionctl, "leases", "--no-legend", NULL), &leases), ==,
                   0);
  expect_text (leases, "shm0");
  expect_text (leases, "bar2");

  command_kill (writer);
  world_wait_no_leases (world, 2000);
  g_assert_cmpint (command_finish (command_start (UID_ALICE, regionctl, "leases", "--no-legend", NULL), &none), ==,
                   0);
  g_assert_cmpstr (none, ==, "");
  g_assert_cmpint (command_finish (command_start (UID_ALICE, example, "--read", "shm0", "bar2", NULL), &text), ==, 0);
  g_assert_null (strstr (text, "written-by-the-example"));
  expect_text (text, "zero");
}

/* The shipped example rules do what their comments say. */
static void
test_the_example_rules (World *world,
                        Person *alice,
                        Person *bob)
{
  g_autofree char *path = sandbox_installed ("usr/share/doc/regiond/examples/polkit/50-regiond-user-one-region.rules");
  g_autofree char *group_path = sandbox_installed ("usr/share/doc/regiond/examples/polkit/"
                                                   "50-regiond-group-reads.rules");
  g_autoptr (Person) stranger = person_new ("witness", UID_WITNESS);
  g_autofree char *rules = NULL, *group_rules = NULL;
  g_autoptr (Opened) hers = NULL, his = NULL;

  g_assert_true (g_file_get_contents (path, &rules, NULL, NULL));
  g_assert_true (g_file_get_contents (group_path, &group_rules, NULL, NULL));
  world_set_rules (world, rules);
  hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_free (person_open_fails (alice, NEEDS_PROMPT, "shm0", "control", "rwm", "{}"));
  g_free (person_open_fails (bob, NEEDS_PROMPT, "shm0", "bar2", "rwm", "{}"));

  world_set_rules (world, group_rules);
  his = person_open (bob, "shm0", "bar2", "rm", "{}");
  g_free (person_open_fails (bob, NEEDS_PROMPT, "shm0", "bar2", "rwm", "{}"));
  g_free (person_open_fails (stranger, NEEDS_PROMPT, "shm0", "bar2", "rm", "{}"));
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/first-session/gdbus", test_gdbus);
  g_test_add_func ("/first-session/the-example", test_the_example);
  scene_add ("/first-session/the-example-rules", "", test_the_example_rules);
  return g_test_run ();
}
