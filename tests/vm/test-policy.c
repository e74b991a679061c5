/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real devices and the policy: what polkit is told of them, and what goes when it says no or a process ends. */
#include <string.h>

#include "../system/vocabulary.h"
#include "bench.h"
#include "devices.h"
#include "eventually.h"
#include "guest.h"

#define GROUP_RULE "usr/share/doc/regiond/examples/polkit/50-regiond-iommu-group.rules"

#define SIZE "4194304"
#define MARK "0x6e697073"
#define SOON 20000

/* nvme's interrupt mask: it keeps what is written until it is reset. */
#define NVME_INTMS "0xc"
#define NVME_SIZE "16384"
#define NVME_MARK "0x3003"

static char *
map_bar (Person *person,
         const char *fd)
{
  return person_do (person, "map-bar", fd, "rw", SIZE, NULL);
}

/* The lease ends at once; to look whether anything is left of it, and to cut that, takes a moment. */
static gboolean
is_taken (Person *person,
          const char *map)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) seen = person_finish (person, person_send (person, "load", map, "0", "4", NULL), &error);

  return !seen && g_str_has_prefix (error->message, "SIGBUS");
}

/* RULES_DETAILS with what the kernel says of the device, and DRIVER; MORE is of JavaScript. */
static void
set_rules_about (Bench *bench,
                 const char *driver,
                 const char *more)
{
  g_autofree char *vendor = guest_attribute (bench->address, "vendor");
  g_autofree char *model = guest_attribute (bench->address, "device");
  g_autofree char *class = guest_attribute (bench->address, "class");
  g_autofree char *rules =
    g_strdup_printf (RULES_DETAILS ("{ address: '%s', vendor: '%s', model: '%s', class: '%s', driver: '%s',"
                                    "  iommu_group: '%d', backend: 'vfio', device: '%s', %s }"),
                     bench->address, vendor, model, class, driver, guest_group (bench->address), bench->address, more);

  world_set_rules (bench->world, rules);
}

static gboolean
is_let_in (Bench *bench,
           const char *region,
           const char *access)
{
  guint serial = person_send_open (bench->alice, bench->id, region, access, "{}", "");
  g_auto (GStrv) strings = person_finish (bench->alice, serial, NULL);

  if (strings)
    person_let_go (bench->alice, NULL, strings[1]);
  return strings != NULL;
}

static void
test_polkit_is_told_what_the_kernel_says (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);

  set_rules_about (bench, "vfio-pci", "region: 'bar2', region_kind: 'mmio', mechanism: 'bar', revocation: 'immediate'");
  polkit_expect_details (is_let_in (bench, "bar2", "rwm"));
  g_assert_false (is_let_in (bench, "bar2", "rw"));
  set_rules_about (bench, "vfio-pci", "region: 'config', region_kind: 'config', mechanism: 'proxy'");
  polkit_expect_details (is_let_in (bench, "config", "r"));
}

static void
test_every_detail_of_a_real_device_is_in_the_vocabulary (void)
{
  static const char *const told[] = { "address", "vendor", "model", "class", "driver", "iommu_group", NULL };
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);

  world_set_rules (bench->world, VOCABULARY_RULES);
  g_assert_true (is_let_in (bench, "bar2", "rwm"));
  vocabulary_expect (told);
}

/* The installed example with GROUP as the number. */
static void
set_group_rule (Bench *bench,
                int group)
{
  g_autofree char *path = sandbox_installed (GROUP_RULE);
  g_autofree char *number = g_strdup_printf ("\"%d\"", group);
  g_autofree char *text = NULL;
  g_auto (GStrv) parts = NULL;
  g_autofree char *rules = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  parts = g_strsplit (text, "\"7\"", -1);
  g_assert_cmpuint (g_strv_length (parts), ==, 2);
  rules = g_strjoinv (number, parts);
  world_set_rules (bench->world, rules);
}

static void
test_the_rule_for_a_group_lets_in_to_its_devices (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  int group = guest_group (bench->address);

  set_group_rule (bench, group);
  g_assert_true (is_let_in (bench, "bar2", "rwm"));
  g_assert_true (is_let_in (bench, "bar2", "r"));
  g_assert_false (is_let_in (bench, "config", "r"));
  g_free (person_open_fails (bench->bob, NEEDS_PROMPT, bench->id, "bar2", "rwm", "{}"));
  set_group_rule (bench, group + 1);
  g_assert_false (is_let_in (bench, "bar2", "rwm"));
}

#define RULES_BUT(users) \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  return " users ".indexOf(subject.user) >= 0 ? polkit.Result.NO : polkit.Result.YES; });\n"

#define WITHDRAWN "Ended ('withdrawn',)"

/* What is proxied is its holder's alone. What is mapped is taken from all who map it, allowed or not. */
static void
test_who_is_refused_now_loses_a_real_device (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Opened) hers = person_open (bench->alice, bench->id, "bar2", "rwm", "{}");
  g_autoptr (Opened) his = person_open (bench->bob, bench->id, "bar2", "rw", "{}");
  g_autoptr (Opened) carols = person_open (carol, bench->id, "bar2", "rwm", "{}");
  g_autoptr (Opened) proxied = person_open (carol, bench->id, "bar2", "rw", "{}");
  g_autofree char *her_map = map_bar (bench->alice, hers->fd);
  g_autofree char *carols_map = map_bar (carol, carols->fd);
  g_autofree char *seen = NULL;

  g_free (person_do (carol, "pwrite", proxied->fd, "0", "spin", NULL));
  world_set_rules (bench->world, RULES_BUT ("['bob']"));
  person_wait_signal (bench->bob, his->path, WITHDRAWN);
  person_wait_cut (bench->bob, his->fd);
  person_expect_load (bench->alice, her_map, "0", MARK);
  person_expect_load (carol, carols_map, "0", MARK);
  person_expect_no_signal (carol);

  world_set_rules (bench->world, RULES_BUT ("['alice', 'bob']"));
  person_wait_signal (bench->alice, hers->path, WITHDRAWN);
  person_wait_signal (carol, carols->path, "Ended ('superseded',)");
  eventually (is_taken (bench->alice, her_map));
  eventually (is_taken (carol, carols_map));
  g_free (person_fail (bench->alice, "EINVAL", "map", hers->fd, "rw", NULL));
  seen = person_do (carol, "pread", proxied->fd, "0", NULL);
  g_assert_true (g_str_has_prefix (seen, "spin"));
  world_expect_string (bench->world, proxied->path, LEASE_INTERFACE, "State", "active");
}

#define BIND "{'bind-to': <handle 0>}"
#define ENDED "Ended ('process-ended',)"

/* What alice opens for bob's process; the number that the descriptor has there. */
static Opened *
open_for_bob (Bench *bench,
              const char *region,
              char **his)
{
  g_autofree char *pidfd = person_take_pidfd (bench->alice, bench->bob->process->pid);
  Opened *opened =
    person_finish_open (bench->alice, person_send_open (bench->alice, bench->id, region, "rwm", BIND, pidfd));

  *his = person_pass (bench->alice, opened->fd, bench->bob);
  return opened;
}

static void
test_a_device_is_fresh_when_the_process_that_mapped_it_has_ended (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_NVME);
  g_autofree char *his = NULL, *map = NULL, *seen = NULL;
  g_autoptr (Opened) opened = open_for_bob (bench, "bar0", &his);
  g_autoptr (Opened) next = NULL;

  map = person_do (bench->bob, "map-bar", his, "rw", NVME_SIZE, NULL);
  g_free (person_do (bench->bob, "store", map, NVME_INTMS, NVME_MARK, NULL));
  person_expect_load (bench->bob, map, NVME_INTMS, NVME_MARK);
  person_kill (bench->bob);
  person_wait_signal (bench->alice, opened->path, ENDED);
  person_let_go (bench->alice, NULL, opened->fd);
  world_wait_string (bench->world, bench->path, DEVICE_INTERFACE, "State", "parked", SOON);
  g_clear_pointer (&map, g_free);

  next = person_open (bench->alice, bench->id, "bar0", "rwm", "{}");
  map = person_do (bench->alice, "map-bar", next->fd, "rw", NVME_SIZE, NULL);
  seen = person_do (bench->alice, "load", map, NVME_INTMS, "4", NULL);
  g_assert_cmpstr (seen, !=, NVME_MARK);
}

/* The agent has kept a copy: that is one of somebody who lives. */
static void
test_what_the_agent_has_kept_is_cut_when_the_process_ends (void)
{
  g_autoptr (Bench) bench = bench_new (GUEST_IVSHMEM);
  g_autofree char *his = NULL, *map = NULL, *kept = NULL;
  g_autoptr (Opened) opened = open_for_bob (bench, "bar2", &his);

  kept = map_bar (bench->alice, opened->fd);
  map = map_bar (bench->bob, his);
  g_free (person_do (bench->bob, "store", map, "0", MARK, NULL));
  person_expect_load (bench->alice, kept, "0", MARK);
  person_kill (bench->bob);
  person_wait_signal (bench->alice, opened->path, ENDED);
  world_wait_string (bench->world, opened->path, LEASE_INTERFACE, "State", "lingering", SOON);
  eventually (is_taken (bench->alice, kept));
  g_free (person_open_fails (bench->alice, ERROR ("Lingering"), bench->id, "bar2", "rwm", "{}"));
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/policy/polkit-is-told-what-the-kernel-says", test_polkit_is_told_what_the_kernel_says);
  g_test_add_func ("/policy/every-detail-of-a-real-device-is-in-the-vocabulary",
                   test_every_detail_of_a_real_device_is_in_the_vocabulary);
  g_test_add_func ("/policy/rule-for-a-group-lets-in-to-its-devices", test_the_rule_for_a_group_lets_in_to_its_devices);
  g_test_add_func ("/policy/who-is-refused-now-loses-a-real-device", test_who_is_refused_now_loses_a_real_device);
  g_test_add_func ("/policy/device-is-fresh-when-the-process-that-mapped-it-has-ended",
                   test_a_device_is_fresh_when_the_process_that_mapped_it_has_ended);
  g_test_add_func ("/policy/what-the-agent-has-kept-is-cut-when-the-process-ends",
                   test_what_the_agent_has_kept_is_cut_when_the_process_ends);
  return g_test_run ();
}
