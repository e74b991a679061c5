/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "kept.h"
#include "tool.h"
#include "world.h"

/* No mapping for anybody but the keeper of the memory, who is not asked about here. */
#define RULES_NO_MAPPING \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  if (subject.user == 'bob') return polkit.Result.YES;" \
  "  return ['r', 'w', 'rw'].indexOf(action.lookup('access')) >= 0 ? polkit.Result.YES : polkit.Result.NO; });\n"

/* Nothing but what the two commands need. */
#define RULES_NO_MORE \
  "polkit.addRule(function(action, subject) {" \
  "  if (subject.user == 'bob' || action.lookup('offset') == '8' &&" \
  "      (action.id == 'org.regiond1.write-region' && action.lookup('access') == 'w' ||" \
  "       action.id == 'org.regiond1.read-region' && action.lookup('access') == 'r' &&" \
  "       action.lookup('length') == '4')) return polkit.Result.YES;" \
  "  return polkit.Result.NO; });\n"

static void
set_up (Kept *kept,
        gconstpointer rules)
{
  kept_set_up (kept, "shm0", rules);
}

static void
tear_down (Kept *kept,
           gconstpointer rules)
{
  kept_tear_down (kept);
}

static void
test_no_mapping_is_needed (Kept *kept,
                           gconstpointer rules)
{
  g_autoptr (Result) written = tool_run ("to and fro", "write", "shm0", "bar2", NULL);
  g_autoptr (Result) read = NULL, dumped = NULL, whole = NULL;

  result_assert (written, 0);
  stay_expect_text (kept->stay, "to and fro");
  read = tool_run (NULL, "read", "shm0", "bar2", "3", "3", NULL);
  result_assert (read, 0);
  g_assert_cmpstr (read->out, ==, "and");
  dumped = tool_run (NULL, "dump", "shm0", "bar2", "0", "16", NULL);
  result_assert (dumped, 0);
  g_assert_nonnull (strstr (dumped->out, "|to and fro......|"));
  whole = tool_run (NULL, "dump", "shm0", "bar2", NULL);
  result_assert (whole, 0);
  g_assert_nonnull (strstr (whole->out, "00100000"));
}

static void
test_no_more_is_asked_for_than_is_needed (Kept *kept,
                                          gconstpointer rules)
{
  g_autoptr (Result) written = tool_run ("four", "write", "shm0", "bar2", "8", NULL);
  g_autoptr (Result) read = NULL, more = NULL;

  result_assert (written, 0);
  read = tool_run (NULL, "read", "shm0", "bar2", "8", "4", NULL);
  result_assert (read, 0);
  g_assert_cmpstr (read->out, ==, "four");
  more = tool_run (NULL, "read", "shm0", "bar2", "8", "5", NULL);
  result_assert (more, 1);
}

static void
test_too_much_is_not_written (Kept *kept,
                              gconstpointer rules)
{
  g_autoptr (Result) result = tool_run ("12345", "write", "shm0", "bar2", "1048572", NULL);

  result_assert (result, 1);
  g_assert_nonnull (strstr (result->err, "full after 4 bytes"));
}

static void
test_revoked_in_the_middle (Kept *kept,
                            gconstpointer rules)
{
  g_autoptr (Tool) tool = tool_start ("write", "shm0", "bar2", NULL);
  g_autoptr (Result) result = NULL;
  g_autoptr (GVariant) leases = NULL;
  g_autofree const char **paths = NULL;
  const char *path;

  service_wait_log ("grant shm0:bar2 w ", NULL);
  leases = world_get (kept->world, SHM0, DEVICE_INTERFACE, "Leases");
  paths = g_variant_get_objv (leases, NULL);
  path = g_str_equal (paths[0], kept->stay->opened->path) ? paths[1] : paths[0];
  g_free (person_call (kept->bob, path, LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
  g_assert_true (g_output_stream_write_all (tool->in, "late", 4, NULL, NULL, NULL));
  tool_close_input (tool);
  result = tool_finish (tool);
  result_assert (result, 1);
  g_assert_nonnull (strstr (result->err, "revoked"));
  stay_expect_zeros (kept->stay);
}

static void
test_a_part_is_held (Kept *kept,
                     gconstpointer rules)
{
  g_autoptr (Tool) tool = tool_start ("open", "shm0", "bar2", "rw", "--offset", "0x10", "--length", "1K", NULL);
  g_autofree char *path = tool_read_line (tool);
  g_autoptr (Result) mapped = NULL, wrong = NULL, end = NULL;

  world_expect_string (kept->world, path, LEASE_INTERFACE, "Mechanism", "proxy");
  g_assert_cmpuint (world_get_uint64 (kept->world, path, LEASE_INTERFACE, "Offset"), ==, 16);
  g_assert_cmpuint (world_get_uint64 (kept->world, path, LEASE_INTERFACE, "Size"), ==, 1024);
  tool_close_input (tool);
  end = tool_finish (tool);
  result_assert (end, 0);
  mapped = tool_run ("", "open", "shm0", "bar2", "rm", "--offset", "4K", NULL);
  result_assert (mapped, 1);
  g_assert_nonnull (strstr (mapped->err, "whole region"));
  wrong = tool_run ("", "open", "shm0", "bar2", "r", "--length", "0", NULL);
  result_assert (wrong, 2);
}

static void
test_a_command_with_a_file (Kept *kept,
                            gconstpointer rules)
{
  g_autoptr (Result) result = NULL;

  result = tool_run (NULL, "exec", "shm0:bar2:rw=file", "shm0:control:r", "--", "sh", "-c",
                     "printf before >&3; head -c 6 /proc/self/fd/3; stat -L -c ' %s %a' /proc/self/fd/3 /proc/self/fd/4;"
                     "cat /proc/self/fd/4 | wc -c", NULL);
  result_assert (result, 0);
  g_assert_cmpstr (result->out, ==, "before 1048576 600\n 4096 400\n4096\n");
  stay_expect_text (kept->stay, "before");
}

/* Where FUSE is missing regionctl maps. */
static void
test_without_fuse (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Stay) kept = NULL;
  g_autoptr (Result) written = NULL;
  g_autoptr (Result) read = NULL;

  world->regiond = service_start_starved (world->root, "mounts");
  world_set_rules (world, RULES_ALLOW_ALL);
  kept = stay_begin (bob, "shm0", "bar2", "rwm", "{}");
  written = tool_run ("mapped", "write", "shm0", "bar2", "4097", NULL);
  result_assert (written, 0);
  read = tool_run (NULL, "read", "shm0", "bar2", "4097", "6", NULL);
  result_assert (read, 0);
  g_assert_cmpstr (read->out, ==, "mapped");
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
#define ADD(name, rules, func) g_test_add ("/regionctl-proxy/" name, Kept, rules, set_up, func, tear_down)
  ADD ("no-mapping-is-needed", RULES_NO_MAPPING, test_no_mapping_is_needed);
  ADD ("no-more-is-asked-for-than-is-needed", RULES_NO_MORE, test_no_more_is_asked_for_than_is_needed);
  ADD ("too-much-is-not-written", RULES_NO_MAPPING, test_too_much_is_not_written);
  ADD ("revoked-in-the-middle", RULES_ALLOW_ALL, test_revoked_in_the_middle);
  ADD ("a-part-is-held", RULES_ALLOW_ALL, test_a_part_is_held);
  ADD ("a-command-with-a-file", RULES_ALLOW_ALL, test_a_command_with_a_file);
  g_test_add_func ("/regionctl-proxy/without-fuse", test_without_fuse);
  return g_test_run ();
}
