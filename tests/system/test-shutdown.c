/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "scene.h"

#define CONF SERVICE_CONFIG "/regiond.conf"

static int
end_of (Process *regiond)
{
  int status = process_wait (regiond);

  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
expect_log (const char *word)
{
  g_autofree char *log = service_read_log ();

  if (!strstr (log, word))
    g_error ("no \"%s\" in: %s", word, log);
}

static void
end_by_signal (int signal_number)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Opened) hers = NULL;
  g_autoptr (Opened) his = NULL;

  world_set_rules (world, RULES_ALLOW_ALL);
  hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  his = person_open (bob, "kept", "bar2", "rwm", "{}");
  process_signal (world->regiond, signal_number);
  g_assert_cmpint (end_of (world->regiond), ==, 0);
  person_wait_signal (alice, hers->path, "Ended ('shutdown',)");
  person_wait_signal (bob, his->path, "Ended ('shutdown',)");
  g_clear_pointer (&world->regiond, process_free);
}

static void
test_a_signal_ends_it_cleanly (void)
{
  end_by_signal (SIGTERM);
  end_by_signal (SIGINT);
  end_by_signal (SIGHUP);
}

static void
test_it_ends_while_polkit_is_asked (World *world,
                                    Person *alice,
                                    Person *bob)
{
  g_auto (GStrv) strings = NULL;
  guint serial;

  process_stop (world->polkitd);
  serial = person_send_open (alice, "shm0", "bar2", "rwm", "{}", "");
  g_free (person_call (alice, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  process_signal (world->regiond, SIGTERM);
  g_assert_cmpint (end_of (world->regiond), ==, 0);
  strings = person_finish (alice, serial, NULL);
  g_assert_null (strings);
  g_clear_pointer (&world->regiond, process_free);
}

static void
test_a_second_one (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Process) second = service_spawn (NULL);

  g_assert_cmpint (end_of (second), ==, 1);
  expect_log ("org.regiond1");
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
}

static void
test_the_bus_goes_away (World *world,
                        Person *alice,
                        Person *bob)
{
  g_autoptr (Opened) opened = person_open (alice, "shm0", "bar2", "rwm", "{}");

  process_signal (world->bus->process, SIGKILL);
  g_assert_cmpint (end_of (world->regiond), ==, 1);
  expect_log ("bus");
  g_clear_pointer (&world->regiond, process_free);
}

static void
test_there_is_no_bus (void)
{
  g_autoptr (World) world = world_new_without_service ("");

  process_signal (world->bus->process, SIGKILL);
  process_wait (world->bus->process);
  world->regiond = service_spawn (NULL);
  g_assert_cmpint (end_of (world->regiond), ==, 1);
  expect_log ("bus");
  g_clear_pointer (&world->regiond, process_free);
}

/* What it lent before it was killed is nothing that it lends afterwards. */
static void
test_a_crash (World *world,
              Person *alice,
              Person *bob)
{
  g_autoptr (Opened) hers = person_open (alice, "shm0", "bar2", "rwm", "{}");
  g_autofree char *her_map = person_map (alice, hers->fd, "rw");
  g_autoptr (Opened) his = NULL;
  g_autofree char *his_map = NULL;

  process_free (g_steal_pointer (&world->regiond));
  world->regiond = service_start (world->root);
  g_assert_cmpuint (world_count_leases (world), ==, 0);
  his = person_open (bob, "shm0", "bar2", "rwm", "{'exclusive': <true>}");
  his_map = person_map (bob, his->fd, "rw");
  g_free (person_do (alice, "fill", her_map, NULL));
  person_expect_zeros (bob, his_map);
}

/* regiond.conf with this in it is an error that names the file and these words. */
static void
expect_config_error (const char *text,
                     const char *const *words)
{
  g_autoptr (Process) regiond = NULL;

  service_forget_log ();
  sandbox_write (CONF, text);
  regiond = service_spawn (NULL);
  g_assert_cmpint (end_of (regiond), ==, 78);
  expect_log ("regiond.conf");
  for (guint i = 0; words[i]; i++)
    expect_log (words[i]);
}

static void
test_errors_in_regiond_conf (void)
{
  g_autoptr (World) world = world_new_without_service ("");

  expect_config_error ("[Daemon]\nMaxMemory=4 elephants\n", (const char *[]){ "Daemon", "MaxMemory", NULL });
  expect_config_error ("[Daemon]\nMaxMemory=1G\nMaxMemory=2G\n", (const char *[]){ "Daemon", "MaxMemory", NULL });
  expect_config_error ("[Daemon]\nElephants=4\n", (const char *[]){ "Daemon", "Elephants", NULL });
  expect_config_error ("[Zoo]\nElephants=4\n", (const char *[]){ "Zoo", NULL });
  expect_config_error ("[Daemon]\nAuthorizationTimeout=soon\n",
                       (const char *[]){ "Daemon", "AuthorizationTimeout", NULL });
  expect_config_error ("\177ELF\001\001\377\376\n", (const char *[]){ NULL });
  expect_config_error ("MaxMemory=1G\n", (const char *[]){ NULL });
}

static void
test_a_folder_that_is_not_there (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autofree char *program = sandbox_installed ("usr/libexec/regiond");
  const char *const argv[] = { program, "--config", "/run/dbus/nothing-here", NULL };
  g_autoptr (Process) regiond = process_spawn (argv, NULL, NULL, SANDBOX_DIR "/regiond.log");

  g_assert_cmpint (end_of (regiond), ==, 78);
  expect_log ("/run/dbus/nothing-here");
}

static void
test_wrong_usage (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autoptr (Process) regiond = service_spawn ("--sideways");
  g_autoptr (Process) more = NULL;

  g_assert_cmpint (end_of (regiond), ==, 2);
  expect_log ("sideways");
  more = service_spawn ("argument");
  g_assert_cmpint (end_of (more), ==, 2);
}

static void
test_version (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  g_autoptr (Process) regiond = service_spawn ("--version");

  g_assert_cmpint (end_of (regiond), ==, 0);
  expect_log ("regiond 0.");
}

/* A faulty file is named, its device is left out, the others are served. */
static void
test_errors_in_device_files (void)
{
  static const struct
  {
    const char *id;
    const char *text;
    const char *word;
  } faulty[] = {
    { "elephants", "[Device]\nBackend=memory\n[Region a]\nSize=4 elephants\n", "Size" },
    { "twice", "[Device]\nBackend=memory\nDescription=a\nDescription=b\n[Region a]\nSize=4K\n", "Description" },
    { "odd", "[Device]\nBackend=memory\n[Region a]\nSize=4097\n", "Size" },
    { "unknown", "[Device]\nBackend=memory\nColour=red\n[Region a]\nSize=4K\n", "Colour" },
    { "nobackend", "[Device]\n[Region a]\nSize=4K\n", "Backend" },
    { "backend", "[Device]\nBackend=paper\n[Region a]\nSize=4K\n", "Backend" },
    { "noregion", "[Device]\nBackend=memory\n", "noregion" },
    { "badname", "[Device]\nBackend=memory\n[Region a b]\nSize=4K\n", "Region" },
    { "linger", "[Device]\nBackend=memory\nLinger=maybe\n[Region a]\nSize=4K\n", "Linger" },
    { "vfio", "[Device]\nBackend=vfio\nMatch=an ivshmem\n", "Match" },
    { "nomatch", "[Device]\nBackend=vfio\n", "Match" },
    { "leastvfio", "[Device]\nBackend=vfio\nMatch=1af4:1110\nMinimumRevocation=soon\n", "MinimumRevocation" },
    { "huge", "[Device]\nBackend=memory\n[Region a]\nSize=1000T\n", "huge" },
    { "b-i-n", "[Device]\nBackend=memory\n[Region a]\nSize=4K\n", "b-i-n" },
    { "binary", "\177ELF\377\376", "binary" },
  };
  g_autoptr (World) world = world_new_without_service ("");

  for (guint i = 0; i < G_N_ELEMENTS (faulty); i++)
    {
      g_autofree char *name = g_strconcat (faulty[i].id, ".conf", NULL);

      service_configure_device (name, faulty[i].text);
    }
  world->regiond = service_start (world->root);
  for (guint i = 0; i < G_N_ELEMENTS (faulty); i++)
    {
      g_autofree char *path = g_strconcat (DEVICE_PREFIX, faulty[i].id, NULL);
      g_autofree char *name = g_strconcat (faulty[i].id, ".conf", NULL);

      service_wait_log (name, faulty[i].word, NULL);
      g_assert_false (world_has_object (world, path));
    }
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/shutdown/a-signal-ends-it-cleanly", test_a_signal_ends_it_cleanly);
  scene_add ("/shutdown/it-ends-while-polkit-is-asked", RULES_ALLOW_ALL, test_it_ends_while_polkit_is_asked);
  g_test_add_func ("/shutdown/a-second-one", test_a_second_one);
  scene_add ("/shutdown/the-bus-goes-away", RULES_ALLOW_ALL, test_the_bus_goes_away);
  g_test_add_func ("/shutdown/there-is-no-bus", test_there_is_no_bus);
  scene_add ("/shutdown/a-crash", RULES_ALLOW_ALL, test_a_crash);
  g_test_add_func ("/shutdown/errors-in-regiond-conf", test_errors_in_regiond_conf);
  g_test_add_func ("/shutdown/a-folder-that-is-not-there", test_a_folder_that_is_not_there);
  g_test_add_func ("/shutdown/wrong-usage", test_wrong_usage);
  g_test_add_func ("/shutdown/version", test_version);
  g_test_add_func ("/shutdown/errors-in-device-files", test_errors_in_device_files);
  return g_test_run ();
}
