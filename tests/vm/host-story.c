/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A memory device of this machine's regiond is the memory of a guest's ivshmem
 * device, whose BAR 2 the guest's regiond lends. Nobody in it is root: not who
 * talks, not who serves the memory, not QEMU.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../system/command.h"
#include "../system/world.h"
#include "talk.h"

/* Where nobody's home is in the way of QEMU, which reads this by 9p as an ordinary user. */
#define PLACE "/mnt"
#define SOCKET_FOLDER SANDBOX_DIR "/alice"
#define SOCKET SOCKET_FOLDER "/memory"

static Command *
serve_memory (void)
{
  g_autofree char *built = g_build_filename (g_getenv ("REGIOND_TEST_BUILD"), "docs/examples/ivshmem-server", NULL);
  g_autofree char *program = command_publish (built);
  Command *server;

  g_assert_cmpint (g_mkdir (SOCKET_FOLDER, 0700), ==, 0);
  g_assert_cmpint (chown (SOCKET_FOLDER, UID_ALICE, UID_ALICE), ==, 0);
  server = command_start (UID_ALICE, program, "shm0", "bar2", SOCKET, NULL);
  command_wait_output (server, "machines can connect");
  return server;
}

/* The guest's root is what alice can read. These are the test's own folders. */
static void
open_for_reading (void)
{
  if (mount (g_getenv ("REGIOND_TEST_SOURCE"), PLACE, NULL, MS_BIND, NULL) != 0)
    g_error ("cannot mount the source on " PLACE ": %s", g_strerror (errno));
  g_assert_cmpint (chmod ("/usr/share/polkit-1/rules.d", 0755), ==, 0);
  g_assert_cmpint (chmod ("/etc/polkit-1/rules.d", 0755), ==, 0);
}

/* What it tells is not told here again, but where somebody looks for a reason. */
static GSubprocess *
boot_guest (void)
{
  const char *source = g_getenv ("REGIOND_TEST_SOURCE");
  g_autofree char *build = g_strconcat (PLACE, g_getenv ("REGIOND_TEST_BUILD") + strlen (source), NULL);
  g_autofree char *user = g_strdup_printf ("%d", UID_ALICE);
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autoptr (GError) error = NULL;
  GSubprocess *guest;

  open_for_reading ();
  g_subprocess_launcher_take_stdout_fd (launcher, dup (STDERR_FILENO));
  guest = g_subprocess_launcher_spawn (launcher, &error, PLACE "/tests/vm/run", "--kernel",
                                       g_getenv ("REGIOND_TEST_KERNEL"), "--build", build, "--memory", SOCKET, "--as",
                                       user, "story", NULL);
  g_assert_no_error (error);
  return guest;
}

static void
expect_the_guests_part (GSubprocess *guest)
{
  g_autoptr (GError) error = NULL;

  g_subprocess_wait_check (guest, NULL, &error);
  g_assert_no_error (error);
}

static void
test_story (void)
{
  g_autoptr (World) world = world_new ("");
  g_autoptr (Talk) first = NULL;
  g_autoptr (Talk) second = NULL;
  g_autoptr (GSubprocess) guest = NULL;
  Command *server;

  world_set_rules (world, RULES_ALLOW_ALL);
  server = serve_memory ();
  first = talk_start ("shm0", "bar2", "0");
  guest = boot_guest ();
  talk_expect (first, "the guest is here");
  talk_say (first, "so is the host");
  talk_expect (first, "kill me");

  /* The guest's is killed, and this one goes on. */
  talk_say (first, "now");
  talk_expect (first, "the guest is back");

  /* This one is killed, and its access has ended: what is left is the machine's. */
  g_assert_cmpuint (world_count_leases (world), ==, 2);
  talk_kill (first);
  world_wait_uint (world, SHM0, DEVICE_INTERFACE, "Lingering", 0, 5000);
  g_assert_cmpuint (world_count_leases (world), ==, 1);

  /* And the guest's goes on. */
  second = talk_start ("shm0", "bar2", "0");
  talk_say (second, "the host was killed, and is back");
  talk_expect (second, "the guest has noticed nothing");
  talk_say (second, "farewell");
  expect_the_guests_part (guest);
  command_kill (server);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/story/host-and-guest-talk-and-outlive-each-other", test_story);
  return g_test_run ();
}
