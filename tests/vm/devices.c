/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices.h"

#include <stdarg.h>
#include <string.h>

/* A disk takes its time under emulation. */
#define PATIENCE 60000

char *
device_id (const char *address)
{
  return g_strdelimit (g_strdup (address), ":.", '_');
}

char *
device_path (const char *address)
{
  g_autofree char *id = device_id (address);

  return g_strconcat (DEVICE_PREFIX, id, NULL);
}

void
device_wait (World *world,
             const char *address)
{
  g_autofree char *path = device_path (address);

  deadline_start (PATIENCE);
  while (!world_has_object (world, path))
    deadline_pause ("device %s is not on the bus", address);
}

static GVariant *
call (World *world,
      const char *method,
      GVariant *arguments,
      GError **error)
{
  return g_dbus_connection_call_sync (world->root, "org.regiond1", MANAGER_PATH, MANAGER_INTERFACE, method, arguments,
                                      NULL, G_DBUS_CALL_FLAGS_NONE, PATIENCE, NULL, error);
}

static GVariant *
parse (const char *options)
{
  return g_variant_new_parsed (options);
}

void
device_bind (World *world,
             const char *address,
             const char *options)
{
  g_autofree char *path = device_path (address);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (world, "BindDevice", g_variant_new ("(s@a{sv})", address, parse (options)), &error);
  const char *answer;

  g_assert_no_error (error);
  g_variant_get (reply, "(&o)", &answer);
  g_assert_cmpstr (answer, ==, path);
  g_assert_true (world_has_object (world, path));
}

void
device_unbind (World *world,
               const char *address,
               const char *options)
{
  g_autofree char *path = device_path (address);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (world, "UnbindDevice", g_variant_new ("(o@a{sv})", path, parse (options)), &error);

  g_assert_no_error (error);
  g_assert_false (world_has_object (world, path));
}

void
device_bind_fails (World *world,
                   const char *name,
                   const char *address,
                   const char *options,
                   ...)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (world, "BindDevice", g_variant_new ("(s@a{sv})", address, parse (options)), &error);
  g_autofree char *remote = error ? g_dbus_error_get_remote_error (error) : NULL;
  const char *word;
  va_list words;

  g_assert_null (reply);
  g_assert_cmpstr (remote, ==, name);
  va_start (words, options);
  while ((word = va_arg (words, const char *)))
    {
      if (!strstr (error->message, word))
        g_error ("no \"%s\" in: %s", word, error->message);
    }
  va_end (words);
}
