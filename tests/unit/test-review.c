/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

/* An owner of leases on the device ring, which do not share one another's fate. */
typedef struct {
  Fixture         *f;
  GDBusConnection *owner;
  Ear             *ear;
  GArray          *fds;
} Owner;

static void
close_fd (gpointer fd)
{
  close (*(int *) fd);
}

static Owner *
owner_new (Fixture *f)
{
  Owner *self = g_new0 (Owner, 1);

  self->f = f;
  self->owner = fixture_connect (f);
  self->ear = ear_new (self->owner, "Lease");
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_set_clear_func (self->fds, close_fd);
  return self;
}

static void
owner_free (Owner *self)
{
  g_array_unref (self->fds);
  ear_free (self->ear);
  client_leave (self->owner);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Owner, owner_free)

static void
open_ring (Owner      *self,
           const char *text)
{
  int fd;

  g_free (client_must_open (self->owner, RING, "data", "rm", text, &fd));
  g_array_append_val (self->fds, fd);
}

static Fixture *
serve (const char *daemon)
{
  Fixture *f = fixture_new ();
  g_autofree char *text = g_strdup_printf ("[Daemon]\nMaxMemory=8M\n%s\n", daemon);

  fixture_write (f, "regiond.conf", text);
  fixture_serve (f);
  return f;
}

static guint
count_ends (Owner *self)
{
  guint n = 0;

  for (guint i = 0; i < self->ear->heard->len; i++)
    n += g_str_equal (g_ptr_array_index (self->ear->heard, i), "Ended('withdrawn',)");
  return n;
}

/* regiond has taken the announcement in, and what it asks for it has been asked: a
 * call that comes after has been answered, and the pause of a round is over. */
static void
let_it_act (Fixture *f)
{
  gint64 until = g_get_monotonic_time () + 400 * 1000;

  wait_until (g_get_monotonic_time () > until);
  g_free (client_get_string (f->person, SHM0, "Device", "State"));
}

static void
test_no (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);

  open_ring (owner, NULL);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  fake_polkit_announce (f->polkit);
  wait_until (count_ends (owner) == 1);
  g_assert_cmpuint (owner->ear->heard->len, ==, 1); /* no RevokeRequested: no grace */
  g_assert_cmpuint (client_count_leases (f->person, RING), ==, 0);
}

static void
test_challenge (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);

  open_ring (owner, NULL);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_CHALLENGE);
  fake_polkit_announce (f->polkit);
  wait_until (count_ends (owner) == 1);
}

static void
test_yes (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);
  guint asked;

  open_ring (owner, NULL);
  asked = fake_polkit_count_asked (f->polkit);
  fake_polkit_announce (f->polkit);
  fake_polkit_wait_asked (f->polkit, asked + 1);
  g_assert_cmpuint (fake_polkit_get_flags (f->polkit), ==, 0); /* nobody is prompted */
  let_it_act (f);
  g_assert_cmpuint (client_count_leases (f->person, RING), ==, 1);
  g_assert_cmpuint (owner->ear->heard->len, ==, 0);
}

static void
test_distinct (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f), other = owner_new (f);
  guint asked;

  for (int i = 0; i < 5; i++)
    open_ring (owner, NULL);
  open_ring (owner, "{'label': <'another'>}");
  open_ring (other, NULL);
  asked = fake_polkit_count_asked (f->polkit);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  for (int i = 0; i < 10; i++)
    fake_polkit_announce (f->polkit);
  wait_until (count_ends (owner) == 6 && count_ends (other) == 1);
  let_it_act (f);
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 3);
}

/* @ends: whether a lease that a password opened does, when another one would be needed. */
static void
expect_with_password (const char *daemon,
                      gboolean    ends)
{
  g_autoptr (Fixture) f = serve (daemon);
  g_autoptr (Owner) owner = owner_new (f);
  guint asked;

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_PASSWORD);
  open_ring (owner, "{'interactive': <true>}");
  asked = fake_polkit_count_asked (f->polkit);
  fake_polkit_announce (f->polkit);
  fake_polkit_wait_asked (f->polkit, asked + 1);
  let_it_act (f);
  g_assert_cmpuint (count_ends (owner), ==, ends);
}

static void
test_password (void)
{
  expect_with_password ("", FALSE);
  expect_with_password ("Authorization=continuing", FALSE);
  expect_with_password ("Authorization=strict", TRUE);
}

static void
test_password_refused (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_PASSWORD);
  open_ring (owner, "{'interactive': <true>}");
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  fake_polkit_announce (f->polkit);
  wait_until (count_ends (owner) == 1);
}

/* A password that polkit remembers is no answer. */
static void
test_remembered (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);

  open_ring (owner, NULL);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_PASSWORD);
  open_ring (owner, "{'interactive': <true>}");
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_REMEMBERED);
  fake_polkit_announce (f->polkit);
  wait_until (count_ends (owner) == 1);
  let_it_act (f);
  g_assert_cmpuint (client_count_leases (f->person, RING), ==, 1);
}

static void
test_one_shot (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autoptr (Owner) owner = NULL;
  guint asked;

  fixture_write (f, "devices.d/ring.conf", "[Device]\nBackend=memory\nLinger=tolerate\nAuthorization=one-shot\n"
                                           "[Region data]\nSize=64K\n");
  fixture_serve (f);
  owner = owner_new (f);
  open_ring (owner, NULL);
  asked = fake_polkit_count_asked (f->polkit);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  fake_polkit_announce (f->polkit);
  let_it_act (f);
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked);
  g_assert_cmpuint (client_count_leases (f->person, RING), ==, 1);
}

static void
test_restart (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);

  open_ring (owner, NULL);

  /* Away: nothing ends. */
  g_clear_pointer (&f->polkit, fake_polkit_free);
  let_it_act (f);
  g_assert_cmpuint (client_count_leases (f->person, RING), ==, 1);

  f->polkit = fake_polkit_new (f->address);
  fake_polkit_wait_asked (f->polkit, 1);
  let_it_act (f);
  g_assert_cmpuint (client_count_leases (f->person, RING), ==, 1);

  g_clear_pointer (&f->polkit, fake_polkit_free);
  f->polkit = fake_polkit_new (f->address);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  wait_until (count_ends (owner) == 1);
}

/* Polkit has so many questions of a review in hand; how many it had been asked before. */
static guint
begin_review (Fixture *f,
              guint    questions)
{
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  fake_polkit_announce (f->polkit);
  fake_polkit_wait_asked (f->polkit, asked + questions);
  return asked;
}

/* It dies with the question in hand: nothing ends, and it is asked again. */
static void
test_dies_while_asked (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);

  open_ring (owner, NULL);
  begin_review (f, 1);
  g_clear_pointer (&f->polkit, fake_polkit_free);
  let_it_act (f);
  g_assert_cmpuint (client_count_leases (f->person, RING), ==, 1);

  f->polkit = fake_polkit_new (f->address);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  wait_until (count_ends (owner) == 1);
}

/* What cannot be answered about one is no reason to ask about nobody else; and he is
 * asked about again. */
static void
test_one_error (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) one = owner_new (f), other = owner_new (f), third = owner_new (f);
  guint asked;
  gint64 start;

  open_ring (one, NULL);
  open_ring (other, NULL);
  open_ring (third, NULL);
  asked = begin_review (f, 1);
  start = g_get_monotonic_time ();
  /* A round may take its time: the ten seconds come after it. */
  wait_until (g_get_monotonic_time () - start >= 2 * G_USEC_PER_SEC);
  start = g_get_monotonic_time ();
  fake_polkit_answer_one (f->polkit, FAKE_POLKIT_NOBODY);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  wait_until (count_ends (one) + count_ends (other) + count_ends (third) == 2);
  let_it_act (f);
  g_assert_cmpuint (client_count_leases (f->person, RING), ==, 1);
  fake_polkit_wait_asked (f->polkit, asked + 4);
  wait_until (count_ends (one) + count_ends (other) + count_ends (third) == 3);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 9 * G_USEC_PER_SEC);
}

/* Who leaves while polkit is asked has ended, and holds nothing until the round is over. */
static void
test_leaves_meanwhile (void)
{
  g_autoptr (Fixture) f = serve ("MaxLeasesPerUser=2");
  g_autoptr (Owner) sitting = owner_new (f), leaving = owner_new (f);
  g_autofree char *lease = NULL;
  int fd;

  open_ring (sitting, NULL);
  open_ring (leaving, NULL);
  begin_review (f, 2);
  g_clear_pointer (&leaving, owner_free);
  wait_until (client_count_leases (f->person, RING) == 1);
  wait_until (client_sees_lingering (f->person, RING, 0));

  /* Its place is free, though polkit has not answered about it. */
  fake_polkit_answer_one (f->polkit, FAKE_POLKIT_YES);
  fake_polkit_answer_one (f->polkit, FAKE_POLKIT_NOBODY);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_YES);
  lease = client_must_open (f->person, RING, "data", "rm", NULL, &fd);
  close (fd);
}

/* Anybody can make polkit announce something: ten seconds lie between two rounds. */
static void
test_pause (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);
  guint asked;
  gint64 start;

  open_ring (owner, NULL);
  asked = fake_polkit_count_asked (f->polkit);
  fake_polkit_announce (f->polkit);
  fake_polkit_wait_asked (f->polkit, asked + 1);
  start = g_get_monotonic_time ();
  for (guint i = 0; i < 10; i++)
    {
      fake_polkit_announce (f->polkit);
      let_it_act (f);
    }
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 1);

  fake_polkit_wait_asked (f->polkit, asked + 2);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 9 * G_USEC_PER_SEC);
  let_it_act (f);
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 2);
}

/* polkit has said yes, and announces a change before there is a lease. */
static void
test_change_while_opening (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);
  g_auto (Promise) promise = { FALSE, NULL, NULL };
  guint asked = fake_polkit_count_asked (f->polkit);

  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_HANG);
  client_call_later (owner->owner, RING, "Device", "OpenRegion",
                     g_variant_new ("(ss@a{sv})", "data", "rm", options (NULL)), &promise);
  fake_polkit_wait_asked (f->polkit, asked + 1);
  fake_polkit_announce (f->polkit);
  let_it_act (f);
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked + 1);
  fake_polkit_answer_one (f->polkit, FAKE_POLKIT_YES);
  fake_polkit_wait_asked (f->polkit, asked + 2);
  fake_polkit_set_answer (f->polkit, FAKE_POLKIT_NO);
  wait_until (promise.done);
  g_assert_no_error (promise.error);
  wait_until (count_ends (owner) == 1);
}

static void
test_shutdown (void)
{
  g_autoptr (Fixture) f = serve ("");
  g_autoptr (Owner) owner = owner_new (f);

  open_ring (owner, NULL);
  begin_review (f, 1);
  fixture_stop (f);
  wait_until (ear_heard (owner->ear, "Ended('shutdown',)"));
}

static void
add_tests (void)
{
  g_test_add_func ("/review/what-is-refused-now-ends", test_no);
  g_test_add_func ("/review/what-takes-a-password-now-ends", test_challenge);
  g_test_add_func ("/review/what-is-allowed-stays-and-nobody-is-prompted", test_yes);
  g_test_add_func ("/review/each-distinct-question-is-asked-once-for-a-burst", test_distinct);
  g_test_add_func ("/review/what-a-password-opened-ends-when-it-is-strict", test_password);
  g_test_add_func ("/review/a-password-does-not-outlast-a-no", test_password_refused);
  g_test_add_func ("/review/a-remembered-password-is-not-given", test_remembered);
  g_test_add_func ("/review/one-shot-is-asked-once", test_one_shot);
  g_test_add_func ("/review/a-restarted-polkit-is-asked-again-one-that-is-away-ends-nothing", test_restart);
  g_test_add_func ("/review/no-answer-is-no-answer", test_dies_while_asked);
  g_test_add_func ("/review/an-error-about-one-is-about-one", test_one_error);
  g_test_add_func ("/review/who-leaves-meanwhile-holds-nothing", test_leaves_meanwhile);
  g_test_add_func ("/review/who-comes-and-goes-costs-a-round-in-ten-seconds", test_pause);
  g_test_add_func ("/review/a-change-while-it-is-opened-is-not-missed", test_change_while_opening);
  g_test_add_func ("/review/the-service-may-end-meanwhile", test_shutdown);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
