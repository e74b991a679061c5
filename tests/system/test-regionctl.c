/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"
#include "world.h"

#define KEPT_SIZE 65536

static void
test_status_without_service (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autoptr (Result) list = tool_run (NULL, "list", NULL);
  g_autoptr (Result) nowhere = tool_run (NULL, "--address", "unix:path=/nonexistent", "list", NULL);
  g_autoptr (Result) usage = tool_run (NULL, "show", NULL);
  g_autoptr (Result) verb = tool_run (NULL, "frobnicate", NULL);
  g_autoptr (Result) option = tool_run (NULL, "list", "--frobnicate", NULL);
  g_autoptr (Result) version = tool_run (NULL, "--version", NULL);

  result_assert (list, 3);
  assert_has (list->err, "regionctl: regiond does not answer");
  result_assert (nowhere, 3);
  result_assert (usage, 2);
  assert_has (usage->err, "show DEVICE");
  result_assert (verb, 2);
  result_assert (option, 2);
  result_assert (version, 0);
  assert_has (version->out, "regionctl ");
}

static void
test_refused (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Result) read = tool_run (NULL, "--no-ask-password", "read", "shm0", "bar2", NULL);
  g_autoptr (Result) device = tool_run (NULL, "read", "nosuch", "bar2", NULL);
  g_autoptr (Result) region = tool_run (NULL, "read", "shm0", "nosuch", NULL);
  g_autoptr (Result) list = tool_run (NULL, "list", NULL);

  result_assert (read, 1);
  assert_has (read->err, ACTION_READ);
  g_assert_cmpstr (read->out, ==, "");
  result_assert (device, 1);
  result_assert (region, 1);
  assert_has (region->err, "nosuch");
  result_assert (list, 0);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

static gboolean
has_no_echo (gpointer data)
{
  return !session_has_echo (data);
}

/* With nobody's agent but its own, on its terminal. */
static void
test_prompt (void)
{
  g_autoptr (World) world = world_new ("");
  Session *session = session_start (80, "read", "shm0", "bar2", "0", "1", NULL);
  g_autoptr (Result) result = NULL;

  session_wait_for (session, "shm0");
  session_wait_for (session, "Password:");
  wait_until (has_no_echo, session, 5000, "a prompt that hides what is typed");
  session_type (session, "\003");
  session_wait_for_end (session);
  g_assert_true (session_has_echo (session));
  result = session_finish (session);
  g_assert_cmpint (result->status, ==, 128 + SIGINT);
  world_wait_no_leases (world, 5000);
}

static void
test_write_and_read (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Result) write = tool_run ("hello, region", "write", "kept", "bar2", "0x10", NULL);
  g_autoptr (Result) read = tool_run (NULL, "read", "kept", "bar2", "16", "13", NULL);
  g_autoptr (Result) last = tool_run ("!", "write", "kept", "bar2", "65535", NULL);
  g_autoptr (Result) dump = tool_run (NULL, "dump", "kept", "bar2", NULL);

  result_assert (write, 0);
  result_assert (read, 0);
  g_assert_cmpstr (read->out, ==, "hello, region");
  result_assert (last, 0);
  result_assert (dump, 0);
  g_assert_cmpstr (dump->out, ==,
                   "00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
                   "00000010  68 65 6c 6c 6f 2c 20 72  65 67 69 6f 6e 00 00 00  |hello, region...|\n"
                   "00000020  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
                   "*\n"
                   "0000fff0  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 21  |...............!|\n"
                   "00010000\n");
  /* Each has given its lease back before it ended. */
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

static void
assert_out_of_bounds (const char *verb,
                      const char *offset,
                      const char *length)
{
  g_autoptr (Result) result = tool_run ("x", verb, "kept", "bar2", offset, length, NULL);

  result_assert (result, 1);
  assert_has (result->err, "beyond the end of region bar2, which has 64K bytes");
  g_assert_cmpstr (result->out, ==, "");
}

static void
test_bounds (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autofree char *longer = g_strnfill (KEPT_SIZE + 1, 'x');
  g_autoptr (Result) overflow = tool_run (longer, "write", "kept", "bar2", NULL);
  g_autoptr (Result) nonsense = tool_run (NULL, "read", "kept", "bar2", "4 elephants", NULL);
  g_autoptr (Result) nothing = tool_run (NULL, "read", "kept", "bar2", "0", "0", NULL);

  assert_out_of_bounds ("read", "64K", NULL);
  assert_out_of_bounds ("read", "0", "65537");
  assert_out_of_bounds ("dump", "0xffff", "2");
  assert_out_of_bounds ("write", "18446744073709551615", NULL);
  result_assert (overflow, 1);
  assert_has (overflow->err, "full after 65536 bytes");
  result_assert (nonsense, 2);
  result_assert (nothing, 2);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

static void
test_progress (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autofree char *file = g_strdup_printf ("/tmp/test-regionctl-%d", getpid ());
  g_autoptr (Result) add = tool_run (NULL, "add", "huge", "whole=32M", "--description", "Much", NULL);
  g_autoptr (Result) bar = tool_run_on_terminal (80, "dump", "huge", "whole", "--output", file, NULL);
  g_autoptr (Result) piped = tool_run (NULL, "dump", "huge", "whole", "--output", file, NULL);
  g_autoptr (Result) shown = tool_run_on_terminal (80, "dump", "huge", "whole", NULL);
  g_autoptr (Result) small = tool_run_on_terminal (80, "dump", "shm0", "bar2", "--output", file, NULL);

  result_assert (add, 0);
  result_assert (bar, 0);
  assert_has (bar->out, "\r[");
  assert_has (bar->out, "100%");
  g_assert_true (g_str_has_suffix (bar->out, "\r\033[K"));
  result_assert (piped, 0);
  g_assert_cmpstr (piped->out, ==, "");
  g_assert_cmpstr (piped->err, ==, "");
  result_assert (shown, 0);
  g_assert_null (strchr (shown->out, '%'));
  result_assert (small, 0);
  g_assert_cmpstr (small->out, ==, "");
  unlink (file);
}

static void
test_open (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) tool = tool_start ("open", "shm0", "bar2", "rwm", "--exclusive", "--label", "mine",
                                      "--revocation", "detached", NULL);
  g_autofree char *path = tool_read_line (tool);
  g_autofree char *label = world_get_string (world, path, LEASE_INTERFACE, "Label");
  g_autoptr (Result) busy = tool_run (NULL, "read", "shm0", "bar2", NULL);
  g_autoptr (Result) result = NULL;

  g_assert_cmpstr (label, ==, "mine");
  result_assert (busy, 1);
  tool_close_input (tool);
  result = tool_finish (tool);
  result_assert (result, 0);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
}

static void
test_open_ended (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) tool = tool_start ("open", "shm0", "bar2", NULL);
  g_autofree char *path = tool_read_line (tool);
  g_autoptr (Result) revoke = tool_run (NULL, "revoke", path, NULL);
  g_autoptr (Result) result = tool_finish (tool);
  g_autoptr (Result) again = tool_run (NULL, "revoke", path, NULL);
  g_autoptr (Result) wrong = tool_run (NULL, "revoke", "seventeen", NULL);

  result_assert (revoke, 0);
  result_assert (result, 1);
  assert_has (result->err, "The lease has ended: revoked");
  result_assert (again, 1);
  result_assert (wrong, 2);
}

static void
test_open_interrupted (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) tool = tool_start ("open", "shm0", "bar2", NULL);
  g_autofree char *path = tool_read_line (tool);
  g_autoptr (Result) result = NULL;

  g_assert_true (world_has_object (world, path));
  tool_signal (tool, SIGINT);
  result = tool_finish (tool);
  result_assert (result, 0);
}

static void
test_manage (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Result) add = tool_run (NULL, "add", "ring", "data=1M", "control=4K", "--description", "A ring",
                                     "--persist", NULL);
  g_autoptr (Result) again = tool_run (NULL, "add", "ring", "data=1M", NULL);
  g_autoptr (Result) wrong = tool_run (NULL, "add", "ring2", "data", NULL);
  g_autoptr (Result) list = tool_run (NULL, "list", NULL);
  g_autoptr (Result) reset = tool_run (NULL, "reset", "ring", NULL);
  g_autoptr (Result) verify = tool_run (NULL, "verify", "ring", "--timeout", "1s", NULL);
  g_autoptr (Result) taken = tool_run (NULL, "remove", "ring", NULL);
  g_autoptr (Result) gone = tool_run (NULL, "remove", "ring", "--force", NULL);

  result_assert (add, 0);
  result_assert (again, 1);
  result_assert (wrong, 2);
  assert_has (list->out, "A ring");
  result_assert (reset, 0);
  result_assert (verify, 0);
  result_assert (taken, 0);
  result_assert (gone, 1);
}

static JsonNode *
parse (Result *result)
{
  g_autoptr (GError) error = NULL;
  JsonNode *node;

  result_assert (result, 0);
  node = json_from_string (result->out, &error);
  g_assert_no_error (error);
  return node;
}

static void
test_json (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Tool) holder = tool_start ("open", "shm0", "bar2", NULL);
  g_autofree char *path = tool_read_line (holder);
  g_autoptr (Result) list = tool_run (NULL, "list", "--json", NULL);
  g_autoptr (Result) leases = tool_run (NULL, "--json", "leases", "shm0", NULL);
  g_autoptr (Result) show = tool_run (NULL, "show", "--json", "shm0", NULL);
  g_autoptr (Result) verify = tool_run (NULL, "verify", "--json", "shm0", NULL);
  g_autoptr (Result) open = tool_run ("", "open", "--json", "shm0", "control", NULL);
  g_autoptr (JsonNode) devices = parse (list);
  g_autoptr (JsonNode) array = parse (leases);
  g_autoptr (JsonNode) device = parse (show);
  g_autoptr (JsonNode) verdict = parse (verify);
  g_autoptr (JsonNode) lease = parse (open);

  g_assert_cmpuint (json_array_get_length (json_node_get_array (devices)), ==, 4);
  g_assert_cmpuint (json_array_get_length (json_node_get_array (array)), ==, 1);
  g_assert_cmpstr (json_object_get_string_member (json_array_get_object_element (json_node_get_array (array), 0),
                                                  "Path"), ==, path);
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (device), "Id"), ==, "shm0");
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (json_node_get_object (device), "Leases")),
                    ==, 1);
  g_assert_true (json_object_get_boolean_member (json_node_get_object (verdict), "released"));
  g_assert_cmpstr (json_object_get_string_member (json_node_get_object (lease), "Region"), ==, "control");
}

static void
assert_fits (guint columns,
             const char *verb,
             const char *argument)
{
  g_autoptr (Result) result = tool_run_on_terminal (columns, verb, argument, NULL);
  g_auto (GStrv) lines = g_strsplit (result->out, "\r\n", -1);

  result_assert (result, 0);
  g_assert_cmpuint (g_strv_length (lines), >, 2);
  for (guint i = 0; lines[i]; i++)
    g_assert_cmpuint (g_utf8_strlen (lines[i], -1), <=, columns);
}

static void
test_widths (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autofree char *words = g_strnfill (120, 'd');
  g_autoptr (Result) add = tool_run (NULL, "add", "a_device_with_a_name_that_is_rather_long", "one=4K", "two=4K",
                                     "three=4K", "four=4K", "--description", words, NULL);
  g_autoptr (Tool) holder = tool_start ("open", "a_device_with_a_name_that_is_rather_long", "three",
                                        "--label", "a label that is sixty-four letters long, which is all there is",
                                        NULL);
  g_autofree char *path = tool_read_line (holder);
  g_autoptr (Result) full = tool_run (NULL, "list", NULL);

  result_assert (add, 0);
  g_assert_nonnull (path);
  for (guint columns = 60; columns <= 200; columns += columns == 60 ? 20 : 120)
    {
      assert_fits (columns, "list", NULL);
      assert_fits (columns, "leases", NULL);
    }
  assert_has (full->out, words);
}

/* Completes LINE in a bash of alice's; the answers, one a line. */
static char *
complete (const char *line)
{
  g_autofree char *regionctl = sandbox_installed ("usr/bin/regionctl");
  g_autofree char *completion = sandbox_installed ("usr/share/bash-completion/completions/regionctl");
  const char *const argv[] = {
    "bash", "--norc", "-c",
    ". /usr/share/bash-completion/bash_completion; . \"$1\"; PATH=${2%/*}:$PATH;"
    "COMP_LINE=$3; COMP_POINT=${#3}; shopt -s extglob;"
    "mapfile -t COMP_WORDS < <(grep -oE '[:=]+|[^ :=]+' <<< \"$3\");"
    "[[ $3 == *' ' ]] && COMP_WORDS+=('');"
    "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt () { :; };"
    "_regionctl; printf '%s\\n' \"${COMPREPLY[@]}\"",
    "bash", completion, regionctl, line, NULL,
  };
  g_autoptr (GError) error = NULL;
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (err, ==, "");
  return g_steal_pointer (&out);
}

static void
assert_completes (const char *line,
                  const char *answers)
{
  g_autofree char *out = complete (line);

  g_assert_cmpstr (out, ==, answers);
}

static void
test_completion (void)
{
  g_autoptr (World) world = NULL;

  if (!g_file_test ("/usr/share/bash-completion/bash_completion", G_FILE_TEST_EXISTS))
    {
      g_test_skip ("bash-completion is not installed");
      return;
    }

  world = world_new_allowing_all ("");
  assert_completes ("regionctl re", "read\nrevoke\nreset\nremove\n");
  assert_completes ("regionctl show ", "big\nkept\nloose\nshm0\n");
  assert_completes ("regionctl read --output file s", "shm0\n");
  assert_completes ("regionctl read shm0 ", "bar2\ncontrol\n");
  assert_completes ("regionctl --address unix:path=/nonexistent show ", "\n");
  assert_completes ("regionctl exec s", "shm0:\n");
  assert_completes ("regionctl exec shm0:c", "control:\n");
  assert_completes ("regionctl exec shm0:bar2:", "r\nw\nrw\nrm\nrwm\n");
  assert_completes ("regionctl attach 3:r", "r\nrw\nrm\nrwm\n");
  assert_completes ("regionctl remove --f", "--force\n");
  assert_completes ("regionctl explain shm0:c", "control:\n");
  assert_completes ("regionctl explain --le", "--length\n");
  assert_completes ("regionctl explain --rule --group regions-", "regions-admin\n");
  assert_completes ("regionctl explain --rule --group regions s", "shm0:\n");
  assert_completes ("regionctl explain --client ", "\n");
  assert_completes ("regionctl explain --client org.example s", "shm0:\n");
  /* What follows is an address, and nothing follows that. */
  assert_completes ("regionctl bind --group --f", "--force\n");
  assert_completes ("regionctl bind --group 0000:00:10.0 ", "\n");
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/regionctl/status-without-service", test_status_without_service);
  g_test_add_func ("/regionctl/refused", test_refused);
  g_test_add_func ("/regionctl/prompt", test_prompt);
  g_test_add_func ("/regionctl/write-and-read", test_write_and_read);
  g_test_add_func ("/regionctl/bounds", test_bounds);
  g_test_add_func ("/regionctl/progress", test_progress);
  g_test_add_func ("/regionctl/open", test_open);
  g_test_add_func ("/regionctl/open/ended", test_open_ended);
  g_test_add_func ("/regionctl/open/interrupted", test_open_interrupted);
  g_test_add_func ("/regionctl/manage", test_manage);
  g_test_add_func ("/regionctl/json", test_json);
  g_test_add_func ("/regionctl/widths", test_widths);
  g_test_add_func ("/regionctl/completion", test_completion);
  return g_test_run ();
}
