/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard.h"

#define PATH_MOST 1024
#define BODY_MOST 65536

/* All of it is GDBus's own thread's. */
typedef struct {
  GHashTable *callers; /* bus name -> Caller, as long as it has calls unanswered */
} Guard;

typedef struct {
  guint       unanswered;
  GHashTable *mute; /* a set: the serials of those that want no answer */
} Caller;

static void
caller_free (Caller *self)
{
  g_hash_table_unref (self->mute);
  g_free (self);
}

static void
guard_free (Guard *self)
{
  g_hash_table_unref (self->callers);
  g_free (self);
}

static Caller *
get_caller (Guard      *self,
            const char *name)
{
  Caller *caller = g_hash_table_lookup (self->callers, name);

  if (caller != NULL)
    return caller;

  caller = g_new0 (Caller, 1);
  caller->mute = g_hash_table_new (NULL, NULL);
  g_hash_table_insert (self->callers, g_strdup (name), caller);
  return caller;
}

static gboolean
is_long (GDBusMessage *message)
{
  GVariant *body = g_dbus_message_get_body (message);

  return strlen (g_dbus_message_get_path (message)) > PATH_MOST ||
         (body != NULL && g_variant_get_size (body) > BODY_MOST);
}

static void
forget_idle (Guard      *self,
             Caller     *caller,
             const char *name)
{
  if (caller->unanswered == 0)
    g_hash_table_remove (self->callers, name);
}

/* Takes @message. The answer passes the guard like any other, and is counted off. */
static GDBusMessage *
turn_away (GDBusConnection *connection,
           Caller          *caller,
           GDBusMessage    *message,
           const char      *error,
           const char      *why)
{
  g_autoptr (GDBusMessage) call = message, reply = NULL;

  if (g_dbus_message_get_flags (call) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED)
    return NULL;

  caller->unanswered++;
  reply = g_dbus_message_new_method_error_literal (call, error, why);
  g_dbus_connection_send_message (connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
  return NULL;
}

/* One that wants no answer gets one all the same, which goes no farther than to
 * this guard: so it is known when the call is done. */
static GDBusMessage *
hear_answer (Caller       *caller,
             GDBusMessage *message)
{
  GDBusMessageFlags flags = g_dbus_message_get_flags (message);
  GDBusMessage *copy;

  if (!(flags & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED) || (copy = g_dbus_message_copy (message, NULL)) == NULL)
    return message;

  g_dbus_message_set_flags (copy, flags & ~G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
  g_hash_table_add (caller->mute, GUINT_TO_POINTER (g_dbus_message_get_serial (message)));
  g_object_unref (message);
  return copy;
}

static GDBusMessage *
on_call (Guard           *self,
         GDBusConnection *connection,
         GDBusMessage    *message)
{
  g_autofree char *sender = g_strdup (g_dbus_message_get_sender (message));
  Caller *caller = get_caller (self, sender);

  if (caller->unanswered >= REGIOND_GUARD_MOST_CALLS)
    message = turn_away (connection, caller, message, "org.regiond1.Error.LimitExceeded",
                         "There are " G_STRINGIFY (REGIOND_GUARD_MOST_CALLS) " unanswered calls of this connection "
                         "already; wait for some of them");
  else if (is_long (message))
    message = turn_away (connection, caller, message, "org.freedesktop.DBus.Error.LimitsExceeded",
                         "The call is too long: a path has at most " G_STRINGIFY (PATH_MOST) " letters here, the "
                         "arguments " G_STRINGIFY (BODY_MOST) " bytes");
  else
    {
      caller->unanswered++;
      message = hear_answer (caller, message);
    }

  forget_idle (self, caller, sender);
  return message;
}

static GDBusMessage *
on_answer (Guard        *self,
           GDBusMessage *message)
{
  const char *name = g_dbus_message_get_destination (message);
  Caller *caller = g_hash_table_lookup (self->callers, name);
  gboolean unwanted;

  if (caller == NULL)
    return message;

  unwanted = g_hash_table_remove (caller->mute, GUINT_TO_POINTER (g_dbus_message_get_reply_serial (message)));
  caller->unanswered--;
  forget_idle (self, caller, name);
  if (!unwanted)
    return message;

  g_object_unref (message);
  return NULL;
}

/* On GDBus's own thread. */
static GDBusMessage *
on_message (GDBusConnection *connection,
            GDBusMessage    *message,
            gboolean         incoming,
            gpointer         data)
{
  switch (g_dbus_message_get_message_type (message))
    {
    case G_DBUS_MESSAGE_TYPE_METHOD_CALL:
      return incoming ? on_call (data, connection, message) : message;
    case G_DBUS_MESSAGE_TYPE_METHOD_RETURN:
    case G_DBUS_MESSAGE_TYPE_ERROR:
      return incoming ? message : on_answer (data, message);
    default:
      return message;
    }
}

void
regiond_guard_calls (GDBusConnection *connection)
{
  Guard *self = g_new (Guard, 1);

  self->callers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) caller_free);
  g_dbus_connection_add_filter (connection, on_message, self, (GDestroyNotify) guard_free);
}
