/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "authority.h"

#include "error.h"

struct _RegiondAuthority {
  PolkitAuthority *polkit;  /* NULL until it has been got */
  gboolean         getting;
  GQueue           waiting; /* GTask: the checks that wait for it */
  guint            timeout;
  guint            prompt_timeout;
};

/* One check under way. */
typedef struct {
  RegiondAuthority *authority;
  RegiondQuestion  *question;
  GCancellable     *stop; /* what ends polkit's call: the caller's cancellable or the timeout */
  gulong            chained;
  GSource          *impatience; /* fires when the check is stopped while it waits */
  guint             timer;
  gboolean          timed_out;
} Check;

RegiondQuestion *
regiond_question_new (const char            *action,
                      GDBusMethodInvocation *invocation,
                      gboolean               interactive,
                      char                  *purpose)
{
  RegiondQuestion *self = g_new0 (RegiondQuestion, 1);
  GDBusMessageFlags flags = g_dbus_message_get_flags (g_dbus_method_invocation_get_message (invocation));

  self->action = action;
  self->subject = g_strdup (g_dbus_method_invocation_get_sender (invocation));
  self->purpose = purpose;
  self->details = polkit_details_new ();
  self->interactive = interactive || (flags & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION);
  return self;
}

void
regiond_question_free (RegiondQuestion *self)
{
  g_free (self->subject);
  g_free (self->purpose);
  g_object_unref (self->details);
  g_free (self);
}

void
regiond_question_add (RegiondQuestion *self,
                      const char      *key,
                      const char      *value)
{
  polkit_details_insert (self->details, key, value);
}

static void
clear (RegiondAuthority *self)
{
  g_clear_object (&self->polkit);
}

static void
release (RegiondAuthority *self)
{
  g_rc_box_release_full (self, (GDestroyNotify) clear);
}

static void
check_free (Check *self)
{
  g_assert (self->impatience == NULL);
  g_clear_handle_id (&self->timer, g_source_remove);
  g_object_unref (self->stop);
  regiond_question_free (self->question);
  release (self->authority);
  g_free (self);
}

static gboolean
on_timeout (gpointer data)
{
  Check *check = data;

  check->timer = 0;
  check->timed_out = TRUE;
  g_cancellable_cancel (check->stop);
  return G_SOURCE_REMOVE;
}

static void
on_cancelled (GCancellable *cancellable,
              gpointer      stop)
{
  g_cancellable_cancel (stop);
}

static void G_GNUC_PRINTF (4, 5)
refuse (GTask      *task,
        GQuark      domain,
        int         code,
        const char *format,
        ...)
{
  Check *check = g_task_get_task_data (task);
  g_autofree char *why = NULL;
  va_list arguments;

  va_start (arguments, format);
  why = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  g_task_return_new_error (task, domain, code, "Not allowed to %s: %s", check->question->purpose, why);
}

static void
refuse_failed (GTask  *task,
               GError *error)
{
  Check *check = g_task_get_task_data (task);

  if (check->timed_out)
    refuse (task, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED,
            "polkit did not answer about the action %s within %u ms (AuthorizationTimeout); see whether polkitd is well",
            check->question->action,
            check->question->interactive ? check->authority->prompt_timeout : check->authority->timeout);
  else if (g_cancellable_is_cancelled (check->stop))
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The caller has left the bus");
  else if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_LIMITS_EXCEEDED))
    refuse (task, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
            "polkit is being asked too many questions at once; try again");
  else
    {
      g_dbus_error_strip_remote_error (error);
      refuse (task, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "polkit could not be asked about the action %s: %s",
              check->question->action, error->message);
    }
}

/* A remembered authorization (*_keep) was given for some other question:
 * polkit keeps it by process and action, without the details (facts). */
static void
judge (GTask                     *task,
       PolkitAuthorizationResult *result)
{
  Check *check = g_task_get_task_data (task);
  const char *action = check->question->action;

  if (polkit_authorization_result_get_is_authorized (result))
    {
      if (polkit_authorization_result_get_temporary_authorization_id (result) == NULL)
        g_task_return_boolean (task, TRUE);
      else
        refuse (task, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED,
                "polkit remembers an authorization for the action %s that may have been given for another device; "
                "such (…_keep) is not accepted, take it out of the policy", action);
    }
  else if (!polkit_authorization_result_get_is_challenge (result))
    refuse (task, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED,
            "polkit refuses the action %s; an administrator can allow it with a rule in /etc/polkit-1/rules.d", action);
  else if (check->question->interactive)
    refuse (task, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED,
            "polkit wants authentication for the action %s, and it was dismissed, failed, or no agent is there to ask",
            action);
  else
    refuse (task, REGIOND_ERROR, REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
            "polkit refuses the action %s without authentication, and the call does not permit a prompt; "
            "permit it (gdbus call --interactive, or the option 'interactive'), or add a rule in /etc/polkit-1/rules.d",
            action);
}

static void
on_checked (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (GTask) task = data;
  Check *check = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (PolkitAuthorizationResult) answer = NULL;

  g_cancellable_disconnect (g_task_get_cancellable (task), check->chained);
  answer = polkit_authority_check_authorization_finish (POLKIT_AUTHORITY (source), result, &error);
  if (answer == NULL)
    refuse_failed (task, error);
  else
    judge (task, answer);
}

static void
ask (GTask *task)
{
  Check *check = g_task_get_task_data (task);
  RegiondQuestion *question = check->question;
  g_autoptr (PolkitSubject) subject = polkit_system_bus_name_new (question->subject);

  polkit_authority_check_authorization (
      check->authority->polkit, subject, question->action, question->details,
      question->interactive ? POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION
                            : POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE,
      check->stop, on_checked, g_object_ref (task));
}

static void
stop_waiting (GTask *task)
{
  Check *check = g_task_get_task_data (task);

  g_queue_remove (&check->authority->waiting, task);
  g_source_destroy (check->impatience);
  g_clear_pointer (&check->impatience, g_source_unref);
}

static void
refuse_waiting (GTask  *task,
                GError *error)
{
  Check *check = g_task_get_task_data (task);

  stop_waiting (task);
  g_cancellable_disconnect (g_task_get_cancellable (task), check->chained);
  refuse_failed (task, error);
}

static gboolean
on_impatient (GCancellable *stop,
              gpointer      data)
{
  g_autoptr (GTask) task = data;
  g_autoptr (GError) error = g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, "Stopped");

  refuse_waiting (task, error);
  return G_SOURCE_REMOVE;
}

static void
on_authority (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  RegiondAuthority *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (PolkitAuthority) polkit = polkit_authority_get_finish (result, &error);
  GTask *next;

  self->getting = FALSE;
  self->polkit = g_steal_pointer (&polkit);
  while ((next = g_queue_peek_head (&self->waiting)) != NULL)
    {
      g_autoptr (GTask) task = next;

      if (self->polkit == NULL)
        refuse_waiting (task, error);
      else
        {
          stop_waiting (task);
          ask (task);
        }
    }
  release (self);
}

/* Once at a time: the library takes a lock for as long as polkitd takes to
 * answer, and a second call would block on it, on the main thread. */
static void
get_polkit (RegiondAuthority *self)
{
  if (self->getting)
    return;

  self->getting = TRUE;
  polkit_authority_get_async (NULL, on_authority, g_rc_box_acquire (self));
}

static void
wait_for_polkit (RegiondAuthority *self,
                 GTask            *task)
{
  Check *check = g_task_get_task_data (task);

  check->impatience = g_cancellable_source_new (check->stop);
  g_source_set_callback (check->impatience, G_SOURCE_FUNC (on_impatient), task, NULL);
  g_source_attach (check->impatience, NULL);
  g_queue_push_tail (&self->waiting, g_object_ref (task));
  get_polkit (self);
}

RegiondAuthority *
regiond_authority_new (guint timeout,
                       guint prompt_timeout)
{
  RegiondAuthority *self = g_rc_box_new0 (RegiondAuthority);

  self->timeout = timeout;
  self->prompt_timeout = prompt_timeout;
  g_queue_init (&self->waiting);
  get_polkit (self);
  return self;
}

void
regiond_authority_free (RegiondAuthority *self)
{
  g_autoptr (GError) error = g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, "The service ends");

  while (!g_queue_is_empty (&self->waiting))
    {
      g_autoptr (GTask) task = g_queue_peek_head (&self->waiting);

      refuse_waiting (task, error);
    }
  release (self);
}

void
regiond_authority_check (RegiondAuthority   *self,
                         RegiondQuestion    *question,
                         GCancellable       *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer            data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  Check *check = g_new0 (Check, 1);

  check->authority = g_rc_box_acquire (self);
  check->question = question;
  check->stop = g_cancellable_new ();
  check->timer = g_timeout_add (question->interactive ? self->prompt_timeout : self->timeout, on_timeout, check);
  g_task_set_task_data (task, check, (GDestroyNotify) check_free);
  if (cancellable != NULL)
    check->chained = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), g_object_ref (check->stop),
                                            g_object_unref);

  if (self->polkit != NULL)
    ask (task);
  else
    wait_for_polkit (self, task);
}

gboolean
regiond_authority_check_finish (RegiondAuthority *self,
                                GAsyncResult     *result,
                                GError          **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
