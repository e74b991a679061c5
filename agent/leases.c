/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "leases.h"

#include <string.h>

#include "program.h"
#include "text.h"

#define BUS_NAME "org.regiond1"
#define MANAGER_PATH "/org/regiond1"
#define MANAGER_INTERFACE "org.regiond1.Manager"
#define DEVICE_INTERFACE "org.regiond1.Device"
#define LEASE_INTERFACE "org.regiond1.Lease"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

#define RETRY_MS 1000

/* One of the user's. */
typedef struct
{
  char *program;
  char *region; /* "region bar2 of Sensor ring (shm0)" */
  const char *purpose;
} Lease;

struct _AgentLeases
{
  GDBusConnection *system;
  guint32 uid;
  AgentLeasesFunc func;
  gpointer data;
  GHashTable *devices; /* object path → what a person calls it */
  GHashTable *leases;  /* object path → Lease */
  GHashTable *over;    /* object paths: what has ended while an answer about what there is is under way */
  gboolean listing;
  guint subscriptions[2];
  guint watch;
  guint retry;
  gint64 since; /* when it was begun to follow (realtime µs) */
  GCancellable *gone; /* cancelled: the service is, or nobody wants to know any more */
};

static void
lease_free (gpointer data)
{
  Lease *lease = data;

  g_free (lease->program);
  g_free (lease->region);
  g_free (lease);
}

G_GNUC_PRINTF (5, 6)
static void
tell (AgentLeases  *leases,
      AgentNewsKind kind,
      const char   *path,
      guint         count,
      const char   *format,
      ...)
{
  g_autofree char *text = NULL;
  g_autofree char *clean = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  clean = ctl_text_clean (text);
  leases->func (&(AgentNews){ kind, path, clean, count }, leases->data);
}

static const char *
lookup_string (GVariant   *properties,
               const char *name)
{
  const char *value = "";

  g_variant_lookup (properties, name, "&s", &value);
  return value;
}

static void
learn_device (AgentLeases *leases,
              const char  *path,
              GVariant    *properties)
{
  const char *id = lookup_string (properties, "Id"), *description = lookup_string (properties, "Description");

  g_hash_table_insert (leases->devices, g_strdup (path),
                       *description == '\0' ? g_strdup (id) : g_strdup_printf ("%s (%s)", description, id));
}

static char *
describe_region (AgentLeases *leases,
                 const char  *device,
                 const char  *region)
{
  const char *name = g_hash_table_lookup (leases->devices, device);

  return g_strdup_printf ("region %s of %s", region, name != NULL ? name : strrchr (device, '/') + 1);
}

static const char *
describe_access (const char *access)
{
  if (strchr (access, 'w') == NULL)
    return "to read";

  return strchr (access, 'r') == NULL ? "to write" : "to read and write";
}

/* NULL for somebody else's, and for one that has ended and is shown for what is left of it. */
static Lease *
make_lease (AgentLeases *leases,
            GVariant    *properties)
{
  const char *device = NULL;
  guint32 uid, pid = 0;
  Lease *lease;

  if (!g_variant_lookup (properties, "Uid", "u", &uid) || uid != leases->uid ||
      !g_variant_lookup (properties, "Device", "&o", &device) ||
      g_str_equal (lookup_string (properties, "State"), "lingering"))
    return NULL;

  g_variant_lookup (properties, "Pid", "u", &pid);
  lease = g_new (Lease, 1);
  lease->program = agent_program_describe (pid);
  lease->region = describe_region (leases, device, lookup_string (properties, "Region"));
  lease->purpose = describe_access (lookup_string (properties, "Access"));
  return lease;
}

static gboolean
is_new (AgentLeases *leases,
        GVariant    *properties)
{
  guint64 created = 0;

  g_variant_lookup (properties, "Created", "t", &created);
  return created >= (guint64) leases->since;
}

/* @added: it has just come. */
static void
learn_lease (AgentLeases *leases,
             const char  *path,
             GVariant    *properties,
             gboolean     added)
{
  Lease *lease = g_hash_table_contains (leases->leases, path) ? NULL : make_lease (leases, properties);

  if (lease == NULL)
    return;

  g_hash_table_insert (leases->leases, g_strdup (path), lease);
  if (added || is_new (leases, properties))
    tell (leases, AGENT_NEWS_GOT, path, 1, "%s has %s, %s", lease->program, lease->region, lease->purpose);
}

static void
learn_object (AgentLeases *leases,
              const char  *path,
              GVariant    *interfaces,
              gboolean     added)
{
  g_autoptr (GVariant) device = g_variant_lookup_value (interfaces, DEVICE_INTERFACE, G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) lease = g_variant_lookup_value (interfaces, LEASE_INTERFACE, G_VARIANT_TYPE_VARDICT);

  if (device != NULL)
    learn_device (leases, path, device);
  if (lease != NULL)
    learn_lease (leases, path, lease, added);
}

/* NULL for an end that nobody has made but the program. */
static const char *
describe_end (const char *reason)
{
  static const struct
  {
    const char *reason;
    const char *words;
  } ends[] = {
    { "released", NULL },
    { "disconnected", NULL },
    { "process-ended", NULL },
    { "revoked", "it was revoked" },
    { "withdrawn", "the rules have changed" },
    { "superseded", "it was taken from somebody who shared it" },
    { "removed", "the device was removed" },
    { "unplugged", "the device was unplugged" },
    { "shutdown", "the service was stopped" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    if (g_str_equal (reason, ends[i].reason))
      return ends[i].words;

  return reason;
}

static void
take_ended (AgentLeases *leases,
            const char  *path,
            const char  *reason)
{
  Lease *lease = g_hash_table_lookup (leases->leases, path);
  const char *words = describe_end (reason);

  if (leases->listing)
    g_hash_table_add (leases->over, g_strdup (path));
  if (lease == NULL)
    return;

  if (words == NULL)
    tell (leases, AGENT_NEWS_LEFT, path, 1, "%s had %s, %s, and has it no more", lease->program, lease->region,
          lease->purpose);
  else
    tell (leases, AGENT_NEWS_LOST, path, 1, "%s has lost %s: %s", lease->program, lease->region, words);
  g_hash_table_remove (leases->leases, path);
}

static void
take_refused (AgentLeases *leases,
              GVariant    *parameters)
{
  const char *device, *region, *message;
  g_autofree char *program = NULL;
  g_autofree char *full = NULL;
  guint32 uid, pid, omitted;

  g_variant_get (parameters, "(&o&s&s&suu&s&su)", &device, &region, NULL, NULL, &uid, &pid, NULL, &message, &omitted);
  if (uid != leases->uid)
    return;

  program = agent_program_describe (pid);
  full = describe_region (leases, device, region);
  tell (leases, AGENT_NEWS_REFUSED, NULL, omitted + 1, "%s was refused %s: %s", program, full, message);
}

static void
on_signal (GDBusConnection *system,
           const char      *sender,
           const char      *path,
           const char      *interface,
           const char      *signal,
           GVariant        *parameters,
           gpointer         data)
{
  AgentLeases *leases = data;
  g_autoptr (GVariant) interfaces = NULL;
  const char *object, *reason;

  if (g_str_equal (signal, "InterfacesAdded") &&
      g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oa{sa{sv}})")))
    {
      g_variant_get (parameters, "(&o@a{sa{sv}})", &object, &interfaces);
      learn_object (leases, object, interfaces, TRUE);
    }
  else if (g_str_equal (signal, "InterfacesRemoved") && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oas)")))
    {
      g_variant_get (parameters, "(&oas)", &object, NULL);
      g_hash_table_remove (leases->devices, object);
      /* It has ended before; if that was not heard it was before the agent. */
      take_ended (leases, object, "released");
    }
  else if (g_str_equal (signal, "LeaseEnded") && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(os)")))
    {
      g_variant_get (parameters, "(&o&s)", &object, &reason);
      take_ended (leases, object, reason);
    }
  else if (g_str_equal (signal, "OpenRefused") && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(osssuussu)")))
    take_refused (leases, parameters);
}

static void list (AgentLeases *leases);

static gboolean
on_retry (gpointer data)
{
  AgentLeases *leases = data;

  leases->retry = 0;
  list (leases);
  return G_SOURCE_REMOVE;
}

static void
on_objects (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  AgentLeases *leases = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariantIter) objects = NULL;
  const char *path;
  GVariant *interfaces;

  /* Then there may be no leases to follow any more, nor anybody to follow them. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;

  leases->listing = FALSE;
  if (reply == NULL)
    {
      leases->retry = g_timeout_add (RETRY_MS, on_retry, leases);
      return;
    }

  g_variant_get (reply, "(a{oa{sa{sv}}})", &objects);
  /* Leases are told by the names of devices. */
  while (g_variant_iter_loop (objects, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant) device = g_variant_lookup_value (interfaces, DEVICE_INTERFACE, G_VARIANT_TYPE_VARDICT);

      if (device != NULL)
        learn_device (leases, path, device);
    }
  g_clear_pointer (&objects, g_variant_iter_free);
  g_variant_get (reply, "(a{oa{sa{sv}}})", &objects);
  while (g_variant_iter_loop (objects, "{&o@a{sa{sv}}}", &path, &interfaces))
    if (!g_hash_table_contains (leases->over, path))
      learn_object (leases, path, interfaces, FALSE);
  g_hash_table_remove_all (leases->over);
}

static void
list (AgentLeases *leases)
{
  leases->listing = TRUE;
  g_dbus_connection_call (leases->system, BUS_NAME, MANAGER_PATH, OBJECT_MANAGER, "GetManagedObjects", NULL,
                          G_VARIANT_TYPE ("(a{oa{sa{sv}}})"), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, leases->gone,
                          on_objects, leases);
}

static void
on_appeared (GDBusConnection *system,
             const char      *name,
             const char      *owner,
             gpointer         data)
{
  list (data);
}

static void
stop_listing (AgentLeases *leases)
{
  g_cancellable_cancel (leases->gone);
  g_clear_object (&leases->gone);
  g_clear_handle_id (&leases->retry, g_source_remove);
}

/* A service that is stopped has ended its leases before; one that is killed has not. */
static void
on_vanished (GDBusConnection *system,
             const char      *name,
             gpointer         data)
{
  AgentLeases *leases = data;
  GHashTableIter iter;
  gpointer path, value;

  stop_listing (leases);
  leases->gone = g_cancellable_new ();
  g_hash_table_iter_init (&iter, leases->leases);
  while (g_hash_table_iter_next (&iter, &path, &value))
    {
      Lease *lease = value;

      tell (leases, AGENT_NEWS_LOST, path, 1, "%s has lost %s: the service has ended", lease->program, lease->region);
      g_hash_table_iter_remove (&iter);
    }
  g_hash_table_remove_all (leases->devices);
  g_hash_table_remove_all (leases->over);
  leases->listing = FALSE;
}

static guint
subscribe (AgentLeases *leases,
           const char  *interface)
{
  return g_dbus_connection_signal_subscribe (leases->system, BUS_NAME, interface, NULL, MANAGER_PATH, NULL,
                                             G_DBUS_SIGNAL_FLAGS_NONE, on_signal, leases, NULL);
}

AgentLeases *
agent_leases_new (GDBusConnection *system,
                  guint32          uid,
                  AgentLeasesFunc  func,
                  gpointer         data)
{
  AgentLeases *leases = g_new0 (AgentLeases, 1);

  leases->system = g_object_ref (system);
  leases->uid = uid;
  leases->func = func;
  leases->data = data;
  leases->since = g_get_real_time ();
  leases->gone = g_cancellable_new ();
  leases->devices = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  leases->leases = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, lease_free);
  leases->over = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  /* Before it is asked what there is: so nothing is missed between. */
  leases->subscriptions[0] = subscribe (leases, OBJECT_MANAGER);
  leases->subscriptions[1] = subscribe (leases, MANAGER_INTERFACE);
  leases->watch = g_bus_watch_name_on_connection (system, BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared,
                                                  on_vanished, leases, NULL);
  return leases;
}

void
agent_leases_free (AgentLeases *leases)
{
  stop_listing (leases);
  g_bus_unwatch_name (leases->watch);
  for (gsize i = 0; i < G_N_ELEMENTS (leases->subscriptions); i++)
    g_dbus_connection_signal_unsubscribe (leases->system, leases->subscriptions[i]);
  g_hash_table_unref (leases->devices);
  g_hash_table_unref (leases->leases);
  g_hash_table_unref (leases->over);
  g_object_unref (leases->system);
  g_free (leases);
}
