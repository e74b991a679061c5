/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "objects.h"

#include <string.h>

#include "error.h"

static CtlObject *
object_new (const char *path,
            GVariant   *properties)
{
  CtlObject *object = g_new0 (CtlObject, 1);

  object->path = g_strdup (path);
  object->properties = g_variant_ref (properties);
  return object;
}

static void
object_free (gpointer data)
{
  CtlObject *object = data;

  g_free (object->path);
  g_variant_unref (object->properties);
  g_free (object);
}

const char *
ctl_object_get_string (const CtlObject *object,
                       const char      *property)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (object->properties, property, NULL);

  if (value == NULL ||
      (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) &&
       !g_variant_is_of_type (value, G_VARIANT_TYPE_OBJECT_PATH)))
    return "";

  /* Still there when value is gone: properties owns it. */
  return g_variant_get_string (value, NULL);
}

guint64
ctl_object_get_number (const CtlObject *object,
                       const char      *property)
{
  guint64 number64 = 0;
  guint32 number32 = 0;

  if (g_variant_lookup (object->properties, property, "u", &number32))
    return number32;

  g_variant_lookup (object->properties, property, "t", &number64);
  return number64;
}

const char *
ctl_path_get_name (const char *path)
{
  return strrchr (path, '/') + 1;
}

static int
compare_devices (gconstpointer a,
                 gconstpointer b)
{
  const CtlObject *const *first = a;
  const CtlObject *const *second = b;

  return strcmp (ctl_object_get_string (*first, "Id"), ctl_object_get_string (*second, "Id"));
}

static int
compare_leases (gconstpointer a,
                gconstpointer b)
{
  const CtlObject *const *first = a;
  const CtlObject *const *second = b;
  guint64 number1 = g_ascii_strtoull (ctl_path_get_name ((*first)->path), NULL, 10);
  guint64 number2 = g_ascii_strtoull (ctl_path_get_name ((*second)->path), NULL, 10);

  return number1 < number2 ? -1 : number1 > number2;
}

CtlObjects *
ctl_objects_new (GVariant *managed)
{
  CtlObjects *objects = g_new0 (CtlObjects, 1);
  GVariantIter iter;
  const char *path;
  GVariant *interfaces;

  objects->devices = g_ptr_array_new_with_free_func (object_free);
  objects->leases = g_ptr_array_new_with_free_func (object_free);

  g_variant_iter_init (&iter, managed);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant) device = g_variant_lookup_value (interfaces, CTL_DEVICE_INTERFACE, NULL);
      g_autoptr (GVariant) lease = g_variant_lookup_value (interfaces, CTL_LEASE_INTERFACE, NULL);

      if (device != NULL)
        g_ptr_array_add (objects->devices, object_new (path, device));
      if (lease != NULL)
        g_ptr_array_add (objects->leases, object_new (path, lease));
    }

  g_ptr_array_sort (objects->devices, compare_devices);
  g_ptr_array_sort (objects->leases, compare_leases);
  return objects;
}

CtlObjects *
ctl_objects_load (CtlBus  *bus,
                  GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) managed = NULL;

  reply = ctl_bus_list (bus, error);
  if (reply == NULL)
    return NULL;

  managed = g_variant_get_child_value (reply, 0);
  return ctl_objects_new (managed);
}

void
ctl_objects_free (CtlObjects *objects)
{
  g_ptr_array_unref (objects->devices);
  g_ptr_array_unref (objects->leases);
  g_free (objects);
}

const CtlObject *
ctl_objects_find_device (CtlObjects *objects,
                         const char *device,
                         GError    **error)
{
  for (guint i = 0; i < objects->devices->len; i++)
    {
      const CtlObject *object = g_ptr_array_index (objects->devices, i);

      if (g_str_equal (device, ctl_object_get_string (object, "Id")) ||
          g_str_equal (device, object->path))
        return object;
    }

  g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
               "There is no device “%s”; regionctl list shows those that there are", device);
  return NULL;
}

void
ctl_objects_keep_leases_of (CtlObjects      *objects,
                            const CtlObject *device)
{
  for (guint i = objects->leases->len; i > 0; i--)
    {
      const CtlObject *lease = g_ptr_array_index (objects->leases, i - 1);

      if (!g_str_equal (ctl_object_get_string (lease, "Device"), device->path))
        g_ptr_array_remove_index (objects->leases, i - 1);
    }
}
