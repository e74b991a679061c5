/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "authority.h"
#include "permit.h"

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

static RegiondQuestion *
make_question (gboolean interactive)
{
  RegiondQuestion *question = g_new0 (RegiondQuestion, 1);

  question->action = "org.regiond1.read-region";
  question->subject = g_strdup (":1.77");
  question->purpose = g_strdup ("open region bar2");
  question->details = polkit_details_new ();
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
    int              code;
    const char      *word;
  } cases[] = {
    { FAKE_POLKIT_NO, FALSE, FALSE, G_DBUS_ERROR_ACCESS_DENIED, "refuses" },
    { FAKE_POLKIT_NO, TRUE, FALSE, G_DBUS_ERROR_ACCESS_DENIED, "refuses" },
    { FAKE_POLKIT_CHALLENGE, FALSE, TRUE, REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "interactive" },
    { FAKE_POLKIT_CHALLENGE, TRUE, FALSE, G_DBUS_ERROR_ACCESS_DENIED, "agent" },
    { FAKE_POLKIT_REMEMBERED, FALSE, FALSE, G_DBUS_ERROR_ACCESS_DENIED, "_keep" },
    { FAKE_POLKIT_FAIL, FALSE, FALSE, G_DBUS_ERROR_ACCESS_DENIED, "not registered" },
  };
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (10000, 10000);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };

      fake_polkit_set_answer (f->polkit, cases[i].answer);
      ask (&answer, cases[i].interactive, NULL);
      wait_until (answer.done);
      g_assert_false (answer.allowed);
      g_assert_cmpuint (answer.error->domain, ==, cases[i].own_domain ? REGIOND_ERROR : G_DBUS_ERROR);
      assert_error_says (answer.error, answer.error->domain, cases[i].code, "open region bar2",
                         "org.regiond1.read-region", cases[i].word);
      g_assert_cmpuint (fake_polkit_get_flags (f->polkit), ==, cases[i].interactive ? 1 : 0);
    }
}

static void
test_yes (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (10000, 10000);
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
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (50, 100);
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  for (int interactive = 0; interactive < 2; interactive++)
    {
      g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };

      ask (&answer, interactive, NULL);
      wait_until (answer.done);
      g_assert_false (answer.allowed);
      assert_error_says (answer.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "AuthorizationTimeout",
                         interactive ? "100 ms" : "50 ms");
    }

  /* polkit is told to forget them. */
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 2);
  fake_polkit_wait_withdrawn (f->polkit, 2);
}

static void
test_cancelled (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (10000, 10000);
  g_autoptr (GCancellable) gone = g_cancellable_new ();
  g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  ask (&answer, FALSE, gone);
  wait_until (fake_polkit_count_asked (f->polkit) > asked);
  g_cancellable_cancel (gone);
  wait_until (answer.done);
  g_assert_error (answer.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  fake_polkit_wait_withdrawn (f->polkit, 3);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
}

static void
test_cancelled_before (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (10000, 10000);
  g_autoptr (GCancellable) gone = g_cancellable_new ();
  g_auto (Answer) answer = { authority, FALSE, FALSE, NULL };

  g_cancellable_cancel (gone);
  ask (&answer, FALSE, gone);
  wait_until (answer.done);
  g_assert_false (answer.allowed);
  g_assert_error (answer.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

typedef struct {
  gboolean done, allowed;
  GError  *error;
} Leave;

static void
on_permitted (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  Leave *leave = data;

  leave->allowed = regiond_permit_ask_finish (result, &leave->error);
  leave->done = TRUE;
}

static void
on_vanished (gpointer lease)
{
  g_assert_not_reached ();
}

static void
test_permit (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (10000, 10000);
  GDBusConnection *own = fixture_connect (f), *caller = fixture_connect (f);
  RegiondClients *clients = regiond_clients_new (own, on_vanished);
  RegiondClient *client = regiond_clients_get (clients, g_dbus_connection_get_unique_name (caller));
  Leave yes = { FALSE, FALSE, NULL }, no = yes, identity = yes, gone = yes;
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  regiond_permit_ask (authority, client, make_question (FALSE), on_permitted, &yes);
  wait_until (yes.done);
  g_assert_true (yes.allowed);
  g_assert_cmpuint (regiond_client_get_uid (client), !=, G_MAXUINT32);

  /* Without a question it is only asked who it is. */
  regiond_permit_ask (authority, client, NULL, on_permitted, &identity);
  wait_until (identity.done);
  g_assert_true (identity.allowed);
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 1);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  regiond_permit_ask (authority, client, make_question (FALSE), on_permitted, &no);
  wait_until (no.done);
  g_assert_error (no.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  regiond_permit_ask (authority, client, make_question (FALSE), on_permitted, &gone);
  fake_polkit_wait_asked (f->polkit, asked + 3);
  client_leave (caller);
  wait_until (gone.done);
  g_assert_error (gone.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  g_clear_error (&no.error);
  g_clear_error (&gone.error);
  regiond_client_unref (client);
  regiond_clients_free (clients);
  client_leave (own);
}

static void
test_dies (Fixture *f)
{
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (10000, 10000);
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
  add ("/authority/who-left-is-not-asked-about-any-more", test_cancelled);
  add ("/authority/who-had-left-before-neither", test_cancelled_before);
  add ("/authority/identity-and-leave-are-one-answer", test_permit);
  add ("/authority/a-dying-polkit-is-a-no", test_dies);
  g_test_add_func ("/authority/the-bus-may-go", test_end);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
