/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "bare-polkit.h"
#include "ear.h"
#include "figures.h"
#include "scene.h"

/* How soon leases end when the policy changes, and how long others wait meanwhile. */

/* EXPRESSION says who is let in. Nothing is logged: that takes longer than the question. */
#define ALLOW(expression) \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') == 0 && (" expression ")) return polkit.Result.YES; });\n"

/* Writes RULES and listens until COUNT leases are withdrawn; how many ms that took after polkit had announced it. */
static guint
measure_withdrawal (Ear *ear,
                    const char *rules,
                    guint count)
{
  ear_forget (ear);
  polkit_write_rules (rules);
  return ear_wait_withdrawn (ear, count, 30000) / 1000;
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  return *(const guint *) a < *(const guint *) b ? -1 : 1;
}

/* 200 ms after polkit's signal, and 2 ms for the one question; the median, since the
 * machine may have others to serve. */
static void
test_a_change_acts_at_once (World *world,
                            Person *alice,
                            Person *bob)
{
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  guint took[9];

  for (guint i = 0; i < G_N_ELEMENTS (took); i++)
    {
      g_autoptr (Opened) opened = NULL;

      world_set_rules (world, ALLOW ("true"));
      opened = person_open (alice, "shm0", "control", "r", "{}");
      took[i] = measure_withdrawal (ear, "", 1);
      person_let_go (alice, NULL, opened->fd);
    }
  qsort (took, G_N_ELEMENTS (took), sizeof took[0], compare);
  g_test_message ("withdrawn %u ms after polkit's signal, %u at most", took[4], took[8]);
  g_assert_cmpuint (took[4], <=, 202);
}

/* Each label makes a question of its own. */
static void
open_many (Person *person,
           guint count)
{
  guint last = 0;

  for (guint i = 0; i < count; i++)
    {
      g_autofree char *options = g_strdup_printf ("{'label': <'%u'>}", i);
      guint serial = person_send_open (person, "loose", "bar2", "rm", options, "");

      /* A few at a time. */
      if (last != 0)
        opened_free (person_finish_open (person, last));
      last = serial;
    }
  opened_free (person_finish_open (person, last));
}

/* A call that asks nobody, and an OpenRegion: in ms. */
static guint
measure_calls (Person *bob)
{
  gint64 start = g_get_monotonic_time ();
  g_autoptr (Opened) opened = NULL;

  g_free (person_call (bob, MANAGER_PATH, MANAGER_INTERFACE, "GetDevice", "('shm0',)"));
  opened = person_open (bob, "shm0", "control", "r", "{}");
  person_let_go (bob, NULL, opened->fd);
  return milliseconds_since (start);
}

/* Not later than 200 ms and 2 ms for each question; where polkit takes longer than that, than a quarter
 * more than it takes for the same answers by itself. */
static gboolean
withdraw_a_thousand (World *world,
                     Ear *ear)
{
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE);
  guint took, bare;

  world_set_rules (world, ALLOW ("true"));
  open_many (alice, 1000);
  took = measure_withdrawal (ear, ALLOW ("subject.user == 'bob'"), 1000);
  bare = bare_polkit_measure (world->root, alice->name, 1000);
  /* What she keeps would count. */
  g_clear_pointer (&alice, person_free);
  world_wait_no_leases (world, 30000);
  g_test_message ("1000 withdrawn %u ms after polkit's signal; polkit alone takes %u ms", took, bare);
  return figures_have_sanitizer () || took <= 200 + MAX (2 * 1000, bare + bare / 4);
}

static void
test_a_thousand_leases (void)
{
  g_autoptr (World) world = world_new ("MaxLeasesPerUser=1100\nMaxLeasesPerConnection=1100");
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Person) carol = person_new ("carol", UID_CAROL);
  g_autoptr (Ear) ear = ear_new (world->root, "LeaseEnded");
  guint most = 0, before = 0;

  /* What else the machine has to do comes and goes. */
  for (guint attempt = 3; !withdraw_a_thousand (world, ear); attempt--)
    g_assert_cmpuint (attempt, >, 1);

  /* And with somebody who calls meanwhile. */
  world_set_rules (world, ALLOW ("true"));
  open_many (carol, 1000);
  for (guint i = 0; i < 100; i++)
    before = MAX (before, measure_calls (bob));
  ear_forget (ear);
  polkit_write_rules (ALLOW ("subject.user == 'bob'"));
  for (; ear->withdrawn < 1000; most = MAX (most, measure_calls (bob)))
    while (g_main_context_iteration (NULL, FALSE))
      ;
  g_test_message ("two calls of somebody else take %u ms at most, before it was %u", most, before);
  if (!figures_have_sanitizer ())
    g_assert_cmpuint (most, <, MAX (500, 4 * before));
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  scene_add ("/withdrawal/a-change-acts-at-once", "", test_a_change_acts_at_once);
  g_test_add_func ("/withdrawal/a-thousand-leases", test_a_thousand_leases);
  return g_test_run ();
}
