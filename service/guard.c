/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard.h"

#include "backlog.h"
#include "daemon.h"

#define PATH_MOST 1024
#define BODY_MOST 65536

/* Whose answers wait where the bus cannot keep up. */
#define MANY_CALLS 8

/* What each call unanswered is. */
typedef enum {
  CALL_MUTE = 1 << 0, /* it wants no answer */
  CALL_LISTING = 1 << 1,
  CALL_VERIFY = 1 << 2,
} Call;

/* All of it is GDBus's own thread's. */
typedef struct {
  GHashTable      *callers; /* bus name -> Caller, as long as it has calls unanswered */
  RegiondBacklog  *backlog;
  RegiondStrays   *strays;
  RegiondGuardFunc listing;
  gpointer         data;
  GDestroyNotify   free;
} Guard;

typedef struct {
  GHashTable *calls; /* the serials of those unanswered -> Call */
  GHashTable *fds;   /* of these, those that take descriptors -> GUnixFDList */
  guint       listings;
  guint       verifies;
} Caller;

static void
caller_free (Caller *self)
{
  g_hash_table_unref (self->calls);
  g_hash_table_unref (self->fds);
  g_free (self);
}

static void
guard_free (Guard *self)
{
  g_hash_table_unref (self->callers);
  regiond_backlog_free (self->backlog);
  regiond_strays_unref (self->strays);
  if (self->free != NULL)
    self->free (self->data);
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
  caller->calls = g_hash_table_new (NULL, NULL);
  caller->fds = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  g_hash_table_insert (self->callers, g_strdup (name), caller);
  return caller;
}

/* As it should be; what is not is GDBus's to refuse. */
static gboolean
is_listing (GDBusMessage *message)
{
  const char *interface = g_dbus_message_get_interface (message);

  return g_str_equal (g_dbus_message_get_member (message), "GetManagedObjects") &&
         g_str_equal (g_dbus_message_get_path (message), REGIOND_PATH) &&
         (interface == NULL || g_str_equal (interface, "org.freedesktop.DBus.ObjectManager")) &&
         g_dbus_message_get_signature (message)[0] == '\0';
}

/* Verify is one whatever the interface: a call may leave it out. */
static Call
classify (GDBusMessage *message)
{
  Call call = g_dbus_message_get_flags (message) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED ? CALL_MUTE : 0;

  if (is_listing (message))
    call |= CALL_LISTING;
  else if (g_str_equal (g_dbus_message_get_member (message), "Verify"))
    call |= CALL_VERIFY;
  return call;
}

static void
count (Caller       *caller,
       GDBusMessage *message,
       Call          call)
{
  g_hash_table_insert (caller->calls, GUINT_TO_POINTER (g_dbus_message_get_serial (message)), GUINT_TO_POINTER (call));
  caller->listings += (call & CALL_LISTING) != 0;
  caller->verifies += (call & CALL_VERIFY) != 0;
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
  if (g_hash_table_size (caller->calls) == 0)
    g_hash_table_remove (self->callers, name);
}

#define LIMIT_EXCEEDED "org.regiond1.Error.LimitExceeded"

static const RegiondRefusal too_many_calls = {
  LIMIT_EXCEEDED,
  "There are " G_STRINGIFY (REGIOND_GUARD_MOST_CALLS) " unanswered calls of this connection already; wait for some of "
  "them"
};
static const RegiondRefusal second_listing = {
  LIMIT_EXCEEDED, "A GetManagedObjects of this connection is unanswered; wait for it, and try again"
};
static const RegiondRefusal too_many_verifies = {
  LIMIT_EXCEEDED,
  "There are " G_STRINGIFY (REGIOND_GUARD_MOST_VERIFIES) " unanswered Verify of this connection already; wait for some "
  "of them, and try again"
};
static const RegiondRefusal too_long = {
  "org.freedesktop.DBus.Error.LimitsExceeded",
  "The call is too long: a path has at most " G_STRINGIFY (PATH_MOST) " letters here, the arguments "
  G_STRINGIFY (BODY_MOST) " bytes"
};

/* NULL: it is welcome. */
static const RegiondRefusal *
find_objection (Caller       *caller,
                GDBusMessage *message,
                Call          call)
{
  if (g_hash_table_size (caller->calls) >= REGIOND_GUARD_MOST_CALLS)
    return &too_many_calls;
  if ((call & CALL_LISTING) && caller->listings > 0)
    return &second_listing;
  if ((call & CALL_VERIFY) && caller->verifies >= REGIOND_GUARD_MOST_VERIFIES)
    return &too_many_verifies;
  return is_long (message) ? &too_long : NULL;
}

/* Takes @message, which has not been counted; nor is its answer. */
static GDBusMessage *
turn_away (Guard                *self,
           GDBusMessage         *message,
           const RegiondRefusal *refusal)
{
  g_autoptr (GDBusMessage) call = message;

  if (!(g_dbus_message_get_flags (call) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED))
    regiond_backlog_refuse (self->backlog, g_dbus_message_get_sender (call), g_dbus_message_get_serial (call), refusal);
  return NULL;
}

static GUnixFDList *
hold_fds (GDBusMessage *message)
{
  GUnixFDList *fds = g_dbus_message_get_unix_fd_list (message);

  return fds != NULL ? g_object_ref (fds) : NULL;
}

static gboolean
takes_fds (GDBusMessage *call)
{
  const char *member = g_dbus_message_get_member (call);

  return g_str_equal (member, "OpenRegion") || g_str_equal (member, "AttachLease");
}

/* @fds have come with what is @handed_on, NULL if nothing is. The message cannot be changed any more, but its
 * list can. */
static void
sort_fds (Guard        *self,
          Caller       *caller,
          const char   *sender,
          GUnixFDList  *fds,
          GDBusMessage *handed_on)
{
  GUnixFDList *kept = handed_on != NULL ? g_dbus_message_get_unix_fd_list (handed_on) : NULL;

  if (kept != NULL && takes_fds (handed_on))
    g_hash_table_insert (caller->fds, GUINT_TO_POINTER (g_dbus_message_get_serial (handed_on)), g_object_ref (kept));
  else
    kept = NULL;
  if (fds != NULL && fds != kept)
    regiond_strays_take (self->strays, sender, fds);
}

/* One that wants no answer gets one all the same, which goes no farther than to
 * this guard: so it is known when the call is done. Takes @message; NULL for
 * want of descriptors. */
static GDBusMessage *
hear_answer (GDBusMessage *message)
{
  g_autoptr (GDBusMessage) call = message;
  GDBusMessage *copy = g_dbus_message_copy (call, NULL);

  if (copy != NULL)
    g_dbus_message_set_flags (copy, g_dbus_message_get_flags (call) & ~G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
  return copy;
}

static GDBusMessage *
on_call (Guard        *self,
         GDBusMessage *message)
{
  g_autofree char *sender = g_strdup (g_dbus_message_get_sender (message));
  Caller *caller = get_caller (self, sender);
  Call call = classify (message);
  const RegiondRefusal *objection;
  g_autoptr (GUnixFDList) fds = hold_fds (message);

  if (g_hash_table_contains (caller->calls, GUINT_TO_POINTER (g_dbus_message_get_serial (message))))
    {
      /* No library does that. Its answer could not be told from the other one's. */
      g_clear_object (&message);
    }
  else if ((objection = find_objection (caller, message, call)) != NULL)
    message = turn_away (self, message, objection);
  else if ((call & CALL_MUTE) && (call & CALL_LISTING))
    g_clear_object (&message);
  else if (!(call & CALL_MUTE) || (message = hear_answer (message)) != NULL)
    count (caller, message, call);

  sort_fds (self, caller, sender, fds, message);
  forget_idle (self, caller, sender);
  if (message != NULL && (call & CALL_LISTING))
    self->listing (self->data, g_steal_pointer (&message));
  return message;
}

static void
forget_call (Guard      *self,
             Caller     *caller,
             const char *name,
             guint32     serial,
             Call        call)
{
  GUnixFDList *fds = g_hash_table_lookup (caller->fds, GUINT_TO_POINTER (serial));

  if (fds != NULL)
    regiond_strays_take (self->strays, name, fds);
  g_hash_table_remove (caller->fds, GUINT_TO_POINTER (serial));
  g_hash_table_remove (caller->calls, GUINT_TO_POINTER (serial));
  caller->listings -= (call & CALL_LISTING) != 0;
  caller->verifies -= (call & CALL_VERIFY) != 0;
  forget_idle (self, caller, name);
}

/* Descriptors do not wait: they are few, since each is of a lease. */
static gboolean
can_wait (Caller       *caller,
          GDBusMessage *answer)
{
  return g_hash_table_size (caller->calls) > MANY_CALLS && g_dbus_message_get_num_unix_fds (answer) == 0;
}

static GDBusMessage *
on_answer (Guard        *self,
           GDBusMessage *message)
{
  const char *name = g_dbus_message_get_destination (message);
  guint32 serial = g_dbus_message_get_reply_serial (message);
  gboolean waited = regiond_backlog_has_released (self->backlog, message);
  Caller *caller = g_hash_table_lookup (self->callers, name);
  gpointer call;

  if (caller == NULL || !g_hash_table_lookup_extended (caller->calls, GUINT_TO_POINTER (serial), NULL, &call))
    return message;

  if (GPOINTER_TO_UINT (call) & CALL_MUTE)
    {
      forget_call (self, caller, name, serial, GPOINTER_TO_UINT (call));
      g_object_unref (message);
      return NULL;
    }
  if (!waited && can_wait (caller, message) && regiond_backlog_is_needed (self->backlog))
    {
      regiond_backlog_hold (self->backlog, message);
      return NULL;
    }

  forget_call (self, caller, name, serial, GPOINTER_TO_UINT (call));
  return message;
}

/* Nothing that is no call has any business to come with descriptors. */
static GDBusMessage *
on_other (Guard        *self,
          GDBusMessage *message)
{
  GUnixFDList *fds = g_dbus_message_get_unix_fd_list (message);

  if (fds != NULL)
    regiond_strays_take (self->strays, g_dbus_message_get_sender (message), fds);
  return message;
}

/* On GDBus's own thread. */
static GDBusMessage *
on_message (GDBusConnection *connection,
            GDBusMessage    *message,
            gboolean         incoming,
            gpointer         data)
{
  GDBusMessageType type = g_dbus_message_get_message_type (message);

  if (type == G_DBUS_MESSAGE_TYPE_METHOD_CALL)
    return incoming ? on_call (data, message) : message;
  if (incoming)
    return on_other (data, message);
  return type == G_DBUS_MESSAGE_TYPE_SIGNAL ? message : on_answer (data, message);
}

void
regiond_guard_calls (GDBusConnection *connection,
                     RegiondStrays   *strays,
                     RegiondGuardFunc listing,
                     gpointer         data,
                     GDestroyNotify   free)
{
  Guard *self = g_new0 (Guard, 1);

  self->listing = listing;
  self->data = data;
  self->free = free;
  self->strays = regiond_strays_ref (strays);
  self->backlog = regiond_backlog_new (connection);
  self->callers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) caller_free);
  g_dbus_connection_add_filter (connection, on_message, self, (GDestroyNotify) guard_free);
}
