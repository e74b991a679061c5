/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "permit.h"

static RegiondQuestion *
make_question (void)
{
  RegiondQuestion *question = g_rc_box_new0 (RegiondQuestion);

  question->action = "org.regiond1.read-region";
  question->subject = g_strdup (":1.77");
  question->purpose = g_strdup ("open region bar2");
  return question;
}

typedef struct {
  gboolean done, allowed;
  gboolean in_vain; /* as the one who asks would know */
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

static gboolean
is_worthwhile (gpointer data,
               GError **error)
{
  Leave *leave = data;

  if (leave->in_vain)
    g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "In vain");
  return !leave->in_vain;
}

static void
on_vanished (gpointer lease)
{
  g_assert_not_reached ();
}

static void
test_permit (void)
{
  RegiondPatience patience = { 10000, 10000, 8, 6 };
  g_autoptr (Fixture) f = fixture_new_in_process ();
  g_autoptr (RegiondAuthority) authority = regiond_authority_new (&patience);
  GDBusConnection *own = fixture_connect (f), *caller = fixture_connect (f);
  RegiondClients *clients = regiond_clients_new (own, on_vanished);
  RegiondClient *client = regiond_clients_get (clients, g_dbus_connection_get_unique_name (caller));
  Leave yes = { FALSE, FALSE, FALSE, NULL }, no = yes, identity = yes, vain = yes, gone = yes;
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  regiond_permit_ask (authority, client, make_question (), NULL, on_permitted, &yes);
  wait_until (yes.done);
  g_assert_true (yes.allowed);
  g_assert_cmpuint (regiond_client_get_uid (client), !=, G_MAXUINT32);

  /* Without a question it is only asked who it is. */
  regiond_permit_ask (authority, client, NULL, NULL, on_permitted, &identity);
  wait_until (identity.done);
  g_assert_true (identity.allowed);
  vain.in_vain = TRUE;
  regiond_permit_ask (authority, client, make_question (), is_worthwhile, on_permitted, &vain);
  wait_until (vain.done);
  g_assert_error (vain.error, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 1);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  regiond_permit_ask (authority, client, make_question (), is_worthwhile, on_permitted, &no);
  wait_until (no.done);
  g_assert_error (no.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  regiond_permit_ask (authority, client, make_question (), NULL, on_permitted, &gone);
  fake_polkit_wait_asked (f->polkit, asked + 3);
  client_leave (caller);
  wait_until (gone.done);
  g_assert_error (gone.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  g_clear_error (&vain.error);
  g_clear_error (&no.error);
  g_clear_error (&gone.error);
  regiond_client_unref (client);
  regiond_clients_free (clients);
  client_leave (own);
}

static void
add_tests (void)
{
  g_test_add_func ("/permit/first-who-then-whether-it-is-of-use-then-polkit", test_permit);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
