/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "authority.h"

#include "error.h"
#include "queue.h"

/* polkitd answers one question after the other: one is being answered, and the
 * next ones are there when it is done. More would be answered no sooner, and
 * whoever comes would wait behind them. */
#define PLACES 3

/* The bus lets regiond wait for 128 answers in all. Nobody's prompts take all
 * places, however long they stay. */
#define PROMPTS 64
#define PROMPTS_EACH 16

struct _RegiondAuthority {
  PolkitAuthority *polkit; /* NULL until it has been got */
  gboolean         getting;
  RegiondPatience  patience;
  RegiondQueue    *checks;      /* GTask */
  RegiondQueue    *prompts;     /* GTask */
  GHashTable      *connections; /* bus name -> how many are under way */
};

/* One check under way. */
typedef struct {
  RegiondAuthority *authority;
  RegiondQuestion  *question;
  RegiondQueue     *queue;     /* that it waits or has a place in */
  GCancellable     *stop;      /* ends polkit's call; NULL while it waits */
  GSource          *departure; /* fires when the caller has left; NULL once answered */
  gint64            since;
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
  regiond_queue_free (self->checks);
  regiond_queue_free (self->prompts);
  g_hash_table_unref (self->connections);
}

static void
release (RegiondAuthority *self)
{
  g_rc_box_release_full (self, (GDestroyNotify) clear);
}

static void
check_free (Check *self)
{
  g_assert (self->departure == NULL);
  g_clear_handle_id (&self->timer, g_source_remove);
  g_clear_object (&self->stop);
  regiond_question_free (self->question);
  release (self->authority);
  g_free (self);
}

static guint
count_connection (RegiondAuthority *self,
                  const char       *name)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (self->connections, name));
}

static void
set_connection (RegiondAuthority *self,
                const char       *name,
                guint             count)
{
  if (count > 0)
    g_hash_table_insert (self->connections, g_strdup (name), GUINT_TO_POINTER (count));
  else
    g_hash_table_remove (self->connections, name);
}

/* Before the answer: from now on nobody waits for it. */
static void
settle (Check *check)
{
  const char *name = check->question->subject;

  if (check->departure == NULL)
    return;

  g_source_destroy (check->departure);
  g_clear_pointer (&check->departure, g_source_unref);
  set_connection (check->authority, name, count_connection (check->authority, name) - 1);
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

  settle (check);
  g_task_return_new_error (task, domain, code, "Not allowed to %s: %s", check->question->purpose, why);
}

static void
refuse_departed (GTask *task)
{
  settle (g_task_get_task_data (task));
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The caller has left the bus");
}

static void
refuse_late (GTask *task)
{
  Check *check = g_task_get_task_data (task);
  RegiondAuthority *self = check->authority;

  refuse (task, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED,
          "polkit did not answer about the action %s within %u ms (AuthorizationTimeout); see whether polkitd is well",
          check->question->action,
          check->queue == self->prompts ? self->patience.prompt_timeout : self->patience.timeout);
}

static void
refuse_failed (GTask  *task,
               GError *error)
{
  Check *check = g_task_get_task_data (task);

  if (check->timed_out)
    refuse_late (task);
  else if (check->stop != NULL && g_cancellable_is_cancelled (check->stop))
    refuse_departed (task);
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
        {
          settle (check);
          g_task_return_boolean (task, TRUE);
        }
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

static void serve (RegiondAuthority *self);
static gboolean on_timeout (gpointer data);

/* polkit wants a person: asked again, where that takes nobody's place. */
static void
ask_person (GTask *task)
{
  Check *check = g_task_get_task_data (task);
  RegiondAuthority *self = check->authority;
  gint64 waited = (g_get_monotonic_time () - check->since) / 1000;

  g_clear_handle_id (&check->timer, g_source_remove);
  check->timer = g_timeout_add (MAX (0, self->patience.prompt_timeout - waited), on_timeout, task);
  check->queue = self->prompts;
  regiond_queue_push (check->queue, check->question->uid, g_object_ref (task));
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

  answer = polkit_authority_check_authorization_finish (POLKIT_AUTHORITY (source), result, &error);
  regiond_queue_done (check->queue, check->question->uid);
  if (check->departure == NULL)
    g_debug ("polkit has answered about %s, who has left", check->question->subject);
  else if (answer == NULL)
    refuse_failed (task, error);
  else if (polkit_authorization_result_get_is_challenge (answer) && check->question->interactive &&
           check->queue == check->authority->checks)
    ask_person (task);
  else
    judge (task, answer);

  g_clear_object (&check->stop);
  serve (check->authority);
}

static void
ask (GTask                        *task,
     PolkitCheckAuthorizationFlags flags)
{
  Check *check = g_task_get_task_data (task);
  RegiondQuestion *question = check->question;
  g_autoptr (PolkitSubject) subject = polkit_system_bus_name_new (question->subject);

  check->stop = g_cancellable_new ();
  polkit_authority_check_authorization (check->authority->polkit, subject, question->action, question->details, flags,
                                        check->stop, on_checked, task);
}

static void
refuse_waiting (RegiondQueue *queue,
                GError       *error)
{
  GTask *next;

  while ((next = regiond_queue_steal (queue)) != NULL)
    {
      g_autoptr (GTask) task = next;

      refuse_failed (task, error);
    }
}

static void
on_authority (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  RegiondAuthority *self = data;
  g_autoptr (GError) error = NULL;

  self->getting = FALSE;
  self->polkit = polkit_authority_get_finish (result, &error);
  if (self->polkit != NULL)
    serve (self);
  else
    refuse_waiting (self->checks, error);
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
serve (RegiondAuthority *self)
{
  GTask *task;

  if (self->polkit == NULL)
    {
      get_polkit (self);
      return;
    }

  while ((task = regiond_queue_serve (self->checks)) != NULL)
    ask (task, POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE);
  while ((task = regiond_queue_serve (self->prompts)) != NULL)
    ask (task, POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION);
}

/* Out of the queue; the reference is the caller's. */
static GTask *
withdraw (GTask *task)
{
  Check *check = g_task_get_task_data (task);

  regiond_queue_withdraw (check->queue, check->question->uid, task);
  return task;
}

static gboolean
on_timeout (gpointer data)
{
  Check *check = g_task_get_task_data (data);

  check->timer = 0;
  check->timed_out = TRUE;
  if (check->stop != NULL)
    g_cancellable_cancel (check->stop);
  else
    {
      g_autoptr (GTask) task = withdraw (data);

      refuse_late (task);
    }
  return G_SOURCE_REMOVE;
}

/* A prompt is taken off the person's screen. Any other question keeps its place
 * until polkitd has answered: it is at work on it, and who comes and leaves, and
 * comes again, must not have more than one user's share of polkitd. */
static gboolean
on_departed (GCancellable *cancellable,
             gpointer      data)
{
  Check *check = g_task_get_task_data (data);

  if (check->stop == NULL)
    {
      g_autoptr (GTask) task = withdraw (data);

      refuse_departed (task);
    }
  else if (check->queue == check->authority->prompts)
    g_cancellable_cancel (check->stop);
  else
    refuse_departed (data);
  return G_SOURCE_REMOVE;
}

RegiondAuthority *
regiond_authority_new (const RegiondPatience *patience)
{
  RegiondAuthority *self = g_rc_box_new0 (RegiondAuthority);

  self->patience = *patience;
  self->checks = regiond_queue_new (PLACES, PLACES);
  self->prompts = regiond_queue_new (PROMPTS, PROMPTS_EACH);
  self->connections = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  get_polkit (self);
  return self;
}

void
regiond_authority_free (RegiondAuthority *self)
{
  g_autoptr (GError) error = g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, "The service ends");

  refuse_waiting (self->checks, error);
  refuse_waiting (self->prompts, error);
  release (self);
}

/* FALSE, and it is refused: there are too many of the same one's. */
static gboolean
has_room (RegiondAuthority *self,
          GTask            *task)
{
  RegiondQuestion *question = ((Check *) g_task_get_task_data (task))->question;

  if (count_connection (self, question->subject) >= self->patience.per_connection)
    refuse (task, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
            "%u calls of %s wait for polkit already (MaxAuthorizationsPerConnection); wait for some of them",
            self->patience.per_connection, question->subject);
  else if (regiond_queue_count (self->checks, question->uid) + regiond_queue_count (self->prompts, question->uid) >=
           self->patience.per_user)
    refuse (task, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
            "%u calls of user %u wait for polkit already (MaxAuthorizationsPerUser); wait for some of them",
            self->patience.per_user, question->uid);
  else
    return TRUE;

  return FALSE;
}

void
regiond_authority_check (RegiondAuthority   *self,
                         RegiondQuestion    *question,
                         GCancellable       *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer            data)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, data);
  Check *check = g_new0 (Check, 1);

  check->authority = g_rc_box_acquire (self);
  check->question = question;
  check->queue = self->checks;
  check->since = g_get_monotonic_time ();
  g_task_set_task_data (task, check, (GDestroyNotify) check_free);
  if (g_cancellable_is_cancelled (cancellable))
    {
      refuse_departed (task);
      return;
    }
  if (!has_room (self, task))
    return;

  set_connection (self, question->subject, count_connection (self, question->subject) + 1);
  check->departure = g_cancellable_source_new (cancellable);
  g_source_set_callback (check->departure, G_SOURCE_FUNC (on_departed), task, NULL);
  g_source_set_priority (check->departure, G_PRIORITY_HIGH);
  g_source_attach (check->departure, NULL);
  check->timer = g_timeout_add (self->patience.timeout, on_timeout, task);
  regiond_queue_push (self->checks, question->uid, g_object_ref (task));
  serve (self);
}

gboolean
regiond_authority_check_finish (RegiondAuthority *self,
                                GAsyncResult     *result,
                                GError          **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
