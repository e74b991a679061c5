/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "news.h"

#include <string.h>

#include "objects.h"

struct _CtlNews
{
  GHashTable *abouts; /* object path → what it is, for people */
  GHashTable *ids;    /* a device's object path → its id */
};

CtlNews *
ctl_news_new (void)
{
  CtlNews *news = g_new0 (CtlNews, 1);

  news->abouts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  news->ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return news;
}

void
ctl_news_free (CtlNews *news)
{
  g_hash_table_unref (news->abouts);
  g_hash_table_unref (news->ids);
  g_free (news);
}

void
ctl_news_forget (CtlNews *news)
{
  g_hash_table_remove_all (news->abouts);
  g_hash_table_remove_all (news->ids);
}

/* An id, or a lease's number. */
static const char *
get_name (CtlNews    *news,
          const char *path)
{
  const char *id = g_hash_table_lookup (news->ids, path);

  return id != NULL ? id : ctl_path_get_name (path);
}

static const char *
get_kind (const char *interface)
{
  if (g_str_equal (interface, CTL_DEVICE_INTERFACE))
    return "device";
  if (g_str_equal (interface, CTL_LEASE_INTERFACE))
    return "lease";

  return NULL;
}

static const char *
get_last_part (const char *name)
{
  const char *dot = strrchr (name, '.');

  return dot == NULL ? name : dot + 1;
}

static char *
describe (CtlNews    *news,
          const char *kind,
          GVariant   *properties)
{
  const CtlObject object = { NULL, properties };
  const char *device;

  if (g_str_equal (kind, "device"))
    return g_strdup (ctl_object_get_string (&object, "Description"));

  device = ctl_object_get_string (&object, "Device");
  return g_strdup_printf ("%s %s %s, uid %u, pid %u%s%s",
                          *device == '\0' ? "?" : get_name (news, device),
                          ctl_object_get_string (&object, "Region"),
                          ctl_object_get_string (&object, "Access"),
                          (guint) ctl_object_get_number (&object, "Uid"),
                          (guint) ctl_object_get_number (&object, "Pid"),
                          *ctl_object_get_string (&object, "Label") == '\0' ? "" : ", ",
                          ctl_object_get_string (&object, "Label"));
}

static void
remember (CtlNews    *news,
          const char *path,
          const char *kind,
          GVariant   *properties)
{
  const CtlObject object = { NULL, properties };
  const char *id = ctl_object_get_string (&object, "Id");

  if (*id != '\0')
    g_hash_table_insert (news->ids, g_strdup (path), g_strdup (id));
  g_hash_table_insert (news->abouts, g_strdup (path), describe (news, kind, properties));
}

static void
remember_all (CtlNews    *news,
              GPtrArray  *objects,
              const char *kind)
{
  for (guint i = 0; i < objects->len; i++)
    {
      const CtlObject *object = g_ptr_array_index (objects, i);

      remember (news, object->path, kind, object->properties);
    }
}

void
ctl_news_learn (CtlNews  *news,
                GVariant *managed)
{
  g_autoptr (CtlObjects) objects = ctl_objects_new (managed);

  remember_all (news, objects->devices, "device");
  remember_all (news, objects->leases, "lease");
}

static CtlEvent *
tell (CtlNews    *news,
      const char *path,
      const char *kind,
      const char *what)
{
  CtlEvent *event = ctl_event_new (kind, get_name (news, path), what);
  const char *about = g_hash_table_lookup (news->abouts, path);

  event->path = g_strdup (path);
  event->about = about == NULL || *about == '\0' ? NULL : g_strdup (about);
  return event;
}

static CtlEvent *
take_added (CtlNews  *news,
            GVariant *parameters)
{
  g_autoptr (GVariantIter) interfaces = NULL;
  const char *path, *interface, *kind;
  GVariant *properties;
  CtlEvent *event = NULL;

  g_variant_get (parameters, "(&oa{sa{sv}})", &path, &interfaces);
  while (g_variant_iter_loop (interfaces, "{&s@a{sv}}", &interface, &properties))
    {
      kind = get_kind (interface);
      if (kind == NULL || event != NULL)
        continue;

      remember (news, path, kind, properties);
      event = tell (news, path, kind, "added");
      event->properties = g_variant_ref (properties);
    }

  return event;
}

static CtlEvent *
take_removed (CtlNews  *news,
              GVariant *parameters)
{
  g_autofree const char **interfaces = NULL;
  CtlEvent *event = NULL;
  const char *path;

  g_variant_get (parameters, "(&o^a&s)", &path, &interfaces);
  for (guint i = 0; interfaces[i] != NULL && event == NULL; i++)
    if (get_kind (interfaces[i]) != NULL)
      event = tell (news, path, get_kind (interfaces[i]), "removed");

  if (event != NULL)
    {
      g_hash_table_remove (news->abouts, path);
      g_hash_table_remove (news->ids, path);
    }
  return event;
}

static CtlEvent *
take_changed (CtlNews    *news,
              const char *path,
              GVariant   *parameters)
{
  g_autoptr (GVariant) properties = NULL;
  g_autoptr (GVariant) invalidated = NULL;
  const char *interface;
  CtlEvent *event;

  g_variant_get (parameters, "(&s@a{sv}@as)", &interface, &properties, &invalidated);
  if (get_kind (interface) == NULL)
    return NULL;

  event = tell (news, path, get_kind (interface), "changed");
  event->properties = g_steal_pointer (&properties);
  event->invalidated = g_steal_pointer (&invalidated);
  return event;
}

/* The last part of the error's name says it in a word; but the one that everybody meets who has
 * no rule yet is as long as the rest of the line. The message is for programs. */
static const char *
get_reason (const char *error)
{
  const char *word = get_last_part (error);

  return g_str_equal (word, "InteractiveAuthorizationRequired") ? "needs a password" : word;
}

/* What people read fits a terminal. The process is for programs. */
static CtlEvent *
take_refused (CtlNews  *news,
              GVariant *parameters)
{
  const char *path, *region, *access, *client, *name, *message;
  guint32 uid, pid, omitted;
  CtlEvent *event;
  GVariantDict details;

  g_variant_get (parameters, "(&o&s&s&suu&s&su)", &path, &region, &access, &client, &uid, &pid, &name, &message,
                 &omitted);
  g_variant_dict_init (&details, NULL);
  g_variant_dict_insert (&details, "region", "s", region);
  g_variant_dict_insert (&details, "access", "s", access);
  g_variant_dict_insert (&details, "client", "s", client);
  g_variant_dict_insert (&details, "uid", "u", uid);
  g_variant_dict_insert (&details, "pid", "u", pid);
  g_variant_dict_insert (&details, "error", "s", name);
  g_variant_dict_insert (&details, "message", "s", message);
  g_variant_dict_insert (&details, "omitted", "u", omitted);

  event = tell (news, path, "device", "refused");
  event->details = g_variant_ref_sink (g_variant_dict_end (&details));
  g_free (event->about);
  event->about = omitted == 0
                   ? g_strdup_printf ("%s %s, uid %u, %s", region, access, uid, get_reason (name))
                   : g_strdup_printf ("%s %s, uid %u, %s, +%u", region, access, uid, get_reason (name), omitted);
  return event;
}

static CtlEvent *
take_ended (CtlNews  *news,
            GVariant *parameters)
{
  const char *path, *reason;
  CtlEvent *event;
  GVariantDict details;

  g_variant_get (parameters, "(&o&s)", &path, &reason);
  g_variant_dict_init (&details, NULL);
  g_variant_dict_insert (&details, "reason", "s", reason);

  event = tell (news, path, "lease", "ended");
  event->details = g_variant_ref_sink (g_variant_dict_end (&details));
  g_free (event->about);
  event->about = g_strdup (reason);
  return event;
}

CtlEvent *
ctl_news_take_signal (CtlNews    *news,
                      const char *path,
                      const char *signal,
                      GVariant   *parameters)
{
  if (g_str_equal (signal, "InterfacesAdded") &&
      g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oa{sa{sv}})")))
    return take_added (news, parameters);
  if (g_str_equal (signal, "InterfacesRemoved") &&
      g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oas)")))
    return take_removed (news, parameters);
  if (g_str_equal (signal, "PropertiesChanged") &&
      g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sa{sv}as)")))
    return take_changed (news, path, parameters);
  if (g_str_equal (signal, "OpenRefused") &&
      g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(osssuussu)")))
    return take_refused (news, parameters);
  if (g_str_equal (signal, "LeaseEnded") && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(os)")))
    return take_ended (news, parameters);

  return NULL;
}
