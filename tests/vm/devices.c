/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices.h"

#include <stdarg.h>
#include <string.h>

#include "guest.h"

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

typedef struct
{
  World *world;
  const char *path;
} Wanted;

static gboolean
is_there (gpointer data)
{
  Wanted *wanted = data;

  return world_has_object (wanted->world, wanted->path);
}

void
device_wait (World *world,
             const char *address)
{
  g_autofree char *path = device_path (address);
  Wanted wanted = { world, path };

  wait_until (is_there, &wanted, PATIENCE, path);
}

void
device_wait_gone (World *world,
                  const char *address)
{
  g_autofree char *path = device_path (address);

  world_wait_gone (world, path, PATIENCE);
}

gboolean
device_is_there (World *world,
                 const char *address)
{
  g_autofree char *path = device_path (address);

  return world_has_object (world, path);
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
  g_autoptr (GError) error = NULL;
  GVariant *parsed = g_variant_parse (G_VARIANT_TYPE_VARDICT, options, NULL, NULL, &error);

  g_assert_no_error (error);
  return parsed;
}

void
device_bind (World *world,
             const char *address,
             const char *options)
{
  g_autofree char *path = device_path (address);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) given = parse (options);
  g_autoptr (GVariant) reply = call (world, "BindDevice", g_variant_new ("(s@a{sv})", address, given), &error);
  const char *answer;

  g_assert_no_error (error);
  g_variant_get (reply, "(&o)", &answer);
  g_assert_cmpstr (answer, ==, path);
  g_assert_true (world_has_object (world, path));
}

static GVariant *
call_unbind (World *world,
             const char *address,
             const char *options,
             GError **error)
{
  g_autofree char *path = device_path (address);
  g_autoptr (GVariant) given = parse (options);

  return call (world, "UnbindDevice", g_variant_new ("(o@a{sv})", path, given), error);
}

void
device_unbind (World *world,
               const char *address,
               const char *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call_unbind (world, address, options, &error);

  g_assert_no_error (error);
  g_assert_false (device_is_there (world, address));
}

static void
assert_fails (GVariant *reply,
              const GError *error,
              const char *name,
              va_list words)
{
  g_autofree char *remote = error ? g_dbus_error_get_remote_error (error) : NULL;
  const char *word;

  g_assert_null (reply);
  if (g_strcmp0 (remote, name) != 0)
    g_error ("%s, and not %s", error->message, name);
  while ((word = va_arg (words, const char *)))
    {
      if (!strstr (error->message, word))
        g_error ("no \"%s\" in: %s", word, error->message);
    }
}

void
device_bind_fails (World *world,
                   const char *name,
                   const char *address,
                   const char *options,
                   ...)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) given = parse (options);
  g_autoptr (GVariant) reply = call (world, "BindDevice", g_variant_new ("(s@a{sv})", address, given), &error);
  va_list words;

  va_start (words, options);
  assert_fails (reply, error, name, words);
  va_end (words);
}

void
device_unbind_fails (World *world,
                     const char *name,
                     const char *address,
                     const char *options,
                     ...)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call_unbind (world, address, options, &error);
  va_list words;

  va_start (words, options);
  assert_fails (reply, error, name, words);
  va_end (words);
}

void
device_free_bridge (void)
{
  g_autofree char *bridge = guest_find ("1b36:000e");
  g_autofree char *driver = guest_driver (bridge);

  if (driver)
    guest_set_attribute (bridge, "driver/unbind", bridge);
}

static gboolean
is_mappable (gpointer data)
{
  Wanted *wanted = data;
  g_autoptr (GVariant) regions = world_get (wanted->world, wanted->path, DEVICE_INTERFACE, "Regions");
  g_autofree char *text = g_variant_print (regions, FALSE);

  return strstr (text, "'bar'") != NULL;
}

gboolean
device_is_mappable (World *world,
                    const char *address)
{
  g_autofree char *path = device_path (address);
  Wanted wanted = { world, path };

  return is_mappable (&wanted);
}

void
device_wait_mappable (World *world,
                      const char *address)
{
  g_autofree char *path = device_path (address);
  Wanted wanted = { world, path };

  wait_until (is_mappable, &wanted, PATIENCE, "a BAR that can be mapped");
}

/* A device that hangs is given up after ten seconds, and this is a slow machine. */
#define RESET_MOST 20000

static gboolean
reset_at (Wanted *wanted,
          GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  reply = g_dbus_connection_call_sync (wanted->world->root, "org.regiond1", wanted->path, DEVICE_INTERFACE, "Reset",
                                       g_variant_new_parsed ("(@a{sv} {},)"), NULL, G_DBUS_CALL_FLAGS_NONE, RESET_MOST,
                                       NULL, error);
  return reply != NULL;
}

gboolean
device_reset (World *world,
              const char *address,
              GError **error)
{
  g_autofree char *path = device_path (address);

  return reset_at (&(Wanted){ world, path }, error);
}

static gboolean
is_mended (gpointer data)
{
  return reset_at (data, NULL);
}

void
device_mend (World *world,
             const char *address)
{
  g_autofree char *path = device_path (address);
  Wanted wanted = { world, path };

  wait_until (is_mended, &wanted, PATIENCE, "a Reset that mends it");
}
