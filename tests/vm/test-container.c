/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "../system/container.h"
#include "../system/tool.h"
#include "bench.h"
#include "devices.h"
#include "guest.h"

/* What of the device could be reached by other ways: a line for each. */
#define LOOK_AROUND \
  "ls -d /sys /run /dev/vfio /dev/mem 2> /dev/null;" \
  "find / -path /proc -prune -o -name 'resource*' -print -o -type b -print -o -type s -print;" \
  "(mknod /dev/mem c 1 1) 2> /dev/null && echo a node;" \
  "(head -c 1 /proc/self/fd/3) 2> /dev/null && echo opened again;"

static Tool *
start (Bench *bench,
       const char *access)
{
  g_autofree char *spec = g_strdup_printf ("%s:bar2:%s=ring", bench->address, access);

  return tool_start ("exec", spec, "--", CONTAINER_RUN, NULL);
}

static void
expect_line (Tool *tool,
             const char *expected)
{
  g_autofree char *line = tool_read_line (tool);

  g_assert_cmpstr (line, ==, expected);
}

static void
revoke_it (Bench *bench)
{
  g_autoptr (GVariant) leases = world_get (bench->world, bench->path, DEVICE_INTERFACE, "Leases");
  g_autofree const char **paths = g_variant_get_objv (leases, NULL);

  g_assert_cmpuint (g_strv_length ((char **) paths), ==, 1);
  g_free (person_call (bench->bob, paths[0], LEASE_INTERFACE, "Revoke", "('enough', @a{sv} {})"));
}

/* It maps the BAR, has nothing else of the device, and the mapping is taken from it. */
static void
test_mapped (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Tool) tool = NULL;
  g_autoptr (Result) result = NULL;

  if (!container_make (LOOK_AROUND "exec /bin/mapper"))
    return;

  container_furnish (g_getenv ("REGIOND_TEST_MAPPER"), "mapper");
  tool = start (bench, "rwm");
  expect_line (tool, "mapped");
  revoke_it (bench);
  result = tool_finish (tool);
  result_assert (result, 128 + SIGBUS);
  g_assert_nonnull (strstr (result->err, "has ended: revoked"));
}

/* By its path, too: it is alice's own file, and the only one. */
static void
test_proxied (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Tool) tool = NULL;
  g_autoptr (Result) result = NULL;

  if (!container_make ("printf abcd >&3; head -c 4 /proc/self/fd/3; echo; read line; head -c 4 /proc/self/fd/3 || echo dead"))
    return;

  tool = start (bench, "rw");
  expect_line (tool, "abcd");
  revoke_it (bench);
  tool_close_input (tool);
  expect_line (tool, "dead");
  result = tool_finish (tool);
  result_assert (result, 0);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/container/maps-a-bar-and-has-nothing-else", test_mapped);
  g_test_add_func ("/container/reads-and-writes-a-bar", test_proxied);
  return g_test_run ();
}
