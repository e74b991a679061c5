/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "authority.h"

#include <string.h>

/* What became of a check. */
typedef struct {
  RegiondAuthority *authority;
  gboolean          done, allowed;
  GError           *error;
} Answer;

static void
on_checked (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  Answer *answer = data;

  answer->allowed = regiond_authority_check_finish (answer->authority, result, &answer->error);
  answer->done = TRUE;
}

static void
answer_clear (Answer *self)
{
  g_clear_error (&self->error);
  self->done = self->allowed = FALSE;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

static RegiondAuthority *
make_authority (guint timeout,
                guint prompt_timeout)
{
  RegiondPatience patience = { timeout, prompt_timeout, 8, 6 };

  return regiond_authority_new (&patience);
}

static RegiondQuestion *
make_question (gboolean interactive)
{
  RegiondQuestion *question = g_rc_box_new0 (RegiondQuestion);

  question->action = "org.regiond1.read-region";
  question->subject = g_strdup (":1.77");
  question->purpose = g_strdup ("open region bar2");
  question->interactive = interactive;
  regiond_question_add (question, "device", "shm0");
  regiond_question_add (question, "label", "");
  return question;
}

static void
ask (Answer       *answer,
     gboolean      interactive,
     GCancellable *cancellable)
{
  regiond_authority_check (answer->authority, make_question (interactive), cancellable, on_checked, answer);
}

static void
test_answers (Fixture *f)
{
  static const struct {
    FakePolkitAnswer answer;
    gboolean         interactive, own_domain;
    guint            times; /* that polkit is asked: the second time about a person */
    int              code;
    const char      *word;
  } cases[] = {
    { FAKE_POLKIT_NO, FALSE, FALSE, 1, G_DBUS_ERROR_ACCESS_DENIED, "refuses" },
    { FAKE_POLKIT_NO, TRUE, FALSE, 1, G_DBUS_ERROR_ACCESS_DENIED, "refuses" },
    { FAKE_POLKIT_CHALLENGE, FALSE, TRUE, 1, REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "interactive" },
    { FAKE_POLKIT_CHALLENGE, TRUE, FALSE, 2, G_DBUS_ERROR_ACCESS_DENIED, "agent" },
    { FAKE_POLKIT_REMEMBERED, FALSE, FALSE, 1, G_DBUS_ERROR_ACCESS_DENIED, "_keep" },
    { FAKE_POLKIT_FAIL, FALSE, FALSE, 1, G_DBUS_ERROR_ACCESS_DENIED, "not registered" },
  };
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };
      guint asked = fake_polkit_count_asked (f->polkit);

      fake_polkit_set_answer (f->polkit, cases[i].answer);
      ask (&answer, cases[i].interactive, NULL);
      wait_until (answer.done);
      g_assert_false (answer.allowed);
      g_assert_cmpuint (answer.error->domain, ==, cases[i].own_domain ? REGIOND_ERROR : G_DBUS_ERROR);
      assert_error_says (answer.error, answer.error->domain, cases[i].code, "open region bar2",
                         "org.regiond1.read-region", cases[i].word);
      g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + cases[i].times);
      g_assert_cmpuint (fake_polkit_get_flags (f->polkit), ==, cases[i].times - 1);
    }
}

static void
test_yes (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);
  g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };
  g_autofree char *action = NULL, *subject = NULL, *device = NULL, *label = NULL, *region = NULL;

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  ask (&answer, FALSE, NULL);
  wait_until (answer.done);
  g_assert_no_error (answer.error);
  g_assert_true (answer.allowed);
  action = fake_polkit_get_action (f->polkit);
  g_assert_cmpstr (action, ==, "org.regiond1.read-region");
  subject = fake_polkit_get_subject (f->polkit);
  g_assert_cmpstr (subject, ==, ":1.77");
  device = fake_polkit_get_detail (f->polkit, "device");
  g_assert_cmpstr (device, ==, "shm0");
  label = fake_polkit_get_detail (f->polkit, "label");
  g_assert_cmpstr (label, ==, "");
  region = fake_polkit_get_detail (f->polkit, "region");
  g_assert_null (region);
}

static void
test_timeout (Fixture *f)
{
  guint withdrawn = fake_polkit_count_withdrawn (f->polkit);

  for (int interactive = 0; interactive < 2; interactive++)
    {
      /* A prompt has the first of the two until polkit has been asked, however busy the machine is. */
      g_autoptr (RegiondAuthority) authority = make_authority (interactive ? 10000 : 500, 1000);
      g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };

      fake_polkit_set_answer (f->polkit, interactive ? FAKE_POLKIT_PROMPT : FAKE_POLKIT_HANG);
      ask (&answer, interactive, NULL);
      wait_until (answer.done);
      g_assert_false (answer.allowed);
      assert_error_says (answer.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "AuthorizationTimeout",
                         interactive ? "1000 ms" : "500 ms");

      /* polkit is told to forget it: a prompt at once, another when it has had its time twice. */
      withdrawn++;
      wait_until (fake_polkit_count_withdrawn (f->polkit) == withdrawn);
    }
}

/* polkit is at it all the same: it is asked nothing else instead, or it would be
 * asked the more the slower it is. */
static void
test_late_keeps_its_place (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (1500, 10000);
  g_auto (Answer) late = { authority, FALSE, FALSE, NULL }, next = { authority, FALSE, FALSE, NULL };
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  ask (&late, FALSE, NULL);
  wait_until (fake_polkit_count_asked (f->polkit) == asked + 1);
  g_usleep (1000 * 1000);
  ask (&next, FALSE, NULL);
  wait_until (late.done);
  assert_error_says (late.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "AuthorizationTimeout");
  for (guint i = 0; i < 10; i++)
    fixture_turn ();
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 1);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (next.done);
  g_assert_true (next.allowed);
}

/* More than polkit is asked at once: the last ones are not asked at all. */
static void
test_waiting_times_out (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (300, 10000);
  g_auto (Answer) after = { authority, FALSE, FALSE, NULL };
  Answer answers[6];

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      answers[i] = (Answer){ authority, FALSE, FALSE, NULL };
      ask (&answers[i], i % 2, NULL);
    }
  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      wait_until (answers[i].done);
      assert_error_says (answers[i].error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "AuthorizationTimeout", "300 ms");
      answer_clear (&answers[i]);
    }

  /* Places are free again. */
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  ask (&after, FALSE, NULL);
  wait_until (after.done);
  g_assert_true (after.allowed);
}

/* A prompt is dismissed; a check that polkit is at is not taken back. */
static void
test_cancelled (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);
  guint withdrawn = fake_polkit_count_withdrawn (f->polkit);

  for (int prompts = 0; prompts < 2; prompts++)
    {
      g_autoptr (GCancellable) gone = g_cancellable_new ();
      g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };
      guint asked = fake_polkit_count_asked (f->polkit);

      fake_polkit_set_answer (f->polkit, prompts ? FAKE_POLKIT_PROMPT : FAKE_POLKIT_HANG);
      ask (&answer, prompts, gone);
      wait_until (fake_polkit_count_asked (f->polkit) == asked + (prompts ? 2 : 1));
      g_cancellable_cancel (gone);
      wait_until (answer.done);
      g_assert_error (answer.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
  fake_polkit_wait_withdrawn (f->polkit, withdrawn + 1);
  g_assert_cmpuint (fake_polkit_count_withdrawn (f->polkit), ==, withdrawn + 1);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
}

/* Who leaves while he waits is out of the queue at once, and polkit never hears of him. */
static void
test_cancelled_waiting (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);
  g_autoptr (GCancellable) gone = g_cancellable_new ();
  Answer staying[4];
  g_auto (Answer) leaving = { authority, FALSE, FALSE, NULL };
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  for (guint i = 0; i < G_N_ELEMENTS (staying); i++)
    {
      staying[i] = (Answer){ authority, FALSE, FALSE, NULL };
      ask (&staying[i], FALSE, NULL);
    }
  ask (&leaving, FALSE, gone);
  g_cancellable_cancel (gone);
  wait_until (leaving.done);
  g_assert_error (leaving.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  for (guint i = 0; i < G_N_ELEMENTS (staying); i++)
    {
      wait_until (staying[i].done);
      g_assert_true (staying[i].allowed);
    }
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + G_N_ELEMENTS (staying));
}

static RegiondQuestion *
make_question_of (guint32     uid,
                  const char *subject,
                  gboolean    interactive)
{
  RegiondQuestion *question = make_question (interactive);

  g_free (question->subject);
  question->subject = g_strdup (subject);
  question->uid = uid;
  return question;
}

/* Six calls of a connection, eight of a user. */
static void
test_bounds (Fixture *f)
{
  static const struct {
    guint32     uid;
    const char *subject, *key; /* that refuses, or NULL */
  } calls[] = {
    { 1, ":1.1", NULL }, { 1, ":1.1", NULL }, { 1, ":1.1", NULL }, { 1, ":1.1", NULL },
    { 1, ":1.1", NULL }, { 1, ":1.1", NULL }, { 1, ":1.1", "MaxAuthorizationsPerConnection" },
    { 1, ":1.2", NULL }, { 1, ":1.2", NULL }, { 1, ":1.2", "MaxAuthorizationsPerUser" },
    { 2, ":1.3", NULL },
  };
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);
  Answer answers[G_N_ELEMENTS (calls)];
  g_auto (Answer) after = { authority, FALSE, FALSE, NULL };

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      answers[i] = (Answer){ authority, FALSE, FALSE, NULL };
      regiond_authority_check (authority, make_question_of (calls[i].uid, calls[i].subject, FALSE), NULL, on_checked,
                               &answers[i]);
      if (calls[i].key == NULL)
        continue;
      wait_until (answers[i].done);
      assert_error_says (answers[i].error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, calls[i].key);
      answer_clear (&answers[i]);
    }

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      if (calls[i].key == NULL)
        wait_until (answers[i].done && answers[i].allowed);
    }
  regiond_authority_check (authority, make_question_of (1, ":1.1", FALSE), NULL, on_checked, &after);
  wait_until (after.done);
  g_assert_true (after.allowed);
}

/* Two connections with a call each keep polkit busy; one with many has one asked at a time. */
static void
test_one_at_a_time (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);
  static const char *const subjects[] = { ":1.1", ":1.2", ":1.3", ":1.3", ":1.3" };
  Answer answers[G_N_ELEMENTS (subjects)];
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  for (guint i = 0; i < G_N_ELEMENTS (subjects); i++)
    {
      answers[i] = (Answer){ authority, FALSE, FALSE, NULL };
      regiond_authority_check (authority, make_question_of (1, subjects[i], FALSE), NULL, on_checked, &answers[i]);
    }
  wait_until (fake_polkit_count_asked (f->polkit) == asked + 2);
  fake_polkit_answer_one (f->polkit, FAKE_POLKIT_YES);
  fake_polkit_answer_one (f->polkit, FAKE_POLKIT_YES);
  wait_until (answers[0].done && answers[1].done);
  wait_until (fake_polkit_count_asked (f->polkit) == asked + 3);
  g_assert_cmpuint (fake_polkit_count_hanging (f->polkit), ==, 1);
  fake_polkit_answer_one (f->polkit, FAKE_POLKIT_YES);
  wait_until (answers[2].done);
  wait_until (fake_polkit_count_asked (f->polkit) == asked + 4);
  g_assert_cmpuint (fake_polkit_count_hanging (f->polkit), ==, 1);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (answers[3].done && answers[4].done);
}

/* However many prompts of one user stand open: who needs none is answered, and
 * another user's prompt comes up. */
static void
test_prompts_stop_nobody (Fixture *f)
{
  RegiondPatience patience = { 10000, 10000, 100, 100 };
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (&patience);
  Answer prompting[40], other = { authority, FALSE, FALSE, NULL };
  g_auto (Answer) plain = { authority, FALSE, FALSE, NULL };
  g_autofree char *subject = NULL;

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_PROMPT);
  for (guint i = 0; i < G_N_ELEMENTS (prompting); i++)
    {
      prompting[i] = (Answer){ authority, FALSE, FALSE, NULL };
      regiond_authority_check (authority, make_question_of (1, ":1.1", TRUE), NULL, on_checked, &prompting[i]);
    }
  regiond_authority_check (authority, make_question_of (2, ":1.2", TRUE), NULL, on_checked, &other);
  wait_until (fake_polkit_count_hanging (f->polkit) == 17);
  ask (&plain, FALSE, NULL);
  wait_until (plain.done);
  g_assert_error (plain.error, REGIOND_ERROR, REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (other.done && other.allowed);
  for (guint i = 0; i < G_N_ELEMENTS (prompting); i++)
    wait_until (prompting[i].done && prompting[i].allowed);
}

/* Four users who never answer have all the places there are for prompts; a
 * fifth one's comes up, and he has his answer. Then it ends all the same: the
 * bus lets regiond wait for so many answers. */
static void
test_prompts_of_many (Fixture *f)
{
  RegiondPatience patience = { 100000, 100000, 100, 100 };
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (&patience);
  Answer prompting[4 * 16 + 40];
  guint hanging = 0;

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_PROMPT);
  for (guint i = 0; i < G_N_ELEMENTS (prompting); i++)
    {
      guint32 uid = i < 64 ? 1 + i / 16 : 100 + i;
      g_autofree char *subject = g_strdup_printf (":1.%u", uid);

      prompting[i] = (Answer){ authority, FALSE, FALSE, NULL };
      regiond_authority_check (authority, make_question_of (uid, subject, TRUE), NULL, on_checked, &prompting[i]);
      if (i < 4 * 16 + 32)
        {
          hanging++;
          wait_until (fake_polkit_count_hanging (f->polkit) == hanging);
        }
    }
  for (guint i = 0; i < 20; i++)
    fixture_turn ();
  g_assert_cmpuint (fake_polkit_count_hanging (f->polkit), ==, 4 * 16 + 32);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  for (guint i = 0; i < G_N_ELEMENTS (prompting); i++)
    wait_until (prompting[i].done && prompting[i].allowed);
}

static void
test_cancelled_before (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);
  g_autoptr (GCancellable) gone = g_cancellable_new ();
  g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };

  g_cancellable_cancel (gone);
  ask (&answer, FALSE, gone);
  wait_until (answer.done);
  g_assert_false (answer.allowed);
  g_assert_error (answer.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* What polkit is said to say. */
typedef struct {
  RegiondAuthority *authority;
  gboolean          done, answered;
  RegiondAnswer     answer;
  GError           *error;
} Opinion;

static void
on_opinion (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  Opinion *opinion = data;

  opinion->answered = regiond_authority_answer_finish (opinion->authority, result, &opinion->answer, &opinion->error);
  opinion->done = TRUE;
}

static void
opinion_clear (Opinion *self)
{
  g_clear_error (&self->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Opinion, opinion_clear)

static void
test_opinions (Fixture *f)
{
  static const struct {
    FakePolkitAnswer polkit;
    RegiondAnswer    answer;
  } cases[] = {
    { FAKE_POLKIT_YES, REGIOND_ANSWER_YES },
    { FAKE_POLKIT_NO, REGIOND_ANSWER_NO },
    { FAKE_POLKIT_PASSWORD, REGIOND_ANSWER_CHALLENGE },
    { FAKE_POLKIT_REMEMBERED, REGIOND_ANSWER_REMEMBERED },
    { FAKE_POLKIT_FAIL, REGIOND_ANSWER_NO },
  };
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);

  for (gsize i = 0; i < 2 * G_N_ELEMENTS (cases); i++)
    {
      g_auto (Opinion) opinion = { authority, FALSE, FALSE, REGIOND_ANSWER_NO, NULL };
      guint asked = fake_polkit_count_asked (f->polkit);

      /* Nobody is prompted, whatever the question says. */
      fake_polkit_set_answer (f->polkit, cases[i / 2].polkit);
      if (i % 2 == 0)
        regiond_authority_foretell (authority, make_question (TRUE), NULL, on_opinion, &opinion);
      else
        regiond_authority_review (authority, make_question (TRUE), NULL, on_opinion, &opinion);
      wait_until (opinion.done);
      g_assert_no_error (opinion.error);
      g_assert_true (opinion.answered);
      g_assert_cmpint (opinion.answer, ==, cases[i / 2].answer);
      g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 1);
      g_assert_cmpuint (fake_polkit_get_flags (f->polkit), ==, 0);
    }
}

/* To be foretold something costs a place of one's own; a review costs none. */
static void
test_opinions_are_counted (Fixture *f)
{
  RegiondPatience patience = { 10000, 10000, 2, 1 };
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (&patience);
  g_auto (Opinion) first = { authority, FALSE, FALSE, REGIOND_ANSWER_NO, NULL }, second = first, review = first;

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  regiond_authority_foretell (authority, make_question (FALSE), NULL, on_opinion, &first);
  regiond_authority_foretell (authority, make_question (FALSE), NULL, on_opinion, &second);
  regiond_authority_review (authority, make_question (FALSE), NULL, on_opinion, &review);
  wait_until (second.done);
  g_assert_false (second.answered);
  assert_error_says (second.error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "MaxAuthorizationsPerConnection");
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  wait_until (first.done && review.done);
  g_assert_true (first.answered && review.answered);
}

/* Calls first; but of reviews one after every eighth call. */
static void
test_reviews_wait (Fixture *f)
{
  RegiondPatience patience = { 10000, 10000, 100, 100 };
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (&patience);
  Answer calls[20];
  Opinion reviews[4];
  guint asked = fake_polkit_count_asked (f->polkit), done;

  /* polkitd is busy; and nobody's review has a place. */
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      calls[i] = (Answer){ authority, FALSE, FALSE, NULL };
      regiond_authority_check (authority, make_question_of (1, ":1.1", FALSE), NULL, on_checked, &calls[i]);
    }
  wait_until (fake_polkit_count_asked (f->polkit) > asked);
  for (guint i = 0; i < G_N_ELEMENTS (reviews); i++)
    {
      reviews[i] = (Opinion){ authority, FALSE, FALSE, REGIOND_ANSWER_NO, NULL };
      regiond_authority_review (authority, make_question_of (2, ":1.2", FALSE), NULL, on_opinion, &reviews[i]);
    }

  for (done = 0; !reviews[0].done; done++)
    {
      wait_until (fake_polkit_count_hanging (f->polkit) > 0);
      fake_polkit_answer_one (f->polkit, FAKE_POLKIT_YES);
      wait_until (fake_polkit_count_hanging (f->polkit) > 0 || calls[G_N_ELEMENTS (calls) - 1].done);
    }
  g_assert_cmpuint (done, >=, 8);
  g_assert_false (calls[G_N_ELEMENTS (calls) - 1].done);
  g_assert_false (reviews[1].done);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    wait_until (calls[i].done && calls[i].allowed);
  for (guint i = 0; i < G_N_ELEMENTS (reviews); i++)
    wait_until (reviews[i].done && reviews[i].answered);
}

/* What it was told, in order. */
static void
on_policy (gpointer data,
           gboolean restarted)
{
  g_string_append (data, restarted ? "restarted " : "changed ");
}

static void
test_listening (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);
  g_autoptr (GString) heard = g_string_new (NULL);
  g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };
  guint epoch;

  ask (&answer, FALSE, NULL);
  wait_until (answer.done);
  regiond_authority_listen (authority, on_policy, heard);
  epoch = regiond_authority_get_epoch (authority);
  fake_polkit_announce (f->polkit);
  wait_until (heard->len > 0);
  g_assert_cmpuint (regiond_authority_get_epoch (authority), ==, epoch + 1);

  g_clear_pointer (&f->polkit, fake_polkit_free);
  f->polkit = fake_polkit_new (f->address);
  wait_until (regiond_authority_get_epoch (authority) == epoch + 2);
  g_assert_cmpstr (heard->str, ==, "changed restarted ");

  regiond_authority_listen (authority, NULL, NULL);
  fake_polkit_announce (f->polkit);
  wait_until (regiond_authority_get_epoch (authority) == epoch + 3);
  g_assert_cmpstr (heard->str, ==, "changed restarted ");
}

static void
test_dies (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = make_authority (10000, 10000);
  g_auto (Answer) answer = { authority, FALSE, FALSE, NULL }, after = answer, back = answer;
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  ask (&answer, FALSE, NULL);
  wait_until (fake_polkit_count_asked (f->polkit) > asked);
  g_clear_pointer (&f->polkit, fake_polkit_free);
  wait_until (answer.done);
  assert_error_says (answer.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "could not be asked");

  ask (&after, FALSE, NULL);
  wait_until (after.done);
  assert_error_says (after.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "could not be asked");

  f->polkit = fake_polkit_new (f->address);
  ask (&back, FALSE, NULL);
  wait_until (back.done);
  g_assert_true (back.allowed);
}

static Fixture *shared;

static void
run (gconstpointer test)
{
  ((void (*) (Fixture *)) test) (shared);
}

static void
add (const char *name,
     void (*test) (Fixture *))
{
  g_test_add_data_func (name, test, run);
}

/* The last: with it goes the bus. */
static void
test_end (void)
{
  g_clear_pointer (&shared, fixture_free);
}

static void
add_tests (void)
{
  shared = fixture_new_in_process ();
  add ("/authority/a-plain-yes-is-yes", test_yes);
  add ("/authority/everything-else-is-no-and-says-why", test_answers);
  add ("/authority/a-hung-polkit-is-a-no-in-time", test_timeout);
  add ("/authority/who-waits-for-a-hung-polkit-waits-no-longer", test_waiting_times_out);
  add ("/authority/a-late-question-keeps-its-place-until-it-is-answered", test_late_keeps_its_place);
  add ("/authority/who-left-is-prompted-no-more", test_cancelled);
  add ("/authority/who-had-left-before-neither", test_cancelled_before);
  add ("/authority/who-leaves-the-queue-costs-polkit-nothing", test_cancelled_waiting);
  add ("/authority/too-many-questions-of-one-are-refused-by-the-keys-name", test_bounds);
  add ("/authority/who-has-many-calls-has-one-asked-at-a-time", test_one_at_a_time);
  add ("/authority/prompts-of-one-user-stop-nobody", test_prompts_stop_nobody);
  add ("/authority/prompts-of-four-users-stop-no-fifth", test_prompts_of_many);
  add ("/authority/what-it-would-say-without-a-prompt", test_opinions);
  add ("/authority/what-is-foretold-is-counted-what-is-reviewed-is-not", test_opinions_are_counted);
  add ("/authority/reviews-wait-for-calls-but-not-for-ever", test_reviews_wait);
  add ("/authority/what-polkit-announces-is-heard", test_listening);
  add ("/authority/a-dying-polkit-is-a-no", test_dies);
  g_test_add_func ("/authority/the-bus-may-go", test_end);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
