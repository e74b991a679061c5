/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "desktop.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "sandbox.h"

#define FOLDER SANDBOX_DIR "/session"
#define ADDRESS "unix:path=" FOLDER "/bus"
#define SHOWN SANDBOX_DIR "/shown"
#define LOG SANDBOX_DIR "/session.log"

/* Who becomes somebody else is not told of our death any more, but for this. */
#define AS_ALICE "/usr/bin/setpriv", "--reuid=2001", "--regid=2001", "--init-groups", "--pdeathsig=KILL"

gboolean
desktop_is_possible (void)
{
  return sandbox_has_program ("Xvfb") && sandbox_has_program ("dunst") && sandbox_has_program ("dunstctl");
}

static void
start_bus (Desktop *desktop)
{
  const char *const argv[] = { AS_ALICE, "/usr/bin/dbus-daemon", "--session", "--address=" ADDRESS, "--nofork",
                               "--nopidfile", NULL };

  desktop->bus = process_spawn (argv, NULL, NULL, LOG);
}

static gboolean
has_bus (gpointer data)
{
  return g_file_test (FOLDER "/bus", G_FILE_TEST_EXISTS);
}

/* It tells its number when it is ready. */
static void
start_display (Desktop *desktop)
{
  const char *const argv[] = { "/usr/bin/Xvfb", "-displayfd", "3", "-screen", "0", "640x480x24", "-nolisten", "tcp",
                               "-ac", NULL };
  char number[16] = "";
  gsize length = 0;
  int ends[2];

  g_assert_cmpint (pipe (ends), ==, 0);
  desktop->display = process_spawn (argv, NULL, (const ProcessFd[]){ { ends[1], 3 }, { -1, 0 } }, LOG);
  close (ends[1]);
  while (length + 1 < sizeof number && read (ends[0], number + length, 1) == 1 && number[length] != '\n')
    length++;
  close (ends[0]);
  desktop->display_name = g_strconcat ("DISPLAY=:", g_strchomp (number), NULL);
}

/* Runs dunstctl with WORD; what it answers. */
static char *
control (const char *word,
         const char *argument)
{
  const char *const argv[] = { AS_ALICE, "env", "DBUS_SESSION_BUS_ADDRESS=" ADDRESS, "dunstctl", word, argument, NULL };
  char *out = NULL;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL,
                NULL, NULL);
  return out;
}

static gboolean
answers (gpointer data)
{
  g_autofree char *out = control ("is-paused", NULL);

  return g_str_has_prefix (out, "false");
}

void
desktop_start_dunst (Desktop *desktop)
{
  const char *const argv[] = { AS_ALICE, "/usr/bin/stdbuf", "-oL", "/usr/bin/dunst", "-print", NULL };
  const char *const environment[] = { "DBUS_SESSION_BUS_ADDRESS=" ADDRESS, desktop->display_name,
                                      "XDG_RUNTIME_DIR=" FOLDER, NULL };

  desktop->dunst = process_spawn (argv, environment, NULL, SHOWN);
  if (!wait_for (answers, desktop, 10000))
    {
      g_autofree char *shown = desktop_read_shown ();

      g_error ("dunst does not answer:\n%s", shown);
    }
}

void
desktop_kill_dunst (Desktop *desktop)
{
  g_clear_pointer (&desktop->dunst, process_free);
}

Process *
desktop_start_agent (void)
{
  g_autofree char *program = sandbox_installed ("usr/libexec/regiond-agent");
  const char *const argv[] = { AS_ALICE, program, NULL };
  const char *const environment[] = { "DBUS_SESSION_BUS_ADDRESS=" ADDRESS, NULL };

  return process_spawn (argv, environment, NULL, LOG);
}

static void
wait_for_agent (void)
{
  const char *const argv[] = { AS_ALICE, "gdbus", "wait", "--address", ADDRESS, "--timeout", "10", "org.regiond1.Agent",
                               NULL };
  g_autoptr (GError) error = NULL;
  int status;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

Desktop *
desktop_new (void)
{
  Desktop *desktop = g_new0 (Desktop, 1);

  g_assert_cmpint (g_mkdir_with_parents (FOLDER, 0700), ==, 0);
  g_assert_cmpint (chown (FOLDER, UID_ALICE, UID_ALICE), ==, 0);
  g_unlink (SHOWN);
  g_unlink (FOLDER "/bus");
  start_bus (desktop);
  start_display (desktop);
  wait_until (has_bus, desktop, 10000, "the session's bus");
  desktop_start_dunst (desktop);
  desktop->agent = desktop_start_agent ();
  wait_for_agent ();
  return desktop;
}

void
desktop_free (Desktop *desktop)
{
  /* A clean end: leak checks report there. */
  process_signal (desktop->agent, SIGTERM);
  g_assert_cmpint (process_wait (desktop->agent), ==, 0);
  process_free (desktop->agent);
  g_clear_pointer (&desktop->dunst, process_free);
  process_free (desktop->display);
  process_free (desktop->bus);
  g_free (desktop->display_name);
  g_free (desktop);
}

char *
desktop_read_shown (void)
{
  char *text = NULL;

  g_file_get_contents (SHOWN, &text, NULL, NULL);
  return text ? text : g_strdup ("");
}

static gboolean
has_shown (gpointer text)
{
  g_autofree char *shown = desktop_read_shown ();

  return strstr (shown, text) != NULL;
}

void
desktop_wait_shown (Desktop *desktop,
                    const char *text)
{
  if (!wait_for (has_shown, (gpointer) text, 10000))
    {
      g_autofree char *shown = desktop_read_shown ();

      g_error ("\"%s\" is never shown:\n%s", text, shown);
    }
}

static gboolean
has_count (gpointer data)
{
  g_autofree char *out = control ("count", "displayed");

  return atoi (out) == GPOINTER_TO_INT (data);
}

void
desktop_wait_count (Desktop *desktop,
                    guint count)
{
  wait_until (has_count, GINT_TO_POINTER (count), 10000, "so many notifications");
}

void
desktop_press (Desktop *desktop)
{
  g_free (control ("action", "0"));
}

void
desktop_dismiss (Desktop *desktop)
{
  g_free (control ("close-all", NULL));
}
