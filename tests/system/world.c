/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void
write_config (const char *daemon)
{
  service_configure (daemon);
  service_configure_device ("shm0.conf", "[Device]\nBackend=memory\nDescription=Sensor ring\n"
                                         "[Region bar2]\nSize=1M\n[Region control]\nSize=4K\n");
  service_configure_device ("big.conf", "[Device]\nBackend=memory\n[Region whole]\nSize=8M\n");
  service_configure_device ("kept.conf", "[Device]\nBackend=memory\nPersist=true\n[Region bar2]\nSize=64K\n");
  service_configure_device ("loose.conf", "[Device]\nBackend=memory\nLinger=tolerate\n[Region bar2]\nSize=64K\n");
}

/* What a test leaves to the next one. */
static gboolean shares;
static World *left;

static void
end_service (World *world)
{
  if (!world->regiond)
    return;

  /* A clean end: leak checks report there. */
  process_signal (world->regiond, SIGCONT);
  process_signal (world->regiond, SIGTERM);
  if (process_wait (world->regiond) != 0)
    {
      g_autofree char *log = service_read_log ();

      g_error ("regiond ended with status %#x:\n%s", world->regiond->status, log);
    }
  g_clear_pointer (&world->regiond, process_free);
}

static void
end (World *world)
{
  end_service (world);
  person_free (world->witness);
  if (world->polkitd)
    process_free (world->polkitd);
  g_dbus_connection_close_sync (world->root, NULL, NULL);
  g_object_unref (world->root);
  bus_free (world->bus);
  g_free (world->daemon);
  g_free (world);
}

static void
end_left (void)
{
  g_clear_pointer (&left, end);
}

void
world_share (void)
{
  shares = TRUE;
  atexit (end_left);
}

static gboolean
is_whole (World *world)
{
  return process_is_running (world->bus->process) && world->polkitd && process_is_running (world->polkitd) &&
         process_is_running (world->witness->process);
}

void
world_free (World *world)
{
  if (!shares || !is_whole (world))
    {
      end (world);
      return;
    }

  if (world->regiond && process_is_running (world->regiond))
    world_wait_no_leases (world, 30000);
  else
    end_service (world);
  left = world;
}

World *
world_new_with_activation (const char *daemon,
                           const char *services)
{
  World *world = g_new0 (World, 1);

  service_forget_log ();
  write_config (daemon);
  polkit_prepare ();
  world->bus = bus_start (services);
  world->root = bus_connect ();
  g_assert_nonnull (world->root);
  world->polkitd = polkit_start (world->root);
  world->witness = person_new ("witness", UID_WITNESS);
  return world;
}

World *
world_new_without_service (const char *daemon)
{
  World *world = g_steal_pointer (&left);

  if (!world)
    return world_new_with_activation (daemon, NULL);

  end_service (world);
  g_clear_pointer (&world->daemon, g_free);
  service_forget_log ();
  write_config (daemon);
  world_set_rules (world, "");
  return world;
}

World *
world_new (const char *daemon)
{
  World *world;

  if (left && left->regiond && g_strcmp0 (left->daemon, daemon) == 0)
    {
      world_set_rules (left, "");
      return g_steal_pointer (&left);
    }

  world = world_new_without_service (daemon);
  world->daemon = g_strdup (daemon);
  world->regiond = service_start (world->root);
  return world;
}

void
world_set_rules (World *world,
                 const char *rules)
{
  polkit_set_rules (world->root, world->witness->name, rules);
}

World *
world_new_allowing_all (const char *daemon)
{
  World *world = world_new (daemon);

  world_set_rules (world, RULES_ALLOW_ALL);
  return world;
}

GVariant *
world_call (World *world,
            const char *path,
            const char *interface,
            const char *method,
            GVariant *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *answer = g_dbus_connection_call_sync (world->root, "org.regiond1", path, interface, method, arguments,
                                                  NULL, G_DBUS_CALL_FLAGS_NONE, 30000, NULL, &error);

  g_assert_no_error (error);
  return answer;
}

GVariant *
world_get (World *world,
           const char *path,
           const char *interface,
           const char *property)
{
  g_autoptr (GVariant) answer = world_call (world, path, "org.freedesktop.DBus.Properties", "Get",
                                            g_variant_new ("(ss)", interface, property));
  GVariant *value;

  g_variant_get (answer, "(v)", &value);
  return value;
}

char *
world_get_string (World *world,
                  const char *path,
                  const char *interface,
                  const char *property)
{
  g_autoptr (GVariant) value = world_get (world, path, interface, property);

  return g_variant_dup_string (value, NULL);
}

guint
world_get_uint (World *world,
                const char *path,
                const char *interface,
                const char *property)
{
  g_autoptr (GVariant) value = world_get (world, path, interface, property);

  return g_variant_get_uint32 (value);
}

guint64
world_get_uint64 (World *world,
                  const char *path,
                  const char *interface,
                  const char *property)
{
  g_autoptr (GVariant) value = world_get (world, path, interface, property);

  return g_variant_get_uint64 (value);
}

void
world_expect_string (World *world,
                     const char *path,
                     const char *interface,
                     const char *property,
                     const char *value)
{
  g_autofree char *found = world_get_string (world, path, interface, property);

  g_assert_cmpstr (found, ==, value);
}

static GVariant *
get_objects (World *world)
{
  g_autoptr (GVariant) answer = world_call (world, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                                            "GetManagedObjects", NULL);

  return g_variant_get_child_value (answer, 0);
}

guint
world_count_leases (World *world)
{
  g_autoptr (GVariant) objects = get_objects (world);
  GVariantIter iter;
  const char *path;
  guint n = 0;

  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_next (&iter, "{&o@a{sa{sv}}}", &path, NULL))
    if (g_str_has_prefix (path, "/org/regiond1/leases/"))
      n++;
  return n;
}

gboolean
world_has_object (World *world,
                  const char *path)
{
  g_autoptr (GVariant) objects = get_objects (world);
  g_autoptr (GVariant) found = g_variant_lookup_value (objects, path, NULL);

  return found != NULL;
}

typedef struct
{
  World *world;
  const char *path;
  const char *interface;
  const char *property;
  const char *string;
  guint number;
} Wanted;

static gboolean
is_string (gpointer data)
{
  Wanted *wanted = data;
  g_autofree char *value = world_get_string (wanted->world, wanted->path, wanted->interface, wanted->property);

  return g_str_equal (value, wanted->string);
}

void
world_wait_string (World *world,
                   const char *path,
                   const char *interface,
                   const char *property,
                   const char *value,
                   guint milliseconds)
{
  Wanted wanted = { world, path, interface, property, value, 0 };
  g_autofree char *what = g_strdup_printf ("%s of %s being %s", property, path, value);

  wait_until (is_string, &wanted, milliseconds, what);
}

static gboolean
is_number (gpointer data)
{
  Wanted *wanted = data;

  return world_get_uint (wanted->world, wanted->path, wanted->interface, wanted->property) == wanted->number;
}

void
world_wait_uint (World *world,
                 const char *path,
                 const char *interface,
                 const char *property,
                 guint value,
                 guint milliseconds)
{
  Wanted wanted = { world, path, interface, property, NULL, value };
  g_autofree char *what = g_strdup_printf ("%s of %s being %u", property, path, value);

  wait_until (is_number, &wanted, milliseconds, what);
}

static gboolean
is_gone (gpointer data)
{
  Wanted *wanted = data;

  return !world_has_object (wanted->world, wanted->path);
}

void
world_wait_gone (World *world,
                 const char *path,
                 guint milliseconds)
{
  Wanted wanted = { world, path, NULL, NULL, NULL, 0 };

  wait_until (is_gone, &wanted, milliseconds, "an object to go");
}

static gboolean
has_few_fds (gpointer data)
{
  Wanted *wanted = data;

  return process_count_fds (wanted->world->regiond) <= wanted->number;
}

void
world_wait_fds (World *world,
                guint most)
{
  Wanted wanted = { world, NULL, NULL, NULL, NULL, most };

  wait_until (has_few_fds, &wanted, 2000, "regiond to close its descriptors");
}

static gboolean
has_no_leases (gpointer data)
{
  return world_count_leases (data) == 0;
}

void
world_wait_no_leases (World *world,
                      guint milliseconds)
{
  wait_until (has_no_leases, world, milliseconds, "no lease being left");
}

void
world_init (int *argc,
            char ***argv)
{
  sandbox_enter ();
  g_test_init (argc, argv, NULL);
}
