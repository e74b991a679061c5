/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "authority.h"

#include "counts.h"
#include "error.h"
#include "queue.h"

/* polkitd answers one question after the other: one is being answered, and the
 * next one is there when it is done. More would be answered no sooner, and
 * whoever comes would wait behind them. */
#define PLACES 2

/* The bus lets regiond wait for 128 answers in all: these, and those of a few
 * other questions. Nobody's prompts take all places, however long they stay,
 * nor do those of a few together: who has none gets one all the same. */
#define PROMPTS 64
#define PROMPTS_EACH 16
#define PROMPTS_RESERVE 32

/* So many times the patience with a question polkitd may take to answer it. */
#define LOST_FACTOR 2

struct _RegiondAuthority {
  PolkitAuthority *polkit; /* NULL until it has been got */
  gboolean         getting;
  RegiondPatience  patience;
  RegiondQueue    *checks;      /* GTask */
  RegiondQueue    *prompts;     /* GTask */
  RegiondCounts   *connections; /* bus name -> how many are under way */
  GSequence       *deadlines;   /* GTask, the next one first: a source each would cost everybody's calls time */
  guint            alarm;       /* rings at the next one, or before */
  gint64           alarm_at;
  GQueue           departed; /* GTask, whose callers have left */
  guint            farewell; /* the idle that sees to them */
};

/* One check under way. */
typedef struct {
  RegiondAuthority *authority;
  RegiondQuestion  *question;
  RegiondQueue     *queue;     /* that it waits or has a place in */
  GCancellable     *stop;      /* ends polkit's call; NULL while it waits */
  GCancellable     *gone;      /* the caller's, or NULL */
  gulong            connected; /* to it */
  gboolean          counted;   /* as one of its connection's */
  gboolean          settled;   /* answered */
  gint64            since;
  gint64            deadline;
  GSequenceIter    *iter; /* among the deadlines, or NULL */
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

void
regiond_question_add_identity (RegiondQuestion       *self,
                               const RegiondIdentity *identity)
{
  g_autofree char *vendor = g_strdup_printf ("0x%04x", identity->vendor);
  g_autofree char *model = g_strdup_printf ("0x%04x", identity->device);
  g_autofree char *class = g_strdup_printf ("0x%06x", identity->class);
  g_autofree char *group = g_strdup_printf ("%d", identity->iommu_group);

  regiond_question_add (self, "address", identity->address);
  regiond_question_add (self, "vendor", vendor);
  regiond_question_add (self, "model", model);
  regiond_question_add (self, "class", class);
  regiond_question_add (self, "driver", identity->driver);
  if (identity->iommu_group >= 0)
    regiond_question_add (self, "iommu_group", group);
}

static void
clear (RegiondAuthority *self)
{
  g_clear_object (&self->polkit);
  regiond_queue_free (self->checks);
  regiond_queue_free (self->prompts);
  g_hash_table_unref (self->connections);
  g_clear_handle_id (&self->alarm, g_source_remove);
  g_sequence_free (self->deadlines);
}

static void
release (RegiondAuthority *self)
{
  g_rc_box_release_full (self, (GDestroyNotify) clear);
}

static void
check_free (Check *self)
{
  g_assert (self->settled);
  g_clear_pointer (&self->iter, g_sequence_remove);
  g_clear_object (&self->stop);
  g_clear_object (&self->gone);
  regiond_question_free (self->question);
  release (self->authority);
  g_free (self);
}

/* Before the answer: from now on nobody waits for it. */
static void
settle (Check *check)
{
  const char *name = check->question->subject;

  if (check->connected != 0)
    g_cancellable_disconnect (check->gone, check->connected);
  check->connected = 0;
  if (check->counted)
    regiond_counts_change (check->authority->connections, name, -1);
  check->counted = FALSE;
  check->settled = TRUE;
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
static void set_deadline (GTask *task, guint timeout);

/* polkit wants a person: asked again, where that takes nobody's place. */
static void
ask_person (GTask *task)
{
  Check *check = g_task_get_task_data (task);
  RegiondAuthority *self = check->authority;

  set_deadline (task, self->patience.prompt_timeout);
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
  if (check->settled)
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

/* Whoever has one call at a time makes polkitd go without a pause. Who has many
 * makes others wait for one of them, not for two. */
static gboolean
may_follow (RegiondAuthority *self)
{
  GTask *next = regiond_queue_peek (self->checks);

  return next == NULL || regiond_queue_count_served (self->checks) == 0 ||
         regiond_counts_get (self->connections, ((Check *) g_task_get_task_data (next))->question->subject) == 1;
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

  while (may_follow (self) && (task = regiond_queue_serve (self->checks)) != NULL)
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

/* A prompt is taken off the person's screen. Any other question is in polkitd's
 * line, from which nothing takes it back: while it is, nobody else gets its
 * place, or a polkitd that is slow would get slower with every call that it
 * comes too late for. One that is never answered at all is given up at last. */
static void
expire (GTask *task)
{
  Check *check = g_task_get_task_data (task);
  gboolean first = !check->timed_out;

  check->timed_out = TRUE;
  if (check->stop == NULL)
    {
      g_autoptr (GTask) withdrawn = withdraw (task);

      refuse_late (withdrawn);
    }
  else if (check->queue == check->authority->prompts || !first)
    g_cancellable_cancel (check->stop);
  else
    {
      set_deadline (task, LOST_FACTOR * check->authority->patience.timeout);
      if (!check->settled)
        refuse_late (task);
    }
}

static gboolean on_alarm (gpointer data);

/* It may ring too early, when who it was set for has been answered. */
static void
set_alarm (RegiondAuthority *self)
{
  GSequenceIter *first = g_sequence_get_begin_iter (self->deadlines);
  gint64 deadline;

  if (g_sequence_iter_is_end (first))
    return;

  deadline = ((Check *) g_task_get_task_data (g_sequence_get (first)))->deadline;
  if (self->alarm != 0 && self->alarm_at <= deadline)
    return;

  g_clear_handle_id (&self->alarm, g_source_remove);
  self->alarm_at = deadline;
  self->alarm = g_timeout_add (MAX (0, deadline - g_get_monotonic_time () + 999) / 1000, on_alarm, self);
}

static gboolean
on_alarm (gpointer data)
{
  RegiondAuthority *self = g_rc_box_acquire (data); /* an answer may be the end of it */
  GSequenceIter *first;

  self->alarm = 0;
  while (!g_sequence_iter_is_end (first = g_sequence_get_begin_iter (self->deadlines)))
    {
      g_autoptr (GTask) task = g_object_ref (g_sequence_get (first));
      Check *check = g_task_get_task_data (task);

      if (check->deadline > g_get_monotonic_time ())
        break;
      g_clear_pointer (&check->iter, g_sequence_remove);
      expire (task);
    }
  set_alarm (self);
  release (self);
  return G_SOURCE_REMOVE;
}

static int
compare_deadlines (gconstpointer one,
                   gconstpointer other,
                   gpointer      data)
{
  const Check *left = g_task_get_task_data ((GTask *) one), *right = g_task_get_task_data ((GTask *) other);

  return left->deadline < right->deadline ? -1 : left->deadline > right->deadline;
}

/* From when it came in. */
static void
set_deadline (GTask *task,
              guint  timeout)
{
  Check *check = g_task_get_task_data (task);

  g_clear_pointer (&check->iter, g_sequence_remove);
  check->deadline = check->since + timeout * G_GINT64_CONSTANT (1000);
  check->iter = g_sequence_insert_sorted (check->authority->deadlines, task, compare_deadlines, NULL);
  set_alarm (check->authority);
}

/* A prompt is taken off the person's screen. Any other question keeps its place
 * until polkitd has answered: it is at work on it, and who comes and leaves, and
 * comes again, must not have more than one user's share of polkitd. */
static void
see_off (GTask *task)
{
  Check *check = g_task_get_task_data (task);

  if (check->stop == NULL)
    {
      g_autoptr (GTask) withdrawn = withdraw (task);

      refuse_departed (withdrawn);
    }
  else if (check->queue == check->authority->prompts)
    g_cancellable_cancel (check->stop);
  else
    refuse_departed (task);
}

static gboolean
on_farewell (gpointer data)
{
  RegiondAuthority *self = g_rc_box_acquire (data);
  GTask *next;

  self->farewell = 0;
  while ((next = g_queue_pop_head (&self->departed)) != NULL)
    {
      g_autoptr (GTask) task = next;

      if (!((Check *) g_task_get_task_data (task))->settled)
        see_off (task);
    }
  release (self);
  return G_SOURCE_REMOVE;
}

/* The cancellable must not be touched in here. */
static void
on_gone (GCancellable *gone,
         gpointer      data)
{
  Check *check = g_task_get_task_data (data);
  RegiondAuthority *self = check->authority;

  g_queue_push_tail (&self->departed, g_object_ref (data));
  if (self->farewell == 0)
    self->farewell = g_idle_add_full (G_PRIORITY_HIGH, on_farewell, self, NULL);
}

RegiondAuthority *
regiond_authority_new (const RegiondPatience *patience)
{
  RegiondAuthority *self = g_rc_box_new0 (RegiondAuthority);

  self->patience = *patience;
  self->checks = regiond_queue_new (PLACES, PLACES, 0);
  self->prompts = regiond_queue_new (PROMPTS, PROMPTS_EACH, PROMPTS_RESERVE);
  self->connections = regiond_counts_new ();
  self->deadlines = g_sequence_new (NULL);
  g_queue_init (&self->departed);
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

  if (regiond_counts_get (self->connections, question->subject) >= self->patience.per_connection)
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

  check->counted = TRUE;
  regiond_counts_change (self->connections, question->subject, 1);
  if (cancellable != NULL)
    {
      check->gone = g_object_ref (cancellable);
      check->connected = g_cancellable_connect (cancellable, G_CALLBACK (on_gone), task, NULL);
    }
  set_deadline (task, self->patience.timeout);
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
