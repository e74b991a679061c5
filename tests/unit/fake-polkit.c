/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-polkit.h"

#define NAME "org.freedesktop.PolicyKit1"
#define PATH "/org/freedesktop/PolicyKit1/Authority"
#define PATIENCE (10 * G_TIME_SPAN_SECOND)

static const char introspection[] =
    "<node>"
    " <interface name='org.freedesktop.PolicyKit1.Authority'>"
    "  <method name='CheckAuthorization'>"
    "   <arg type='(sa{sv})' direction='in'/><arg type='s' direction='in'/><arg type='a{ss}' direction='in'/>"
    "   <arg type='u' direction='in'/><arg type='s' direction='in'/>"
    "   <arg type='(bba{ss})' direction='out'/>"
    "  </method>"
    "  <method name='CancelCheckAuthorization'><arg type='s' direction='in'/></method>"
    "  <property name='BackendName' type='s' access='read'/>"
    "  <property name='BackendVersion' type='s' access='read'/>"
    "  <property name='BackendFeatures' type='u' access='read'/>"
    " </interface>"
    "</node>";

struct _FakePolkit {
  GMutex           lock; /* guards everything below */
  GCond            changed;
  FakePolkitAnswer answer;
  guint            asked;
  guint            withdrawn;
  GVariant        *question; /* the parameters of the last CheckAuthorization */
  GQueue           hanging;  /* GDBusMethodInvocation */
  gboolean         ready;

  char            *address;
  GDBusConnection *connection; /* while it is ready */
  GMainContext    *context;
  GMainLoop       *loop;
  GThread         *thread;
};

static void
respond (GDBusMethodInvocation *invocation,
         FakePolkitAnswer       answer)
{
  GVariantBuilder details = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{ss}"));

  if (answer == FAKE_POLKIT_FAIL)
    {
      g_variant_builder_clear (&details);
      g_dbus_method_invocation_return_dbus_error (invocation, "org.freedesktop.PolicyKit1.Error.Failed",
                                                  "Action is not registered");
      return;
    }

  if (answer == FAKE_POLKIT_NOBODY)
    {
      g_variant_builder_clear (&details);
      g_dbus_method_invocation_return_dbus_error (invocation, "org.freedesktop.DBus.Error.NameHasNoOwner",
                                                  "Could not get UID of name");
      return;
    }

  if (answer == FAKE_POLKIT_REMEMBERED)
    g_variant_builder_add (&details, "{ss}", "polkit.temporary_authorization_id", "tmpauthz7");
  g_dbus_method_invocation_return_value (
      invocation, g_variant_new ("((bba{ss}))", answer == FAKE_POLKIT_YES || answer == FAKE_POLKIT_REMEMBERED,
                                 answer == FAKE_POLKIT_CHALLENGE, &details));
}

/* Takes @invocation. */
static void
respond_or_hang (FakePolkit            *self,
                 GDBusMethodInvocation *invocation,
                 FakePolkitAnswer       answer)
{
  GVariant *question = g_dbus_method_invocation_get_parameters (invocation);
  guint32 flags;

  g_variant_get_child (question, 3, "u", &flags);
  if (answer == FAKE_POLKIT_PASSWORD)
    answer = flags & 1 ? FAKE_POLKIT_YES : FAKE_POLKIT_CHALLENGE;
  if (answer == FAKE_POLKIT_PROMPT)
    answer = flags & 1 ? FAKE_POLKIT_HANG : FAKE_POLKIT_CHALLENGE;
  if (answer == FAKE_POLKIT_HANG)
    g_queue_push_tail (&self->hanging, invocation);
  else
    respond (invocation, answer);
}

static void
on_call (GDBusConnection       *connection,
         const char            *sender,
         const char            *path,
         const char            *interface,
         const char            *method,
         GVariant              *parameters,
         GDBusMethodInvocation *invocation,
         gpointer               data)
{
  FakePolkit *self = data;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (g_str_equal (method, "CancelCheckAuthorization"))
    {
      self->withdrawn++;
      g_dbus_method_invocation_return_value (invocation, NULL);
    }
  else
    {
      self->asked++;
      g_clear_pointer (&self->question, g_variant_unref);
      self->question = g_variant_ref (parameters);
      respond_or_hang (self, invocation, self->answer);
    }
  g_cond_broadcast (&self->changed);
}

static GVariant *
on_get (GDBusConnection *connection,
        const char      *sender,
        const char      *path,
        const char      *interface,
        const char      *property,
        GError         **error,
        gpointer         data)
{
  return g_str_equal (property, "BackendFeatures") ? g_variant_new_uint32 (0) : g_variant_new_string ("fake");
}

static GDBusConnection *
join_bus (FakePolkit *self)
{
  static const GDBusInterfaceVTable calls = { on_call, on_get, NULL, { 0 } };
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (introspection, NULL);
  g_autoptr (GError) error = NULL;
  GDBusConnection *connection = g_dbus_connection_new_for_address_sync (
      self->address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, &error);
  g_autoptr (GVariant) reply = NULL;

  g_assert_no_error (error);
  g_dbus_connection_register_object (connection, PATH, node->interfaces[0], &calls, self, NULL, &error);
  g_assert_no_error (error);
  reply = g_dbus_connection_call_sync (connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "RequestName", g_variant_new ("(su)", NAME, 4), NULL,
                                       G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
  g_assert_no_error (error);
  return connection;
}

static gpointer
run (gpointer data)
{
  FakePolkit *self = data;
  g_autoptr (GDBusConnection) connection = NULL;

  g_main_context_push_thread_default (self->context);
  connection = join_bus (self);

  g_mutex_lock (&self->lock);
  self->connection = connection;
  self->ready = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);

  g_main_loop_run (self->loop);
  g_dbus_connection_close_sync (connection, NULL, NULL); /* FALSE where the bus has gone first */
  g_queue_clear_full (&self->hanging, g_object_unref);
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static void
wait_for (FakePolkit  *self,
          const guint *count,
          guint        least,
          const char  *what)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE;

  g_mutex_lock (&self->lock);
  while (*count < least)
    {
      if (!g_cond_wait_until (&self->changed, &self->lock, deadline))
        g_error ("polkit has been %s %u times, not %u", what, *count, least);
    }
  g_mutex_unlock (&self->lock);
}

FakePolkit *
fake_polkit_new (const char *address)
{
  FakePolkit *self = g_new0 (FakePolkit, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  g_queue_init (&self->hanging);
  self->address = g_strdup (address);
  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  self->thread = g_thread_new ("fake-polkit", run, self);

  g_mutex_lock (&self->lock);
  while (!self->ready)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
  return self;
}

static gboolean
quit (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

void
fake_polkit_free (FakePolkit *self)
{
  /* From inside: a quit before the loop runs would be lost. */
  g_main_context_invoke (self->context, quit, self->loop);
  g_thread_join (self->thread);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_clear_pointer (&self->question, g_variant_unref);
  g_free (self->address);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
fake_polkit_set_answer (FakePolkit      *self,
                        FakePolkitAnswer answer)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->answer = answer;
  for (guint n = g_queue_get_length (&self->hanging); n > 0; n--)
    respond_or_hang (self, g_queue_pop_head (&self->hanging), answer);
}

void
fake_polkit_answer_one (FakePolkit      *self,
                        FakePolkitAnswer answer)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  respond (g_queue_pop_head (&self->hanging), answer);
}

void
fake_polkit_announce (FakePolkit *self)
{
  g_autoptr (GError) error = NULL;

  g_dbus_connection_emit_signal (self->connection, NULL, PATH, "org.freedesktop.PolicyKit1.Authority", "Changed", NULL,
                                 &error);
  g_assert_no_error (error);
}

void
fake_polkit_wait_asked (FakePolkit *self,
                        guint       times)
{
  wait_for (self, &self->asked, times, "asked");
}

guint
fake_polkit_count_asked (FakePolkit *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->asked;
}

void
fake_polkit_wait_withdrawn (FakePolkit *self,
                            guint       times)
{
  wait_for (self, &self->withdrawn, times, "told to forget a question");
}

guint
fake_polkit_count_withdrawn (FakePolkit *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->withdrawn;
}

guint
fake_polkit_count_hanging (FakePolkit *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return g_queue_get_length (&self->hanging);
}

static GVariant *
get_question (FakePolkit *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  g_assert_nonnull (self->question);
  return g_variant_ref (self->question);
}

char *
fake_polkit_get_action (FakePolkit *self)
{
  g_autoptr (GVariant) question = get_question (self);
  char *action;

  g_variant_get_child (question, 1, "s", &action);
  return action;
}

char *
fake_polkit_get_subject (FakePolkit *self)
{
  g_autoptr (GVariant) question = get_question (self);
  g_autoptr (GVariant) details = NULL;
  const char *kind;
  char *name = NULL;

  g_variant_get_child (question, 0, "(&s@a{sv})", &kind, &details);
  g_assert_cmpstr (kind, ==, "system-bus-name");
  g_assert_true (g_variant_lookup (details, "name", "s", &name));
  return name;
}

guint32
fake_polkit_get_flags (FakePolkit *self)
{
  g_autoptr (GVariant) question = get_question (self);
  guint32 flags;

  g_variant_get_child (question, 3, "u", &flags);
  return flags;
}

char *
fake_polkit_get_detail (FakePolkit *self,
                        const char *key)
{
  g_autoptr (GVariant) question = get_question (self);
  g_autoptr (GVariant) details = g_variant_get_child_value (question, 2);
  char *value = NULL;

  g_variant_lookup (details, key, "s", &value);
  return value;
}

void
fake_polkit_expect_detail (FakePolkit *self,
                           const char *key,
                           const char *wanted)
{
  g_autofree char *value = fake_polkit_get_detail (self, key);

  if (g_strcmp0 (value, wanted) != 0)
    g_error ("the detail %s is '%s', not '%s'", key, value, wanted);
}
