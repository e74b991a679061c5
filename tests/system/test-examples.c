/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "kept.h"
#include "tool.h"

/* The examples as they are installed, for alice; bob has the memory as well, and
 * sees what they put into it. */
static void
set_up (Kept *kept,
        gconstpointer data)
{
  kept_set_up (kept, "loose", RULES_ALLOW_ALL);
}

static void
tear_down (Kept *kept,
           gconstpointer data)
{
  kept_tear_down (kept);
}

static char *
find_example (const char *name)
{
  g_autofree char *path = g_build_filename ("usr/share/doc/regiond/examples", name, NULL);

  return sandbox_installed (path);
}

/* It has put TEXT into the region, keeps its lease, and lets go when its input ends. */
static void
expect_put (Kept *kept,
            Tool *tool,
            const char *text)
{
  g_autofree char *line = tool_read_line (tool);
  g_autoptr (Result) result = NULL;

  if (line == NULL)
    {
      result = tool_finish (tool);
      g_error ("the example has ended with %d: %s", result->status, result->err);
    }
  g_assert_true (g_str_has_prefix (line, "rw"));
  stay_expect_text (kept->stay, text);
  g_assert_cmpuint (world_count_leases (kept->world), ==, 2);
  tool_close_input (tool);
  result = tool_finish (tool);
  result_assert (result, 0);
  g_assert_cmpstr (result->err, ==, "");
}

/* Its lease is revoked, and it says so. */
static void
expect_told (Kept *kept,
             Tool *tool)
{
  g_autofree char *line = tool_read_line (tool);
  const char *lease = line ? strstr (line, "/org/regiond1/leases/") : NULL;
  g_autofree char *end = NULL;

  g_assert_nonnull (lease);
  g_free (person_call (kept->bob, lease, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  end = tool_read_line (tool);
  g_assert_cmpstr (end, ==, "the lease has ended: revoked");
  g_assert_true (g_subprocess_wait_check (tool->process, NULL, NULL));
  kept_wait_alone (kept);
}

static void
run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *out = NULL;
  int status;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL, &status, &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, NULL))
    g_error ("%s fails:\n%s", argv[0], out);
}

/* The example in C, made from the installed pkg-config file and interfaces. */
static char *
make_c (void)
{
  const char *folder = SANDBOX_DIR "/example";
  g_autofree char *source = find_example ("c");

  run ((const char *const[]){ "meson", "setup", folder, source, "-Dwerror=true", NULL });
  run ((const char *const[]){ "ninja", "-C", folder, NULL });
  return g_build_filename (folder, "region-example", NULL);
}

/* There is none of the id: it says so, and which. */
static void
expect_no_device (const char *program,
                  const char *id)
{
  g_autoptr (Tool) tool = tool_start_program (program, id, "bar2", "1", NULL);
  g_autoptr (Result) result = tool_finish (tool);

  result_assert (result, 1);
  g_assert_nonnull (strstr (result->err, "There is no device"));
  g_assert_nonnull (strstr (result->err, id));
}

/* What is no part of an object path is an id all the same. */
static void
expect_ids (const char *program)
{
  expect_no_device (program, "0000:00:10.0");
  expect_no_device (program, "no/device");
}

/* Three times: it is let be, its lease is revoked, and it is refused. */
static void
try_out (Kept *kept,
         const char *program,
         const char *text)
{
  g_autoptr (Tool) first = tool_start_program (program, "loose", "bar2", text, NULL);
  g_autoptr (Tool) second = NULL;
  g_autoptr (Tool) third = NULL;
  g_autoptr (Result) result = NULL;

  expect_put (kept, first, text);
  second = tool_start_program (program, "loose", "bar2", "again", NULL);
  expect_told (kept, second);
  third = tool_start_program (program, "loose", "bar9", "nowhere", NULL);
  result = tool_finish (third);
  result_assert (result, 1);
  g_assert_nonnull (strstr (result->err, "bar9"));
  expect_ids (program);
}

static void
test_c (Kept *kept,
        gconstpointer data)
{
  g_autofree char *program = make_c ();

  try_out (kept, program, "from C");
}

static void
test_python (Kept *kept,
             gconstpointer data)
{
  g_autofree char *script = find_example ("region-example.py");

  try_out (kept, script, "from Python");
}

static void
test_shell (Kept *kept,
            gconstpointer data)
{
  g_autofree char *script = find_example ("region-example.sh");
  g_autoptr (Tool) tool = tool_start_program (script, "loose", "bar2", "from the shell", NULL);
  g_autofree char *state = tool_read_line (tool);

  g_assert_cmpstr (state, ==, "loose is \"leased\"");
  expect_put (kept, tool, "from the shell");
  expect_ids (script);
}

/* It is gone, and the region is the program's until that ends. */
static void
test_agent (Kept *kept,
            gconstpointer data)
{
  g_autofree char *script = find_example ("region-agent.py");
  g_autoptr (Tool) tool = tool_start_program (script, "loose", "bar2", "rw", "sh", "-c",
                                              "echo $LISTEN_FDS $LISTEN_FDNAMES >&3; echo; ls -m /proc/$$/fd; read line",
                                              NULL);
  g_autofree char *line = tool_read_line (tool), *empty = tool_read_line (tool), *fds = tool_read_line (tool);
  g_autofree char *lease = NULL;
  guint pid;

  g_assert_cmpint (sscanf (line, "process %u has %ms", &pid, &lease), ==, 2);
  g_assert_cmpstr (fds, ==, "0, 1, 2, 3");
  g_assert_true (g_subprocess_wait_check (tool->process, NULL, NULL));
  stay_expect_text (kept->stay, "1 bar2\n");
  world_expect_string (kept->world, lease, LEASE_INTERFACE, "Owner", "");
  world_expect_string (kept->world, lease, LEASE_INTERFACE, "State", "active");
  g_assert_cmpuint (world_get_uint (kept->world, lease, LEASE_INTERFACE, "Pid"), ==, pid);

  tool_close_input (tool);
  kept_wait_alone (kept);
}

static void
test_agent_refused (Kept *kept,
                    gconstpointer data)
{
  g_autofree char *script = find_example ("region-agent.py");
  g_autoptr (Tool) tool = NULL;
  g_autoptr (Result) result = NULL;

  world_set_rules (kept->world, "polkit.addRule(function(action, subject) {"
                                "  if (action.id != 'org.regiond1.delegate') return polkit.Result.YES; });");
  tool = tool_start_program (script, "loose", "bar2", "rw", "echo", "it runs", NULL);
  result = tool_finish (tool);
  result_assert (result, 1);
  g_assert_nonnull (strstr (result->err, "org.regiond1.delegate"));
  g_assert_cmpstr (result->out, ==, "");
}

/* Those that other tests use, each with a region; here with a device that is not there. */
static void
test_any_id (Kept *kept,
             gconstpointer data)
{
  static const char *const names[] = { "ivshmem-server", "region-client", "region-talk" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *built = g_build_filename (g_getenv ("REGIOND_TEST_BUILD"), "docs/examples", names[i], NULL);
      g_autofree char *program = command_publish (built);

      expect_ids (program);
    }
}

/* Everything is found where it is installed. */
static void
set_paths (void)
{
  g_autofree char *programs = sandbox_installed ("usr/bin");
  g_autofree char *path = g_strconcat (programs, ":", g_getenv ("PATH"), NULL);
  g_autofree char *packages = sandbox_installed ("usr/share/pkgconfig");

  g_setenv ("PATH", path, TRUE);
  g_setenv ("PKG_CONFIG_PATH", packages, TRUE);
}

int
main (int argc,
      char **argv)
{
  set_paths ();
  world_init (&argc, &argv);
#define ADD(name, func) g_test_add ("/examples/" name, Kept, NULL, set_up, func, tear_down)
  ADD ("c", test_c);
  ADD ("python", test_python);
  ADD ("shell", test_shell);
  ADD ("agent", test_agent);
  ADD ("agent/refused", test_agent_refused);
  ADD ("any-id", test_any_id);
  return g_test_run ();
}
