/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "explain.h"

#include "error.h"
#include "permit.h"
#include "request.h"
#include "text.h"

#define BUS_NAME "org.freedesktop.DBus"

typedef struct {
  RegiondDaemon         *daemon;
  GDBusMethodInvocation *invocation;
  RegiondRequest        *request;
  RegiondClient         *caller;
  char                  *name;     /* the option "client", or NULL */
  RegiondClient         *client;   /* who would open it */
  RegiondQuestion       *question; /* that polkit would be asked */
  GError                *unsettled; /* why nobody could have it */
} Explain;

static void
explain_free (Explain *self)
{
  g_clear_error (&self->unsettled);
  g_clear_pointer (&self->question, regiond_question_unref);
  g_clear_pointer (&self->client, regiond_client_unref);
  regiond_client_unref (self->caller);
  regiond_request_free (self->request);
  g_free (self->name);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Explain, explain_free)

/* Takes both. */
static void
refuse (Explain *explain,
        GError  *error)
{
  g_autoptr (Explain) self = explain;

  regiond_error_return (self->invocation, error);
}

static GVariant *
list_details (RegiondQuestion *question)
{
  g_autoptr (PolkitDetails) details = regiond_question_make_details (question);
  g_auto (GStrv) keys = polkit_details_get_keys (details);
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{ss}"));

  for (guint i = 0; keys != NULL && keys[i] != NULL; i++)
    g_variant_builder_add (&builder, "{ss}", keys[i], polkit_details_lookup (details, keys[i]));
  return g_variant_builder_end (&builder);
}

static const char *
get_result (RegiondAnswer answer)
{
  switch (answer)
    {
    case REGIOND_ANSWER_YES:
      return "yes";
    case REGIOND_ANSWER_CHALLENGE:
      return "challenge";
    case REGIOND_ANSWER_REMEMBERED: /* refused, as if it had been no */
    case REGIOND_ANSWER_NO:
      return "no";
    }

  g_assert_not_reached ();
}

/* What OpenRegion would say next, in its order; NULL: nothing. @unasked: why polkit
 * could not be asked, or NULL. */
static GError *
find_blocker (Explain      *self,
              RegiondAnswer answer,
              const GError *unasked)
{
  GError *error = NULL;

  if (self->unsettled != NULL)
    return g_error_copy (self->unsettled);
  if (!regiond_request_is_worthwhile (self->request, self->client, &error))
    return error;
  if (unasked != NULL)
    return g_error_copy (unasked);
  return answer == REGIOND_ANSWER_REMEMBERED ? regiond_answer_make_error (answer, self->question) : NULL;
}

static void
explain (Explain      *self,
         RegiondAnswer answer,
         const GError *unasked)
{
  g_autoptr (GError) blocker = find_blocker (self, answer, unasked);
  gboolean settled = self->request->mechanism != REGIOND_MECHANISM_NONE;
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  g_variant_builder_add (&builder, "{sv}", "action", g_variant_new_string (self->question->action));
  g_variant_builder_add (&builder, "{sv}", "details", list_details (self->question));
  g_variant_builder_add (&builder, "{sv}", "result", g_variant_new_string (get_result (answer)));
  g_variant_builder_add (&builder, "{sv}", "mechanism",
                         g_variant_new_string (regiond_mechanism_to_string (self->request->mechanism)));
  g_variant_builder_add (&builder, "{sv}", "revocation",
                         g_variant_new_string (settled ? regiond_revocation_to_string (self->request->revocation) : ""));
  g_variant_builder_add (&builder, "{sv}", "blocker", g_variant_new_string (blocker != NULL ? blocker->message : ""));
  g_dbus_method_invocation_return_value (self->invocation, g_variant_new ("(a{sv})", &builder));
}

/* To have too many questions of one's own is no property of the region. */
static gboolean
is_callers_fault (const GError *error)
{
  return g_error_matches (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
on_foretold (GObject      *source,
             GAsyncResult *result,
             gpointer      data)
{
  g_autoptr (Explain) self = data;
  g_autoptr (GError) error = NULL;
  RegiondAnswer answer;

  if (regiond_authority_answer_finish (self->daemon->authority, result, &answer, &error) || !is_callers_fault (error))
    explain (self, answer, error);
  else
    refuse (g_steal_pointer (&self), g_steal_pointer (&error));
}

static void
foretell (Explain *self)
{
  self->question->uid = regiond_client_get_uid (self->caller);
  regiond_authority_foretell (self->daemon->authority, regiond_question_ref (self->question),
                              regiond_client_get_gone (self->caller), on_foretold, self);
}

static void
on_client_identified (GObject      *source,
                      GAsyncResult *result,
                      gpointer      data)
{
  Explain *self = data;
  GError *error = NULL;

  if (regiond_client_identify_finish (self->client, result, &error))
    foretell (self);
  else
    refuse (self, error);
}

/* Whoever has the name now. The bus has its own, and is nobody's client. */
static void
on_owner (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  Explain *self = data;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
  g_autofree char *owner = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(s)", &owner);
  if (owner == NULL || !g_dbus_is_unique_name (owner))
    {
      g_autofree char *quoted = regiond_text_quote (self->name);

      refuse (self, g_error_new (REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                                 "No client on the bus has the name %s, which the option 'client' gives", quoted));
      return;
    }

  self->client = regiond_clients_get (self->daemon->clients, owner);
  self->question->about = polkit_system_bus_name_new (owner);
  regiond_client_identify (self->client, on_client_identified, self);
}

static void
on_permitted (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  Explain *self = data;
  GError *error = NULL;

  if (!regiond_permit_ask_finish (result, &error))
    refuse (self, error);
  else if (self->name != NULL)
    g_dbus_connection_call (self->daemon->connection, BUS_NAME, "/org/freedesktop/DBus", BUS_NAME, "GetNameOwner",
                            g_variant_new ("(s)", self->name), G_VARIANT_TYPE ("(s)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL,
                            on_owner, self);
  else
    {
      self->client = regiond_client_ref (self->caller);
      foretell (self);
    }
}

/* Whether he may know it about somebody else. NULL: it is about himself. */
static RegiondQuestion *
make_leave (Explain *self)
{
  RegiondQuestion *question;

  if (self->name == NULL)
    return NULL;

  question = regiond_question_new_managing (self->invocation, self->request->interactive,
                                            g_strdup_printf ("explain what another client may have of device %s",
                                                             regiond_device_get_id (self->request->device)),
                                            FALSE, FALSE);
  regiond_device_add_details (self->request->device, question);
  return question;
}

/* Nothing is opened, so nothing is tied to a process. */
static gboolean
check_options (GVariant *options,
               GError  **error)
{
  static const char *const foreign[] = { "bind-to", "detach" };

  for (gsize i = 0; i < G_N_ELEMENTS (foreign); i++)
    {
      g_autoptr (GVariant) value = g_variant_lookup_value (options, foreign[i], NULL);

      if (value != NULL)
        {
          g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                       "Explain takes no '%s': a lease for a process is not explained, only opened", foreign[i]);
          return FALSE;
        }
    }
  return TRUE;
}

/* The option "client" apart from OpenRegion's. FALSE with InvalidArgs. */
static gboolean
read_client (GVariant  *options,
             char     **name,
             GVariant **rest,
             GError   **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  GVariantIter iter;
  const char *key;
  GVariant *value;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_loop (&iter, "{&sv}", &key, &value))
    {
      if (!g_str_equal (key, "client"))
        g_variant_builder_add (&builder, "{sv}", key, value);
      else if (*name == NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) &&
               g_dbus_is_name (g_variant_get_string (value, NULL)))
        *name = g_variant_dup_string (value, NULL);
      else
        {
          g_variant_unref (value);
          g_set_error_literal (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                               "The option 'client' is given once, and is a bus name (':1.42') of type 's'");
          return FALSE;
        }
    }

  *rest = g_variant_ref_sink (g_variant_builder_end (&builder));
  return TRUE;
}

static RegiondRequest *
read_request (RegiondDaemon *daemon,
              const char    *path,
              const char    *region,
              const char    *access,
              GVariant      *options,
              GError       **error)
{
  RegiondDevice *device = regiond_daemon_find_device_at (daemon, path, error);

  return device != NULL ? regiond_request_new (device, region, access, options, NULL, error) : NULL;
}

void
regiond_explain_start (RegiondDaemon         *daemon,
                       GDBusMethodInvocation *invocation,
                       const char            *device,
                       const char            *region,
                       const char            *access,
                       GVariant              *options)
{
  g_autofree char *name = NULL;
  g_autoptr (GVariant) rest = NULL;
  GError *error = NULL;
  RegiondRequest *request;
  Explain *self;

  if (!check_options (options, &error) || !read_client (options, &name, &rest, &error) ||
      (request = read_request (daemon, device, region, access, rest, &error)) == NULL)
    {
      regiond_error_return (invocation, error);
      return;
    }

  self = g_new0 (Explain, 1);
  self->daemon = daemon;
  self->invocation = invocation;
  self->request = request;
  self->name = g_steal_pointer (&name);
  self->caller = regiond_clients_get (daemon->clients, g_dbus_method_invocation_get_sender (invocation));
  regiond_request_settle (request, &self->unsettled);
  self->question = regiond_request_make_question (request, invocation);
  regiond_permit_ask (daemon->authority, self->caller, make_leave (self), NULL, on_permitted, self);
}
