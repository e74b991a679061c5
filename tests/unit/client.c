/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "daemon.h"

#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static gboolean
on_tick (gpointer data)
{
  return G_SOURCE_REMOVE;
}

void
fixture_turn (void)
{
  GMainContext *context = g_main_context_default ();
  g_autoptr (GSource) tick = g_timeout_source_new (5);

  g_source_set_callback (tick, on_tick, NULL, NULL);
  g_source_attach (tick, context);
  g_main_context_iteration (context, TRUE);
  g_source_destroy (tick);
}

GVariant *
options (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = g_variant_parse (G_VARIANT_TYPE_VARDICT, text != NULL ? text : "{}", NULL, NULL, &error);

  g_assert_no_error (error);

  /* Floating, as g_variant_new wants it. */
  return g_variant_new_from_data (G_VARIANT_TYPE_VARDICT, g_variant_get_data (value), g_variant_get_size (value), TRUE,
                                  (GDestroyNotify) g_variant_unref, g_variant_ref (value));
}

static char *
name_interface (const char *interface)
{
  return g_strconcat (REGIOND_BUS_NAME ".", interface, NULL);
}

GVariant *
client_call (GDBusConnection *client,
             const char      *path,
             const char      *interface,
             const char      *method,
             GVariant        *arguments,
             GError         **error)
{
  g_autofree char *full = name_interface (interface);

  return g_dbus_connection_call_sync (client, REGIOND_BUS_NAME, path, full, method, arguments, NULL,
                                      G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);
}

static void
on_reply (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  Promise *promise = data;

  promise->reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &promise->error);
  promise->done = TRUE;
}

void
client_call_later (GDBusConnection *client,
                   const char      *path,
                   const char      *interface,
                   const char      *method,
                   GVariant        *arguments,
                   Promise         *promise)
{
  g_autofree char *full = name_interface (interface);

  g_dbus_connection_call (client, REGIOND_BUS_NAME, path, full, method, arguments, NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                          NULL, on_reply, promise);
}

void
promise_clear (Promise *promise)
{
  g_assert_true (promise->done);
  g_clear_pointer (&promise->reply, g_variant_unref);
  g_clear_error (&promise->error);
}

/* @shown: goes along, or NULL. */
static char *
call_for_lease (GDBusConnection *client,
                const char      *path_of,
                const char      *interface,
                const char      *method,
                GVariant        *arguments,
                GUnixFDList     *shown,
                int             *fd,
                GError         **error)
{
  g_autoptr (GUnixFDList) fds = NULL;
  g_autofree char *full = name_interface (interface);
  g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_sync (
      client, REGIOND_BUS_NAME, path_of, full, method, arguments, G_VARIANT_TYPE ("(ho)"), G_DBUS_CALL_FLAGS_NONE, -1,
      shown, &fds, NULL, error);
  char *path;
  int index;

  if (reply == NULL)
    return NULL;

  g_variant_get (reply, "(ho)", &index, &path);
  *fd = g_unix_fd_list_get (fds, index, error);
  g_assert_cmpint (*fd, >=, 0);
  return path;
}

char *
client_open (GDBusConnection *client,
             const char      *device,
             const char      *region,
             const char      *access,
             const char      *text,
             int             *fd,
             GError         **error)
{
  return call_for_lease (client, device, "Device", "OpenRegion",
                         g_variant_new ("(ss@a{sv})", region, access, options (text)), NULL, fd, error);
}

char *
client_attach (GDBusConnection *client,
               int              shown,
               const char      *text,
               int             *fd,
               GError         **error)
{
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();

  if (shown >= 0)
    g_unix_fd_list_append (fds, shown, NULL);
  return call_for_lease (client, MANAGER_PATH, "Manager", "AttachLease", g_variant_new ("(h@a{sv})", 0, options (text)),
                         fds, fd, error);
}

char *
client_must_open (GDBusConnection *client,
                  const char      *device,
                  const char      *region,
                  const char      *access,
                  const char      *text,
                  int             *fd)
{
  g_autoptr (GError) error = NULL;
  char *path = client_open (client, device, region, access, text, fd, &error);

  g_assert_no_error (error);
  return path;
}

GVariant *
client_get (GDBusConnection *client,
            const char      *path,
            const char      *interface,
            const char      *property)
{
  g_autofree char *full = name_interface (interface);
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      client, REGIOND_BUS_NAME, path, "org.freedesktop.DBus.Properties", "Get", g_variant_new ("(ss)", full, property),
      G_VARIANT_TYPE ("(v)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
  GVariant *value = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(v)", &value);
  return value;
}

char *
client_get_string (GDBusConnection *client,
                   const char      *path,
                   const char      *interface,
                   const char      *property)
{
  g_autoptr (GVariant) value = client_get (client, path, interface, property);

  return value != NULL ? g_variant_dup_string (value, NULL) : NULL;
}

guint
client_count_leases (GDBusConnection *client,
                     const char      *device)
{
  g_autoptr (GVariant) leases = client_get (client, device, "Device", "Leases");

  g_assert_nonnull (leases);
  return g_variant_n_children (leases);
}

gboolean
client_sees_state (GDBusConnection *client,
                   const char      *path,
                   const char      *interface,
                   const char      *state)
{
  g_autofree char *seen = client_get_string (client, path, interface, "State");

  return g_strcmp0 (seen, state) == 0;
}

gboolean
client_sees_lingering (GDBusConnection *client,
                       const char      *device,
                       guint            count)
{
  g_autoptr (GVariant) lingering = client_get (client, device, "Device", "Lingering");

  g_assert_nonnull (lingering);
  return g_variant_get_uint32 (lingering) == count;
}

static void
on_signal (GDBusConnection *connection,
           const char      *sender,
           const char      *path,
           const char      *interface,
           const char      *signal,
           GVariant        *parameters,
           gpointer         heard)
{
  g_autofree char *arguments = g_variant_print (parameters, FALSE);

  g_ptr_array_add (heard, g_strconcat (signal, arguments, NULL));
}

Ear *
ear_new (GDBusConnection *client,
         const char      *interface)
{
  Ear *self = g_new (Ear, 1);
  g_autofree char *full = name_interface (interface);

  self->client = client;
  self->heard = g_ptr_array_new_with_free_func (g_free);
  self->subscription = g_dbus_connection_signal_subscribe (client, REGIOND_BUS_NAME, full, NULL, NULL, NULL,
                                                           G_DBUS_SIGNAL_FLAGS_NONE, on_signal,
                                                           g_ptr_array_ref (self->heard),
                                                           (GDestroyNotify) g_ptr_array_unref);
  return self;
}

void
ear_free (Ear *self)
{
  g_dbus_connection_signal_unsubscribe (self->client, self->subscription);
  g_ptr_array_unref (self->heard);
  g_free (self);
}

gboolean
ear_heard (Ear        *self,
           const char *signal)
{
  return g_ptr_array_find_with_equal_func (self->heard, signal, g_str_equal, NULL);
}

void
fd_write_text (int         fd,
               const char *text)
{
  char *memory = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  g_assert_true (memory != MAP_FAILED);
  strcpy (memory, text);
  munmap (memory, 4096);
}

char *
fd_read_text (int fd)
{
  char *memory = mmap (NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  char *text;

  g_assert_true (memory != MAP_FAILED);
  text = g_strndup (memory, 4096);
  munmap (memory, 4096);
  return text;
}
