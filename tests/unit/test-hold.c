/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "objects.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static void
test_gone (void)
{
  int first, second;
  g_auto (Objects) o = objects_set_up (PAGE);
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, PAGE);
  g_autoptr (RegiondHold) one = objects_open (memfd, RWM, &first);
  g_autoptr (RegiondHold) other = objects_open (memfd, RWM, &second);

  g_assert_false (regiond_hold_is_gone (one));
  close (first);
  wait_until (regiond_hold_is_gone (one));
  g_assert_false (regiond_hold_is_gone (other));

  /* The last one is known at once: nobody at all is left. */
  close (second);
  g_assert_true (regiond_hold_is_gone (other));
}

/* Two leases on one object, and one apart. */
typedef struct {
  Objects       objects;
  RegiondMemfd *shared, *another;
  RegiondHold  *one, *other, *apart;
  int           fds[3];
} Three;

static Three
three_set_up (void)
{
  Three self;

  self.objects = objects_set_up (2 * PAGE);
  self.shared = objects_make (&self.objects, PAGE);
  self.another = objects_make (&self.objects, PAGE);
  self.one = objects_open (self.shared, RWM, &self.fds[0]);
  self.other = objects_open (self.shared, RM, &self.fds[1]);
  self.apart = objects_open (self.another, RWM, &self.fds[2]);
  return self;
}

static void
three_clear (Three *self)
{
  for (int i = 0; i < 3; i++)
    close (self->fds[i]);
  g_object_unref (self->one);
  g_object_unref (self->other);
  g_object_unref (self->apart);
  g_object_unref (self->shared);
  g_object_unref (self->another);
  objects_clear (&self->objects);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Three, three_clear)

static void
test_cut (void)
{
  g_auto (Three) t = three_set_up ();

  g_assert_true (regiond_hold_shares_fate (t.one, t.other));
  g_assert_false (regiond_hold_shares_fate (t.one, t.apart));
  g_assert_false (regiond_hold_is_cut (t.one));
  regiond_hold_cut (t.one);
  g_assert_true (regiond_hold_is_cut (t.one));
  g_assert_true (regiond_hold_is_cut (t.other));
  g_assert_true (regiond_memfd_is_retired (t.shared));
  g_assert_false (regiond_hold_is_cut (t.apart));
  g_assert_false (regiond_memfd_is_retired (t.another));
}

static void
on_stirred (gpointer data)
{
  (*(guint *) data)++;
}

static void
test_listen (void)
{
  int first, second;
  g_auto (Objects) o = objects_set_up (PAGE);
  guint stirred = 0, second_stirred = 0;
  g_autoptr (RegiondMemfd) memfd = objects_make (&o, PAGE);
  g_autoptr (RegiondHold) one = objects_open (memfd, RWM, &first);
  g_autoptr (RegiondHold) other = objects_open (memfd, RWM, &second);

  g_assert_true (regiond_hold_listen (one, on_stirred, &stirred, NULL));
  g_assert_true (regiond_hold_listen (other, on_stirred, &second_stirred, NULL));
  close (second);
  wait_until (stirred > 0);
  g_assert_cmpuint (second_stirred, ==, 0);
  stirred = 0;
  close (first);
  wait_until (stirred > 0);
}

/* Descriptions of a memfd are all alike; what is retired shows nothing any more. */
static void
test_shown (void)
{
  g_auto (Three) t = three_set_up ();
  int foreign = memfd_create ("regiond:test", MFD_CLOEXEC);
  RegiondProof proof = objects_show (t.fds[1]);

  g_assert_cmpuint (proof.access, ==, REGIOND_ACCESS_READ);
  g_assert_true (regiond_hold_is_shown (t.one, &proof));
  g_assert_true (regiond_hold_is_shown (t.other, &proof));
  g_assert_false (regiond_hold_is_shown (t.apart, &proof));
  regiond_hold_cut (t.other);
  g_assert_false (regiond_hold_is_shown (t.one, &proof));

  proof = objects_show (foreign);
  g_assert_cmpuint (proof.access, ==, REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE);
  g_assert_false (regiond_hold_is_shown (t.apart, &proof));
  close (foreign);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGIO, SIG_IGN);
  g_test_add_func ("/hold/of-two-it-is-told-which-one-is-gone", test_gone);
  g_test_add_func ("/hold/a-cut-hits-whoever-shares-it-and-nobody-else", test_cut);
  g_test_add_func ("/hold/sharers-have-one-listener", test_listen);
  g_test_add_func ("/hold/shown-is-the-living-object-and-no-other", test_shown);
  return g_test_run ();
}
