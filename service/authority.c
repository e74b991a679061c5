/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "authority.h"

#include "alarm.h"
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

/* After so many calls in a row one question about a lease is asked: who has calls
 * without end must not keep what he has for as long. */
#define CALLS_IN_A_ROW 8

/* So many times the patience with a question polkitd may take to answer it. */
#define LOST_FACTOR 2

struct _RegiondAuthority {
  PolkitAuthority *polkit; /* NULL until it has been got */
  gboolean         getting;
  RegiondPatience  patience;
  RegiondQueue    *checks;      /* GTask */
  RegiondQueue    *prompts;     /* GTask */
  RegiondQueue    *reviews;     /* GTask */
  guint            row;         /* of calls asked while a review waited */
  guint            epoch;
  RegiondAuthorityFunc listener;
  gpointer         listener_data;
  RegiondCounts   *connections; /* bus name -> how many are under way */
  RegiondAlarm    *alarm;       /* at their deadlines; GTask */
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
  gboolean          opinion;   /* the result is an answer, not whether it is let in */
  gboolean          settled;   /* answered */
  gint64            since;
  GSequenceIter    *deadline; /* on the alarm, or NULL */
  gboolean          timed_out;
  guint             epoch; /* when it was asked */
} Check;

static void
clear (RegiondAuthority *self)
{
  if (self->polkit != NULL)
    g_signal_handlers_disconnect_by_data (self->polkit, self);
  g_clear_object (&self->polkit);
  regiond_queue_free (self->checks);
  regiond_queue_free (self->prompts);
  regiond_queue_free (self->reviews);
  g_hash_table_unref (self->connections);
  regiond_alarm_free (self->alarm);
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
  g_clear_pointer (&self->deadline, regiond_alarm_clear);
  g_clear_object (&self->stop);
  g_clear_object (&self->gone);
  regiond_question_unref (self->question);
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

static void
judge (GTask                     *task,
       PolkitAuthorizationResult *result)
{
  Check *check = g_task_get_task_data (task);
  RegiondAnswer answer = regiond_answer_read (result);
  gboolean prompted = check->queue == check->authority->prompts;

  /* A password would have done; so polkit says where one was wrong, or the agent left. */
  if (prompted && answer == REGIOND_ANSWER_NO)
    answer = REGIOND_ANSWER_CHALLENGE;
  settle (check);
  check->question->prompted = answer == REGIOND_ANSWER_YES && prompted;
  if (answer == REGIOND_ANSWER_YES)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, regiond_answer_make_error (answer, check->question));
}

/* polkit's own error is its answer: it has no such action. */
static void
give_opinion (GTask                     *task,
              PolkitAuthorizationResult *result,
              GError                    *error)
{
  if (result == NULL && error->domain != POLKIT_ERROR)
    {
      refuse_failed (task, error);
      return;
    }

  settle (g_task_get_task_data (task));
  g_task_return_int (task, result != NULL ? regiond_answer_read (result) : REGIOND_ANSWER_NO);
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
  if (answer != NULL)
    check->question->epoch = check->epoch;
  if (check->settled)
    g_debug ("polkit has answered about %s, who has left", check->question->subject);
  else if (check->opinion)
    give_opinion (task, answer, error);
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
  g_autoptr (PolkitSubject) about = regiond_question_get_about (question);
  g_autoptr (PolkitDetails) details = regiond_question_make_details (question);

  check->epoch = check->authority->epoch;
  check->stop = g_cancellable_new ();
  if (check->queue == check->authority->reviews)
    {
      check->since = g_get_monotonic_time ();
      set_deadline (task, check->authority->patience.timeout);
    }
  polkit_authority_check_authorization (check->authority->polkit, about, question->action, details, flags,
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
announce (RegiondAuthority *self,
          gboolean          restarted)
{
  self->epoch++;
  if (self->listener != NULL)
    self->listener (self->listener_data, restarted);
}

static void
on_policy_changed (PolkitAuthority  *polkit,
                   RegiondAuthority *self)
{
  announce (self, FALSE);
}

/* It does not announce what it has read anew. */
static void
on_owner_changed (PolkitAuthority  *polkit,
                  GParamSpec       *spec,
                  RegiondAuthority *self)
{
  g_autofree char *owner = polkit_authority_get_owner (polkit);

  if (owner != NULL)
    announce (self, TRUE);
}

static void
listen_to_polkit (RegiondAuthority *self)
{
  g_signal_connect (self->polkit, "changed", G_CALLBACK (on_policy_changed), self);
  g_signal_connect (self->polkit, "notify::owner", G_CALLBACK (on_owner_changed), self);
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
    {
      listen_to_polkit (self);
      serve (self);
    }
  else
    {
      refuse_waiting (self->checks, error);
      refuse_waiting (self->reviews, error);
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

/* Whoever has one call at a time makes polkitd go without a pause. Who has many
 * makes others wait for one of them, not for two. */
static gboolean
may_follow (RegiondAuthority *self)
{
  GTask *next = regiond_queue_peek (self->checks);

  return next == NULL || regiond_queue_count_served (self->checks) == 0 ||
         regiond_counts_get (self->connections, ((Check *) g_task_get_task_data (next))->question->subject) == 1;
}

/* Two at once keep polkitd going without a pause, as above. */
static gboolean
is_time_to_review (RegiondAuthority *self)
{
  if (regiond_queue_peek (self->reviews) == NULL)
    return FALSE;

  return self->row >= CALLS_IN_A_ROW ||
         (regiond_queue_peek (self->checks) == NULL &&
          regiond_queue_count_served (self->checks) + regiond_queue_count_served (self->reviews) < PLACES);
}

static GTask *
pop_call (RegiondAuthority *self)
{
  GTask *task = may_follow (self) ? regiond_queue_serve (self->checks) : NULL;

  if (task != NULL && regiond_queue_peek (self->reviews) != NULL)
    self->row++;
  return task;
}

static GTask *
pop_review (RegiondAuthority *self)
{
  GTask *task = is_time_to_review (self) ? regiond_queue_serve (self->reviews) : NULL;

  if (task != NULL)
    self->row = 0;
  return task;
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

  while ((task = pop_review (self)) != NULL || (task = pop_call (self)) != NULL)
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
expire (gpointer data)
{
  g_autoptr (GTask) task = g_object_ref (data);
  Check *check = g_task_get_task_data (task);
  gboolean first = !check->timed_out;

  check->deadline = NULL;
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

/* From when it came in. */
static void
set_deadline (GTask *task,
              guint  timeout)
{
  Check *check = g_task_get_task_data (task);

  g_clear_pointer (&check->deadline, regiond_alarm_clear);
  check->deadline = regiond_alarm_set (check->authority->alarm, check->since + timeout * G_GINT64_CONSTANT (1000), task);
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
  self->reviews = regiond_queue_new (PLACES, PLACES, 0);
  self->epoch = 1;
  self->connections = regiond_counts_new ();
  self->alarm = regiond_alarm_new (expire);
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
  refuse_waiting (self->reviews, error);
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

static GTask *
check_new (RegiondAuthority   *self,
           RegiondQuestion    *question,
           GAsyncReadyCallback callback,
           gpointer            data)
{
  GTask *task = g_task_new (NULL, NULL, callback, data);
  Check *check = g_new0 (Check, 1);

  check->authority = g_rc_box_acquire (self);
  check->question = question;
  check->queue = self->checks;
  check->since = g_get_monotonic_time ();
  g_task_set_task_data (task, check, (GDestroyNotify) check_free);
  return task;
}

/* Takes its place in the queue. */
static void
enqueue (GTask        *task,
         GCancellable *cancellable)
{
  Check *check = g_task_get_task_data (task);
  RegiondAuthority *self = check->authority;

  if (cancellable != NULL)
    {
      check->gone = g_object_ref (cancellable);
      check->connected = g_cancellable_connect (cancellable, G_CALLBACK (on_gone), task, NULL);
    }
  regiond_queue_push (check->queue, check->question->uid, g_object_ref (task));
  serve (self);
}

/* A call's; takes @task. */
static void
start (GTask        *taken,
       gboolean      opinion,
       GCancellable *cancellable)
{
  g_autoptr (GTask) task = taken;
  Check *check = g_task_get_task_data (task);
  RegiondAuthority *self = check->authority;

  check->opinion = opinion;
  if (g_cancellable_is_cancelled (cancellable))
    refuse_departed (task);
  else if (has_room (self, task))
    {
      check->counted = TRUE;
      regiond_counts_change (self->connections, check->question->subject, 1);
      set_deadline (task, self->patience.timeout);
      enqueue (task, cancellable);
    }
}

void
regiond_authority_check (RegiondAuthority   *self,
                         RegiondQuestion    *question,
                         GCancellable       *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer            data)
{
  start (check_new (self, question, callback, data), FALSE, cancellable);
}

gboolean
regiond_authority_check_finish (RegiondAuthority *self,
                                GAsyncResult     *result,
                                GError          **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
regiond_authority_foretell (RegiondAuthority   *self,
                            RegiondQuestion    *question,
                            GCancellable       *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer            data)
{
  start (check_new (self, question, callback, data), TRUE, cancellable);
}

void
regiond_authority_review (RegiondAuthority   *self,
                          RegiondQuestion    *question,
                          GCancellable       *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer            data)
{
  g_autoptr (GTask) task = check_new (self, question, callback, data);
  Check *check = g_task_get_task_data (task);

  check->queue = self->reviews;
  check->opinion = TRUE;
  enqueue (task, cancellable);
}

gboolean
regiond_authority_answer_finish (RegiondAuthority *self,
                                 GAsyncResult     *result,
                                 RegiondAnswer    *answer,
                                 GError          **error)
{
  gssize value = g_task_propagate_int (G_TASK (result), error);

  *answer = value >= 0 ? value : REGIOND_ANSWER_NO;
  return value >= 0;
}

gboolean
regiond_authority_has_polkit (RegiondAuthority *self)
{
  g_autofree char *owner = self->polkit != NULL ? polkit_authority_get_owner (self->polkit) : NULL;

  return owner != NULL;
}

guint
regiond_authority_get_epoch (RegiondAuthority *self)
{
  return self->epoch;
}

void
regiond_authority_listen (RegiondAuthority    *self,
                          RegiondAuthorityFunc func,
                          gpointer             data)
{
  self->listener = func;
  self->listener_data = data;
}
