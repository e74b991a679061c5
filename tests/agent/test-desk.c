/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "desk.h"

#include "session.h"

#define UID 1000
#define MANAGER "org.regiond1.Manager"

typedef struct
{
  Session session;
  AgentDesk *desk;
} Scene;

static void
lend (Session    *session,
      const char *lease)
{
  g_autofree char *arguments =
    g_strdup_printf ("(objectpath '%s', {'org.regiond1.Lease': {"
                     " 'Device': <objectpath '" SESSION_DEVICE "'>, 'Region': <'bar2'>, 'Access': <'rm'>,"
                     " 'Uid': <uint32 1000>, 'Pid': <uint32 0>, 'Created': <uint64 1>}})", lease);

  session_emit (session, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", arguments);
}

/* A program has a region, and that is shown. */
static void
scene_set_up (Scene        *scene,
              gconstpointer refusal)
{
  Session *session = &scene->session;

  session_init (session);
  session->refusal = refusal;
  scene->desk = agent_desk_new (session->agent, session->agent, UID);
  session_settle (session);
  lend (session, SESSION_LEASE);
  session_wait (session->shown->len == 1);
  session_settle (session);
}

static void
scene_tear_down (Scene        *scene,
                 gconstpointer refusal)
{
  agent_desk_free (scene->desk);
  session_clear (&scene->session);
}

static void
test_revoked (Scene        *scene,
              gconstpointer refusal)
{
  Session *session = &scene->session;

  g_assert_cmpstr (session_get_last (session)->summary, ==, "Region in use");
  g_assert_cmpstr (session_get_last (session)->label, ==, "Revoke");
  session_press (session, session_get_last (session));
  session_wait (session->revoked->len == 1);
  g_assert_cmpstr (g_ptr_array_index (session->revoked, 0), ==, SESSION_LEASE);
  session_emit (session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'revoked')");
  session_wait (session->shown->len == 2);
  g_assert_cmpstr (session_get_last (session)->summary, ==, "Region lost");
  g_assert_null (session_get_last (session)->action);
  /* Nobody has it, so nobody is said to. */
  session_wait (session->closed->len == 1);
}

static void
test_not_revoked (Scene        *scene,
                  gconstpointer refusal)
{
  Session *session = &scene->session;

  session_press (session, session_get_last (session));
  session_wait (session->shown->len == 2);
  g_assert_cmpstr (session_get_last (session)->summary, ==, "Region not revoked");
  g_assert_cmpstr (session_get_last (session)->body, ==, refusal);
}

static void
test_refused (Scene        *scene,
              gconstpointer refusal)
{
  Session *session = &scene->session;

  session_emit (session, MANAGER, "OpenRefused",
                "(objectpath '" SESSION_DEVICE "', 'bar2', 'rwm', ':1.9', uint32 1000, uint32 0,"
                " 'org.regiond1.Error.Busy', 'somebody has it', uint32 0)");
  session_wait (session->shown->len == 2);
  g_assert_cmpstr (session_get_last (session)->summary, ==, "Region refused");
  g_assert_cmpuint (session_get_last (session)->replaces, ==, 0);
}

/* Three are shown, and their button is pressed. */
static void
press_for_three (Session *session)
{
  lend (session, SESSION_LEASE_2);
  lend (session, SESSION_LEASE_3);
  session_wait (session->shown->len == 2);
  session_settle (session);
  session_press (session, session_get_last (session));
  session_wait (session->revoked->len > 0);
}

static void
test_one_after_the_other (Scene        *scene,
                          gconstpointer refusal)
{
  Session *session = &scene->session;

  session->slow = TRUE;
  press_for_three (session);
  session_settle (session);
  g_assert_cmpuint (session->revoked->len, ==, 1);
  /* What it shared was taken from it meanwhile. */
  session_emit (session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE_2 "', 'superseded')");
  session_answer_revoke (session);
  session_wait (session->revoked->len == 2);
  g_assert_cmpstr (g_ptr_array_index (session->revoked, 1), ==, SESSION_LEASE_3);
  session_answer_revoke (session);
  session_settle (session);
  g_assert_cmpuint (session->revoked->len, ==, 2);
  g_assert_cmpuint (session->prompts, ==, 2);
}

static void
test_not_asked_again (Scene        *scene,
                      gconstpointer refusal)
{
  Session *session = &scene->session;

  press_for_three (session);
  session_wait (session->revoked->len == 3);
  g_assert_cmpuint (session->prompts, ==, 1);
  session_wait (session->shown->len == 3);
  g_assert_cmpstr (session_get_last (session)->summary, ==, "3 regions not revoked");

  /* Until the button is pressed once more. */
  session_press (session, g_ptr_array_index (session->shown, 1));
  session_wait (session->revoked->len == 6);
  g_assert_cmpuint (session->prompts, ==, 2);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, refusal, func) g_test_add ("/desk/" name, Scene, refusal, scene_set_up, func, scene_tear_down)
  ADD ("the-button-revokes", NULL, test_revoked);
  ADD ("what-is-not-revoked-is-told", "you may not", test_not_revoked);
  ADD ("all-are-revoked-one-after-the-other", NULL, test_one_after_the_other);
  ADD ("who-says-no-once-is-not-asked-again", "you may not", test_not_asked_again);
  ADD ("a-refusal-stands-by-itself", NULL, test_refused);
  return g_test_run ();
}
