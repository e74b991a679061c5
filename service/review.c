/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "review.h"

#include "device.h"
#include "leases.h"
#include "rulebook.h"

/* Files are changed in bursts: an editor, a package, ansible. */
#define QUIET_US (30 * 1000)
#define QUIET_MOST_US (100 * 1000)

#define PAUSE_US (10 * G_USEC_PER_SEC)

typedef struct _Round Round;

struct _RegiondReview {
  RegiondDaemon   *daemon; /* NULL: it has been freed, and rounds still hold it */
  RegiondRulebook *rulebook;
  guint            timer;        /* for the next round */
  gint64           urgent_since; /* the first edit of which no round has been made; 0: there is none */
  gint64           pause_since;  /* the beginning of the last round, or where it failed its end */
  Round           *round;        /* that runs; NULL: none */
  gboolean         again;        /* one more after it */
};

/* A lease, and one of its questions. The lease is not kept: what has ended meanwhile
 * is to be let go of. */
typedef struct {
  GWeakRef         lease;
  RegiondQuestion *question;
  gboolean         lost; /* it would not be granted now */
} Stake;

/* All questions that are asked again at the same time. */
struct _Round {
  RegiondReview *review;
  GCancellable  *stop;
  GPtrArray     *stakes; /* Stake */
  guint          n_open; /* questions without an answer */
  gboolean       failed; /* some could not be answered */
};

/* One question, and those who live by the answer. */
typedef struct {
  Round           *round;
  RegiondQuestion *question;
  GPtrArray       *stakes; /* the round's */
} Inquiry;

static Stake *
stake_new (RegiondLease    *lease,
           RegiondQuestion *question)
{
  Stake *self = g_new0 (Stake, 1);

  g_weak_ref_init (&self->lease, lease);
  self->question = regiond_question_ref (question);
  return self;
}

static void
stake_free (Stake *self)
{
  g_weak_ref_clear (&self->lease);
  regiond_question_unref (self->question);
  g_free (self);
}

/* A reference, or NULL: it has ended. */
static RegiondLease *
stake_get_lease (Stake *self)
{
  g_autoptr (RegiondLease) lease = g_weak_ref_get (&self->lease);

  return lease != NULL && !regiond_lease_has_ended (lease) ? g_steal_pointer (&lease) : NULL;
}

static Inquiry *
inquiry_new (Round           *round,
             RegiondQuestion *question)
{
  Inquiry *self = g_new (Inquiry, 1);

  *self = (Inquiry){ round, regiond_question_ref (question), g_ptr_array_new () };
  return self;
}

static void
inquiry_free (Inquiry *self)
{
  regiond_question_unref (self->question);
  g_ptr_array_unref (self->stakes);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Inquiry, inquiry_free)

static Round *
round_new (RegiondReview *review)
{
  Round *self = g_new0 (Round, 1);

  self->review = g_rc_box_acquire (review);
  self->stop = g_cancellable_new ();
  self->stakes = g_ptr_array_new_with_free_func ((GDestroyNotify) stake_free);
  return self;
}

static void
round_free (Round *self)
{
  g_ptr_array_unref (self->stakes);
  g_object_unref (self->stop);
  g_rc_box_release (self->review);
  g_free (self);
}

static RegiondTenancy *
get_tenancy (RegiondLease *lease)
{
  return regiond_device_get_tenancy (regiond_lease_get_device (lease));
}

/* Those of one device all at once: what they share among themselves supersedes
 * nobody. */
static void
withdraw (GPtrArray *leases)
{
  while (leases->len > 0)
    {
      RegiondTenancy *tenancy = get_tenancy (g_ptr_array_index (leases, 0));
      g_autoptr (RegiondDevice) device = g_object_ref (regiond_lease_get_device (g_ptr_array_index (leases, 0)));
      g_autoptr (GPtrArray) its = g_ptr_array_new_with_free_func (g_object_unref);

      for (guint i = leases->len; i > 0; i--)
        {
          if (get_tenancy (g_ptr_array_index (leases, i - 1)) == tenancy)
            g_ptr_array_add (its, g_ptr_array_steal_index_fast (leases, i - 1));
        }
      regiond_tenancy_end_some (tenancy, its, REGIOND_END_WITHDRAWN);
    }
}

static GPtrArray *
list_lost (Round *self)
{
  GPtrArray *leases = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < self->stakes->len; i++)
    {
      Stake *stake = g_ptr_array_index (self->stakes, i);
      RegiondLease *lease = stake->lost ? stake_get_lease (stake) : NULL;

      if (lease != NULL)
        g_ptr_array_add (leases, lease);
    }
  return leases;
}

static void begin (RegiondReview *self);
static gboolean on_time (gpointer data);

static void
set_timer (RegiondReview *self,
           gint64         at)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  self->timer = g_timeout_add (MAX (0, at - g_get_monotonic_time () + 999) / 1000, on_time, self);
}

/* Soon, but after the burst. */
static void
hurry (RegiondReview *self)
{
  gint64 now = g_get_monotonic_time ();

  if (self->urgent_since == 0)
    self->urgent_since = now;
  set_timer (self, MIN (now + QUIET_US, self->urgent_since + QUIET_MOST_US));
}

/* Anybody can cause it. */
static void
take_time (RegiondReview *self)
{
  gint64 now = g_get_monotonic_time ();

  if (self->timer == 0)
    set_timer (self, self->pause_since != 0 ? MAX (now + QUIET_US, self->pause_since + PAUSE_US) : now + QUIET_US);
}

static void
finish (Round *round)
{
  RegiondReview *self = round->review;
  gboolean current = self->round == round;

  if (current)
    self->round = NULL;
  if (self->daemon != NULL)
    {
      g_autoptr (GPtrArray) lost = list_lost (round);

      withdraw (lost);
      if (round->failed)
        {
          self->again &= self->urgent_since != 0;
          self->pause_since = g_get_monotonic_time ();
          take_time (self);
        }
      if (current && self->again)
        begin (self);
    }
  round_free (round);
}

/* A remembered password counts as one that is yet to be given. */
static gboolean
is_granted (RegiondLease    *lease,
            RegiondQuestion *question,
            RegiondAnswer    answer)
{
  if (answer == REGIOND_ANSWER_YES || answer == REGIOND_ANSWER_NO)
    return answer == REGIOND_ANSWER_YES;
  return regiond_tenancy_get_authorization (get_tenancy (lease)) == REGIOND_AUTHORIZATION_CONTINUING && question->prompted;
}

static void
take_answer (Inquiry      *self,
             RegiondAnswer answer)
{
  for (guint i = 0; i < self->stakes->len; i++)
    {
      Stake *stake = g_ptr_array_index (self->stakes, i);
      g_autoptr (RegiondLease) lease = stake_get_lease (stake);

      stake->question->epoch = self->question->epoch;
      stake->lost = lease != NULL && !is_granted (lease, stake->question, answer);
    }
}

static gboolean
is_of_use (Inquiry *self)
{
  for (guint i = 0; i < self->stakes->len; i++)
    {
      g_autoptr (RegiondLease) lease = stake_get_lease (g_ptr_array_index (self->stakes, i));

      if (lease != NULL)
        return TRUE;
    }

  return FALSE;
}

/* About one who has left there is nothing to say any more: that is no reason to ask about
 * nobody else. Where polkit is gone the others wait in vain. */
static void
miss_answer (Inquiry      *self,
             const GError *error)
{
  Round *round = self->round;

  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) && is_of_use (self))
    {
      g_message ("A lease could not be reviewed, and stays until it can be: %s", error->message);
      round->failed = TRUE;
    }
  if (!regiond_authority_has_polkit (round->review->daemon->authority))
    {
      round->failed = TRUE;
      g_cancellable_cancel (round->stop);
    }
}

static void
on_answer (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  g_autoptr (Inquiry) inquiry = data;
  Round *round = inquiry->round;
  RegiondDaemon *daemon = round->review->daemon;
  g_autoptr (GError) error = NULL;
  RegiondAnswer answer;

  if (daemon != NULL && regiond_authority_answer_finish (daemon->authority, result, &answer, &error))
    take_answer (inquiry, answer);
  else if (daemon != NULL)
    miss_answer (inquiry, error);

  round->n_open--;
  if (round->n_open == 0)
    finish (round);
}

/* @inquiries: key -> Inquiry. */
static void
add_lease (Round        *round,
           GHashTable   *inquiries,
           RegiondLease *lease)
{
  guint epoch = regiond_authority_get_epoch (round->review->daemon->authority);
  GPtrArray *questions = regiond_lease_get_questions (lease);

  for (guint i = 0; i < questions->len; i++)
    {
      RegiondQuestion *question = g_ptr_array_index (questions, i);
      g_autofree char *key = question->epoch != epoch ? regiond_question_make_key (question) : NULL;
      Inquiry *inquiry = key != NULL ? g_hash_table_lookup (inquiries, key) : NULL;
      Stake *stake;

      if (key == NULL)
        continue;
      if (inquiry == NULL)
        {
          inquiry = inquiry_new (round, question);
          g_hash_table_insert (inquiries, g_steal_pointer (&key), inquiry);
        }
      stake = stake_new (lease, question);
      g_ptr_array_add (round->stakes, stake);
      g_ptr_array_add (inquiry->stakes, stake);
    }
}

/* Those about whom polkit has been asked since it last announced anything need not
 * be asked about. FALSE: there is nothing to ask. */
static gboolean
round_start (Round     *self,
             GPtrArray *leases)
{
  RegiondAuthority *authority = self->review->daemon->authority;
  g_autoptr (GHashTable) inquiries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  Inquiry *inquiry;

  for (guint i = 0; i < leases->len; i++)
    add_lease (self, inquiries, g_ptr_array_index (leases, i));

  self->n_open = g_hash_table_size (inquiries);
  if (self->n_open == 0)
    return FALSE;

  g_debug ("%u leases are reviewed with %u questions", leases->len, self->n_open);
  g_hash_table_iter_init (&iter, inquiries);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &inquiry))
    regiond_authority_review (authority, regiond_question_ref (inquiry->question), self->stop, on_answer, inquiry);
  return TRUE;
}

static GPtrArray *
list_leases (RegiondReview *self)
{
  GPtrArray *leases = g_ptr_array_new_with_free_func (g_object_unref);
  GHashTableIter iter;
  gpointer device;

  g_hash_table_iter_init (&iter, self->daemon->devices);
  while (g_hash_table_iter_next (&iter, NULL, &device))
    {
      RegiondTenancy *tenancy = regiond_device_get_tenancy (device);

      if (regiond_tenancy_get_authorization (tenancy) != REGIOND_AUTHORIZATION_ONE_SHOT)
        g_ptr_array_extend_and_steal (leases, regiond_leases_copy (regiond_tenancy_get_active (tenancy)));
    }

  return leases;
}

static void
begin (RegiondReview *self)
{
  g_autoptr (GPtrArray) leases = list_leases (self);
  Round *round = round_new (self);

  self->again = FALSE;
  self->urgent_since = 0;
  self->pause_since = g_get_monotonic_time ();
  if (round_start (round, leases))
    self->round = round;
  else
    round_free (round);
}

static gboolean
on_time (gpointer data)
{
  RegiondReview *self = data;

  self->timer = 0;
  if (self->round != NULL)
    self->again = TRUE;
  else
    begin (self);
  return G_SOURCE_REMOVE;
}

static void
on_policy (gpointer data,
           gboolean restarted)
{
  RegiondReview *self = data;

  if (restarted || regiond_rulebook_is_edited (self->rulebook))
    hurry (self);
  else
    take_time (self);
}

/* What has been announced may have been this. */
static void
on_edited (gpointer data)
{
  RegiondReview *self = data;

  if (self->timer != 0)
    hurry (self);
}

RegiondReview *
regiond_review_new (RegiondDaemon *daemon)
{
  RegiondReview *self = g_rc_box_new0 (RegiondReview);

  self->daemon = daemon;
  self->rulebook = regiond_rulebook_new (daemon->watch, regiond_rulebook_folders, on_edited, self);
  regiond_authority_listen (daemon->authority, on_policy, self);
  return self;
}

void
regiond_review_free (RegiondReview *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  regiond_authority_listen (self->daemon->authority, NULL, NULL);
  g_clear_pointer (&self->rulebook, regiond_rulebook_free);
  self->daemon = NULL;
  g_rc_box_release (self);
}

void
regiond_review_admit (RegiondReview *self,
                      RegiondLease  *lease)
{
  g_autoptr (GPtrArray) leases = g_ptr_array_new ();
  Round *round;

  if (regiond_tenancy_get_authorization (get_tenancy (lease)) == REGIOND_AUTHORIZATION_ONE_SHOT)
    return;

  round = round_new (self);
  g_ptr_array_add (leases, lease);
  if (!round_start (round, leases))
    round_free (round);
}
