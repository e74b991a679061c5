/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "daemon.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char bus_config[] =
    "<busconfig>"
    " <listen>unix:path=%s/bus</listen>"
    " <auth>EXTERNAL</auth>"
    " <policy context='default'>"
    "  <allow user='*'/><allow own='*'/><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>"
    " </policy>"
    "</busconfig>";

/* One for all tests of a program: the environment must name the bus before
 * there are threads. */
static char *directory;

static void
die_with_parent (gpointer data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static void
remove_all (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      remove_all (child);
    }
  g_remove (path);
}

static void
empty_directory (void)
{
  remove_all (directory);
  g_assert_cmpint (g_mkdir (directory, 0755), ==, 0);
}

void
fixture_prepare (void)
{
  g_autofree char *address = NULL, *state = NULL;

  directory = g_dir_make_tmp ("regiond-XXXXXX", NULL);
  g_assert_nonnull (directory);
  g_assert_cmpint (g_chmod (directory, 0755), ==, 0);
  address = g_strdup_printf ("unix:path=%s/bus", directory);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);
  state = g_build_filename (directory, "run", NULL);
  g_setenv ("RUNTIME_DIRECTORY", state, TRUE);

  /* Registers the names, so that errors from the bus come back as these. */
  g_assert_cmpuint (REGIOND_ERROR, !=, 0);
  signal (SIGIO, SIG_IGN);
}

void
fixture_clean_up (void)
{
  remove_all (directory);
  g_free (directory);
}

int
fixture_main (int    argc,
              char  *argv[],
              void (*add_tests) (void))
{
  int status;

  g_test_init (&argc, &argv, NULL);
  fixture_prepare ();
  add_tests ();
  status = g_test_run ();
  fixture_clean_up ();
  return status;
}

static void
start_bus (Fixture *self)
{
  g_autofree char *config = g_build_filename (self->directory, "bus.conf", NULL);
  g_autofree char *text = g_strdup_printf (bus_config, self->directory);
  g_autofree char *option = g_strconcat ("--config-file=", config, NULL);
  const char *argv[] = { "dbus-daemon", option, "--nofork", "--nopidfile", "--print-address=1", NULL };
  char address[256] = "";
  g_autoptr (GError) error = NULL;
  gssize length;
  int out;

  g_assert_true (g_file_set_contents (config, text, -1, NULL));
  g_spawn_async_with_pipes (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                            die_with_parent, NULL, &self->bus, NULL, &out, NULL, &error);
  g_assert_no_error (error);

  /* Short enough to come in one piece. */
  length = read (out, address, sizeof address - 1);
  g_assert_cmpint (length, >, 0);
  close (out);
  self->address = g_strdup (g_strstrip (address));
}

void
fixture_write (Fixture    *self,
               const char *name,
               const char *text)
{
  g_autofree char *path = g_build_filename (self->directory, name, NULL);
  g_autofree char *folder = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

Fixture *
fixture_new (void)
{
  Fixture *self = g_new0 (Fixture, 1);

  self->directory = g_strdup (directory);
  start_bus (self);
  self->polkit = fake_polkit_new (self->address);
  fixture_write (self, "regiond.conf", "[Daemon]\nMaxMemory=8M\nAuthorizationTimeout=10s\n");
  fixture_write (self, "devices.d/shm0.conf",
                 "[Device]\nBackend=memory\nDescription=Sensor ring\n"
                 "[Region bar0]\nSize=4K\n[Region bar2]\nSize=256K\n");
  fixture_write (self, "devices.d/ring.conf",
                 "[Device]\nBackend=memory\nLinger=tolerate\n[Region data]\nSize=4K\n");
  return self;
}

Fixture *
fixture_new_in_process (void)
{
  Fixture *self = fixture_new ();
  g_autoptr (GError) error = NULL;
  GDBusConnection *bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);

  g_assert_no_error (error);
  g_dbus_connection_set_exit_on_close (bus, FALSE);
  self->library = bus;
  return self;
}

static gboolean
has_owner (Fixture *self)
{
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_sync (self->person, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "NameHasOwner", g_variant_new ("(s)", REGIOND_BUS_NAME),
                                   NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
  gboolean owned;

  g_assert_nonnull (reply);
  g_variant_get (reply, "(b)", &owned);
  return owned;
}

void
fixture_serve (Fixture *self)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autoptr (GError) error = NULL;

  if (self->person == NULL)
    self->person = fixture_connect (self);
  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  if (self->log != NULL)
    g_subprocess_launcher_set_stderr_file_path (launcher, self->log);
  self->service = g_subprocess_launcher_spawn (launcher, &error, g_getenv ("REGIOND"), "--config", self->directory,
                                               NULL);
  g_assert_no_error (error);
  wait_until (has_owner (self));
}

Fixture *
fixture_new_serving (void)
{
  Fixture *self = fixture_new ();

  fixture_serve (self);
  return self;
}

void
fixture_stop (Fixture *self)
{
  g_autoptr (GError) error = NULL;

  g_subprocess_send_signal (self->service, SIGTERM);
  g_subprocess_wait_check (self->service, NULL, &error);
  g_assert_no_error (error);
  g_clear_object (&self->service);
}

void
fixture_free (Fixture *self)
{
  if (self->service != NULL)
    fixture_stop (self);
  g_clear_pointer (&self->person, client_leave);
  g_clear_object (&self->library);
  g_clear_pointer (&self->polkit, fake_polkit_free);
  kill (self->bus, SIGTERM);
  g_assert_cmpint (waitpid (self->bus, NULL, 0), ==, self->bus);
  empty_directory ();
  g_free (self->directory);
  g_free (self->address);
  g_free (self);
}

GDBusConnection *
fixture_connect (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  GDBusConnection *connection = g_dbus_connection_new_for_address_sync (
      self->address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, &error);

  g_assert_no_error (error);
  return connection;
}

GDBusConnection *
fixture_connect_as (Fixture *self,
                    uid_t    uid)
{
  GDBusConnection *connection;

  g_assert_cmpint (seteuid (uid), ==, 0);
  connection = fixture_connect (self);
  g_assert_cmpint (seteuid (0), ==, 0);
  return connection;
}

void
client_leave (GDBusConnection *client)
{
  g_autoptr (GError) error = NULL;

  /* The bus may have gone first. */
  if (!g_dbus_connection_close_sync (client, NULL, &error))
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_object_unref (client);
}
