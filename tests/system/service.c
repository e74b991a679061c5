/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service.h"

#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

#include "deadline.h"
#include "sandbox.h"

#define LOG SERVICE_LOG
#define DEVICES SERVICE_CONFIG "/devices.d"

static void
empty_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_unlink (path);
    }
}

void
service_configure (const char *text)
{
  g_autofree char *whole = g_strconcat ("[Daemon]\n", text, "\n", NULL);

  g_assert_cmpint (g_mkdir_with_parents (DEVICES, 0755), ==, 0);
  empty_folder (DEVICES);
  sandbox_write (SERVICE_CONFIG "/regiond.conf", whole);
}

void
service_configure_device (const char *name,
                          const char *text)
{
  g_autofree char *path = g_build_filename (DEVICES, name, NULL);

  sandbox_write (path, text);
}

static Process *
spawn (const char *more,
       const char *const *environment)
{
  g_autofree char *program = sandbox_installed ("usr/libexec/regiond");
  const char *const argv[] = { program, "--config", SERVICE_CONFIG, "--verbose", more, NULL };

  return process_spawn (argv, environment, NULL, LOG);
}

Process *
service_spawn (const char *more)
{
  return spawn (more, NULL);
}

typedef struct
{
  GDBusConnection *root;
  Process *regiond;
} Start;

static gboolean
has_name (gpointer data)
{
  Start *start = data;
  g_autoptr (GVariant) answer = NULL;
  gboolean owned = FALSE;

  if (!process_is_running (start->regiond))
    {
      g_autofree char *log = service_read_log ();

      g_error ("regiond has ended with status %#x:\n%s", start->regiond->status, log);
    }
  answer = g_dbus_connection_call_sync (start->root, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "NameHasOwner",
                                        g_variant_new ("(s)", "org.regiond1"), NULL, 0, 2000, NULL, NULL);
  if (answer)
    g_variant_get (answer, "(b)", &owned);
  return owned;
}

static Process *
wait_for_name (GDBusConnection *root,
               Process *regiond)
{
  Start start = { root, regiond };

  wait_until (has_name, &start, 60000, "regiond");
  return regiond;
}

Process *
service_start (GDBusConnection *root)
{
  return wait_for_name (root, service_spawn (NULL));
}

Process *
service_start_with (GDBusConnection *root,
                    const char *const *environment)
{
  return wait_for_name (root, spawn (NULL, environment));
}

Process *
service_start_wrapped (GDBusConnection *root,
                       const char *const *wrapper)
{
  g_autofree char *program = sandbox_installed ("usr/libexec/regiond");
  const char *const own[] = { program, "--config", SERVICE_CONFIG, "--verbose" };
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();

  for (guint i = 0; wrapper[i]; i++)
    g_ptr_array_add (argv, (gpointer) wrapper[i]);
  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    g_ptr_array_add (argv, (gpointer) own[i]);
  g_ptr_array_add (argv, NULL);
  return wait_for_name (root, process_spawn ((const char *const *) argv->pdata, NULL, NULL, LOG));
}

Process *
service_start_starved (GDBusConnection *root,
                       const char *what)
{
  const char *const wrapper[] = { g_getenv ("REGIOND_TEST_STARVE"), what, NULL };

  g_assert_nonnull (wrapper[0]);
  return service_start_wrapped (root, wrapper);
}

char *
service_read_log (void)
{
  char *text = NULL;

  g_file_get_contents (LOG, &text, NULL, NULL);
  return text ? text : g_strdup ("");
}

void
service_forget_log (void)
{
  g_unlink (LOG);
}

static gboolean
has_line (gpointer data)
{
  GPtrArray *words = data;
  g_autofree char *log = service_read_log ();
  g_auto (GStrv) lines = g_strsplit (log, "\n", -1);

  for (guint i = 0; lines[i]; i++)
    {
      guint n = 0;

      while (n < words->len && strstr (lines[i], words->pdata[n]))
        n++;
      if (n == words->len)
        return TRUE;
    }
  return FALSE;
}

void
service_wait_log (const char *word,
                  ...)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  va_list args;

  va_start (args, word);
  for (; word; word = va_arg (args, const char *))
    g_ptr_array_add (words, (gpointer) word);
  va_end (args);
  if (!wait_for (has_line, words, 5000))
    {
      g_autofree char *log = service_read_log ();

      g_error ("no line with \"%s\" in the log:\n%s", (char *) words->pdata[0], log);
    }
}
