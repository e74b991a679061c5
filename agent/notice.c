/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notice.h"

/* The call is put together before it is known what the service can do. */
typedef struct
{
  GDBusConnection *session;
  guint32 replaces;
  char *summary;
  char *body;
  char *action;
  char *label;
  guint8 urgency;
} Call;

static void
call_free (Call *call)
{
  g_object_unref (call->session);
  g_free (call->summary);
  g_free (call->body);
  g_free (call->action);
  g_free (call->label);
  g_free (call);
}

static void
on_shown (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  g_autoptr (GTask) task = data;
  g_autoptr (GVariant) reply = NULL;
  GError *error = NULL;
  guint32 number;

  reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  if (reply == NULL)
    {
      g_task_return_error (task, error);
      return;
    }

  g_variant_get (reply, "(u)", &number);
  g_task_return_int (task, number);
}

static GVariant *
build_arguments (const Call        *call,
                 const char *const *capabilities)
{
  g_autofree char *escaped = g_markup_escape_text (call->body, -1);
  GVariantBuilder actions, hints;

  g_variant_builder_init (&actions, G_VARIANT_TYPE_STRING_ARRAY);
  if (call->action != NULL && g_strv_contains (capabilities, "actions"))
    {
      g_variant_builder_add (&actions, "s", call->action);
      g_variant_builder_add (&actions, "s", call->label);
    }
  g_variant_builder_init (&hints, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&hints, "{sv}", "category", g_variant_new_string ("device"));
  g_variant_builder_add (&hints, "{sv}", "desktop-entry", g_variant_new_string ("regiond-agent"));
  g_variant_builder_add (&hints, "{sv}", "urgency", g_variant_new_byte (call->urgency));

  return g_variant_new ("(susssasa{sv}i)", "regiond", call->replaces, "", call->summary,
                        g_strv_contains (capabilities, "body-markup") ? escaped : call->body, &actions, &hints, -1);
}

static void
on_capabilities (GObject      *source,
                 GAsyncResult *result,
                 gpointer      data)
{
  g_autoptr (GTask) task = data;
  Call *call = g_task_get_task_data (task);
  g_autoptr (GVariant) reply = NULL;
  g_autofree const char **capabilities = NULL;
  GError *error = NULL;

  reply = g_dbus_connection_call_finish (call->session, result, &error);
  if (reply == NULL)
    {
      g_task_return_error (task, error);
      return;
    }

  g_variant_get (reply, "(^a&s)", &capabilities);
  g_dbus_connection_call (call->session, AGENT_NOTIFICATIONS, AGENT_NOTIFICATIONS_PATH, AGENT_NOTIFICATIONS, "Notify",
                          build_arguments (call, capabilities), G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE, -1,
                          NULL, on_shown, g_steal_pointer (&task));
}

void
agent_notice_show (GDBusConnection    *session,
                   const AgentNotice  *notice,
                   GAsyncReadyCallback callback,
                   gpointer            data)
{
  GTask *task = g_task_new (NULL, NULL, callback, data);
  Call *call = g_new (Call, 1);

  *call = (Call){
    .session = g_object_ref (session),
    .replaces = notice->replaces,
    .summary = g_strdup (notice->summary),
    .body = g_strdup (notice->body),
    .action = g_strdup (notice->action),
    .label = g_strdup (notice->label),
    .urgency = notice->urgency,
  };
  g_task_set_task_data (task, call, (GDestroyNotify) call_free);
  /* Each time: the one that is asked now need not be the one that was before. */
  g_dbus_connection_call (session, AGENT_NOTIFICATIONS, AGENT_NOTIFICATIONS_PATH, AGENT_NOTIFICATIONS,
                          "GetCapabilities", NULL, G_VARIANT_TYPE ("(as)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL,
                          on_capabilities, task);
}

guint32
agent_notice_show_finish (GAsyncResult *result,
                          GError      **error)
{
  gssize number = g_task_propagate_int (G_TASK (result), error);

  return number > 0 ? number : 0;
}

void
agent_notice_close (GDBusConnection *session,
                    guint32          number)
{
  g_dbus_connection_call (session, AGENT_NOTIFICATIONS, AGENT_NOTIFICATIONS_PATH, AGENT_NOTIFICATIONS,
                          "CloseNotification", g_variant_new ("(u)", number), NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START,
                          -1, NULL, NULL, NULL);
}
