/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notice.h"

#include "session.h"

static const AgentNotice notice = {
  .summary = "Region in use", .body = "<b>evil</b> & co", .action = "revoke", .label = "Revoke",
};

static guint32 number;

static void
on_shown (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  g_autoptr (GError) error = NULL;

  number = agent_notice_show_finish (result, &error);
  g_assert_no_error (error);
}

static Shown *
show (Session           *session,
      const char *const *capabilities)
{
  session->capabilities = capabilities;
  number = 0;
  agent_notice_show (session->agent, &notice, on_shown, NULL);
  session_wait (number != 0);
  return session_get_last (session);
}

static void
test_everything (void)
{
  g_auto (Session) session;
  Shown *shown;

  session_init (&session);
  shown = show (&session, (const char *const[]){ "body-markup", "actions", NULL });
  g_assert_cmpuint (number, ==, shown->number);
  g_assert_cmpstr (shown->body, ==, "&lt;b&gt;evil&lt;/b&gt; &amp; co");
  g_assert_cmpstr (shown->action, ==, "revoke");
  g_assert_cmpstr (shown->label, ==, "Revoke");
}

static void
test_nothing (void)
{
  g_auto (Session) session;
  Shown *shown;

  session_init (&session);
  shown = show (&session, (const char *const[]){ "body", NULL });
  g_assert_cmpstr (shown->body, ==, "<b>evil</b> & co");
  g_assert_null (shown->action);
}

static void
test_close (void)
{
  g_auto (Session) session;

  session_init (&session);
  agent_notice_close (session.agent, 42);
  session_wait (session.closed->len == 1);
  g_assert_cmpuint (g_array_index (session.closed, guint32, 0), ==, 42);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/notice/no-markup-is-let-through", test_everything);
  g_test_add_func ("/notice/a-poor-desktop-gets-plain-text", test_nothing);
  g_test_add_func ("/notice/it-is-taken-away", test_close);
  return g_test_run ();
}
