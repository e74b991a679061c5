/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "leases.h"

#include "session.h"

#define UID 1000
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define MANAGER "org.regiond1.Manager"

#define DEVICE "{'org.regiond1.Device': {'Id': <'shm0'>, 'Description': <'Sensor ring'>}}"
#define LEASE(uid, created) \
  "{'org.regiond1.Lease': {'Device': <objectpath '" SESSION_DEVICE "'>, 'Region': <'bar2'>, 'Access': <'rm'>," \
  " 'Uid': <uint32 " uid ">, 'Pid': <uint32 0>, 'Created': <uint64 " created ">}}"
#define ADDED(uid) "(objectpath '" SESSION_LEASE "', " LEASE (uid, "1") ")"
#define REFUSED(uid, omitted) \
  "(objectpath '" SESSION_DEVICE "', 'bar2', 'rwm', ':1.9', uint32 " uid ", uint32 0," \
  " 'org.regiond1.Error.Busy', 'somebody has it', uint32 " omitted ")"

/* It has ended, and something is left of it. */
#define LINGERING \
  "({objectpath '" SESSION_LEASE "': {'org.regiond1.Lease': {'Device': <objectpath '" SESSION_DEVICE "'>," \
  " 'Region': <'bar2'>, 'Access': <'rm'>, 'Uid': <uint32 1000>, 'Pid': <uint32 0>, 'State': <'lingering'>}}},)"

/* What there was before the agent, and what has come since. */
#define LISTED(created) \
  "({objectpath '" SESSION_LEASE "': " LEASE ("1000", created) ", '" SESSION_DEVICE "': " DEVICE "},)"

/* Of each piece of news a line: "KIND COUNT LEASE TEXT". */
static GString *news;

static void
on_news (const AgentNews *piece,
         gpointer         data)
{
  static const char *const kinds[] = { "got", "left", "lost", "refused" };

  g_string_append_printf (news, "%s %u %s %s\n", kinds[piece->kind], piece->count, piece->lease ? piece->lease : "-",
                          piece->text);
}

typedef struct
{
  Session session;
  AgentLeases *leases;
} Scene;

static void
scene_set_up (Scene        *scene,
              gconstpointer objects)
{
  news = g_string_new (NULL);
  session_init (&scene->session);
  scene->session.objects = objects;
  scene->leases = agent_leases_new (scene->session.agent, UID, on_news, NULL);
  session_settle (&scene->session);
  session_settle (&scene->session);
}

static void
scene_tear_down (Scene        *scene,
                 gconstpointer objects)
{
  agent_leases_free (scene->leases);
  session_clear (&scene->session);
  g_string_free (news, TRUE);
}

/* All that has been told is @lines. */
static void
expect_news (Scene      *scene,
             const char *lines)
{
  session_settle (&scene->session);
  session_wait (news->len >= strlen (lines));
  g_assert_cmpstr (news->str, ==, lines);
  g_string_truncate (news, 0);
}

static void
test_life (Scene        *scene,
           gconstpointer objects)
{
  session_emit (&scene->session, OBJECT_MANAGER, "InterfacesAdded", "(objectpath '" SESSION_DEVICE "', " DEVICE ")");
  session_emit (&scene->session, OBJECT_MANAGER, "InterfacesAdded", ADDED ("1000"));
  expect_news (scene, "got 1 " SESSION_LEASE " Process 0 has region bar2 of Sensor ring (shm0), to read\n");
  session_emit (&scene->session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'withdrawn')");
  expect_news (scene, "lost 1 " SESSION_LEASE
                      " Process 0 has lost region bar2 of Sensor ring (shm0): the rules have changed\n");
  session_emit (&scene->session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'withdrawn')");
  expect_news (scene, "");
}

static void
test_quiet_end (Scene        *scene,
                gconstpointer objects)
{
  session_emit (&scene->session, OBJECT_MANAGER, "InterfacesAdded", ADDED ("1000"));
  session_emit (&scene->session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'disconnected')");
  expect_news (scene, "got 1 " SESSION_LEASE " Process 0 has region bar2 of shm0, to read\n"
                      "left 1 " SESSION_LEASE " Process 0 had region bar2 of shm0, to read, and has it no more\n");
}

/* Memory or a BAR. */
static void
test_end_of_what_was_shared (Scene        *scene,
                             gconstpointer objects)
{
  session_emit (&scene->session, OBJECT_MANAGER, "InterfacesAdded", ADDED ("1000"));
  session_emit (&scene->session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'superseded')");
  expect_news (scene, "got 1 " SESSION_LEASE " Process 0 has region bar2 of shm0, to read\n"
                      "lost 1 " SESSION_LEASE
                      " Process 0 has lost region bar2 of shm0: it was taken from somebody who shared it\n");
}

static void
test_strange_end (Scene        *scene,
                  gconstpointer objects)
{
  session_emit (&scene->session, OBJECT_MANAGER, "InterfacesAdded", ADDED ("1000"));
  session_emit (&scene->session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'eaten\nby bears')");
  expect_news (scene, "got 1 " SESSION_LEASE " Process 0 has region bar2 of shm0, to read\n"
                      "lost 1 " SESSION_LEASE " Process 0 has lost region bar2 of shm0: eaten?by bears\n");
}

static void
test_refused (Scene        *scene,
              gconstpointer objects)
{
  session_emit (&scene->session, MANAGER, "OpenRefused", REFUSED ("1000", "12"));
  expect_news (scene, "refused 13 - Process 0 was refused region bar2 of shm0: somebody has it\n");
}

static void
test_others (Scene        *scene,
             gconstpointer objects)
{
  session_emit (&scene->session, OBJECT_MANAGER, "InterfacesAdded", ADDED ("1001"));
  session_emit (&scene->session, MANAGER, "OpenRefused", REFUSED ("1001", "0"));
  session_emit (&scene->session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'revoked')");
  session_emit (&scene->session, MANAGER, "Strange", "()");
  expect_news (scene, "");
}

static void
test_older (Scene        *scene,
            gconstpointer objects)
{
  expect_news (scene, "");
  session_emit (&scene->session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'revoked')");
  expect_news (scene, "lost 1 " SESSION_LEASE " Process 0 has lost region bar2 of Sensor ring (shm0): it was revoked\n");
}

static void
test_lingering (Scene        *scene,
                gconstpointer objects)
{
  session_stop_service (&scene->session);
  expect_news (scene, "");
}

/* Its end has not been heard, but it is there no more. */
static void
test_unheard_end (Scene        *scene,
                  gconstpointer objects)
{
  session_emit (&scene->session, OBJECT_MANAGER, "InterfacesRemoved",
                "(objectpath '" SESSION_LEASE "', ['org.regiond1.Lease'])");
  expect_news (scene, "left 1 " SESSION_LEASE
                      " Process 0 had region bar2 of Sensor ring (shm0), to read, and has it no more\n");
  session_stop_service (&scene->session);
  expect_news (scene, "");
}

/* The answer was put together before the end, and comes after it. */
static void
test_late_answer (Scene        *scene,
                  gconstpointer objects)
{
  Session *session = &scene->session;

  session_stop_service (session);
  session_wait (news->len > 0);
  g_string_truncate (news, 0);
  session->late = TRUE;
  session_start_service (session);
  session_wait (session->listing != NULL);
  session_emit (session, MANAGER, "LeaseEnded", "(objectpath '" SESSION_LEASE "', 'released')");
  session_settle (session);
  session_answer (session);
  session_settle (session);
  session_stop_service (session);
  expect_news (scene, "");
}

static void
test_between (Scene        *scene,
              gconstpointer objects)
{
  expect_news (scene, "got 1 " SESSION_LEASE " Process 0 has region bar2 of Sensor ring (shm0), to read\n");
}

static void
test_service_is_gone (Scene        *scene,
                      gconstpointer objects)
{
  session_stop_service (&scene->session);
  expect_news (scene, "lost 1 " SESSION_LEASE
                      " Process 0 has lost region bar2 of Sensor ring (shm0): the service has ended\n");
  scene->session.objects = "(@a{oa{sa{sv}}} {},)";
  session_start_service (&scene->session);
  session_settle (&scene->session);
  session_settle (&scene->session);
  session_emit (&scene->session, OBJECT_MANAGER, "InterfacesAdded", ADDED ("1000"));
  expect_news (scene, "got 1 " SESSION_LEASE " Process 0 has region bar2 of shm0, to read\n");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, objects, func) g_test_add ("/leases/" name, Scene, objects, scene_set_up, func, scene_tear_down)
#define NONE "(@a{oa{sa{sv}}} {},)"
  ADD ("a-region-is-got-and-lost", NONE, test_life);
  ADD ("who-gives-it-back-has-not-lost-it", NONE, test_quiet_end);
  ADD ("who-shared-it-is-told-so", NONE, test_end_of_what_was_shared);
  ADD ("an-end-that-is-not-known-is-told", NONE, test_strange_end);
  ADD ("refusals-count", NONE, test_refused);
  ADD ("other-peoples-are-theirs", NONE, test_others);
  ADD ("what-was-there-before-is-no-news", LISTED ("1"), test_older);
  ADD ("what-lingers-is-nobodys", LINGERING, test_lingering);
  ADD ("what-an-old-answer-says-is-not-believed", LISTED ("1"), test_late_answer);
  ADD ("what-is-gone-is-forgotten", LISTED ("1"), test_unheard_end);
  ADD ("what-comes-meanwhile-is", LISTED ("9223372036854775807"), test_between);
  ADD ("the-service-is-gone", LISTED ("1"), test_service_is_gone);
  return g_test_run ();
}
