/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "mechanisms/server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client of the server: what it reads is one letter at a time, and '!' takes
 * its time. */
#define TYPE_ECHO (echo_get_type ())
G_DECLARE_FINAL_TYPE (Echo, echo, TEST, ECHO, GObject)

struct _Echo {
  GObject  parent_instance;
  int      ends[2]; /* the server's and the test's */
  guint64  number;
  GMutex   lock;
  GCond    changed;
  gboolean stuck;
  gboolean handed_over;
};

G_DEFINE_TYPE (Echo, echo, G_TYPE_OBJECT)

static void
echo_finalize (GObject *object)
{
  close (TEST_ECHO (object)->ends[0]);
  close (TEST_ECHO (object)->ends[1]);
  G_OBJECT_CLASS (echo_parent_class)->finalize (object);
}

static void
echo_class_init (EchoClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = echo_finalize;
}

static void
echo_init (Echo *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, self->ends), ==, 0);
}

static void
wait_unstuck (Echo *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->stuck = TRUE;
  while (self->stuck)
    g_cond_wait (&self->changed, &self->lock);
}

static void
serve (gpointer             client,
       RegiondServerThread *thread)
{
  Echo *self = client;
  char letter;

  if (read (self->ends[0], &letter, 1) != 1)
    return;
  if (letter == '!')
    {
      self->handed_over = regiond_server_hand_over (thread);
      wait_unstuck (self);
    }
  g_assert_cmpint (write (self->ends[0], &letter, 1), ==, 1);
}

static Echo *
add (RegiondServer *server)
{
  Echo *echo = g_object_new (TYPE_ECHO, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_server_add (server, echo->ends[0], G_OBJECT (echo), &echo->number, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (echo->number, !=, 0);
  return echo;
}

static void
finish (RegiondServer *server,
        Echo          *echo)
{
  regiond_server_cut (server, echo->number, echo->ends[0]);
  wait_until (G_OBJECT (echo)->ref_count == 1);
  g_object_unref (echo);
}

static void
send_letter (Echo *echo,
             char  letter)
{
  g_assert_cmpint (write (echo->ends[1], &letter, 1), ==, 1);
}

static gboolean
has_answer (Echo *echo,
            char  letter)
{
  char answer;

  if (read (echo->ends[1], &answer, 1) != 1)
    return FALSE;
  g_assert_cmpint (answer, ==, letter);
  return TRUE;
}

static gboolean
is_stuck (Echo *echo)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&echo->lock);

  return echo->stuck;
}

static void
let_go (Echo *echo)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&echo->lock);

  echo->stuck = FALSE;
  g_cond_signal (&echo->changed);
}

static void
test_served (void)
{
  g_autoptr (RegiondServer) server = regiond_server_new (serve);
  Echo *one = add (server), *other = add (server);

  g_assert_cmpuint (one->number, !=, other->number);
  send_letter (one, 'a');
  wait_until (has_answer (one, 'a'));
  send_letter (other, 'b');
  wait_until (has_answer (other, 'b'));
  finish (server, one);
  finish (server, other);
  regiond_server_stop (server);
}

static void
test_slow (void)
{
  g_autoptr (RegiondServer) server = regiond_server_new (serve);
  Echo *slow[3], *quick = add (server);

  for (gsize i = 0; i < G_N_ELEMENTS (slow); i++)
    {
      slow[i] = add (server);
      send_letter (slow[i], '!');
      wait_until (is_stuck (slow[i]));
      g_assert_true (slow[i]->handed_over);
    }
  send_letter (quick, 'q');
  wait_until (has_answer (quick, 'q'));
  for (gsize i = 0; i < G_N_ELEMENTS (slow); i++)
    {
      let_go (slow[i]);
      wait_until (has_answer (slow[i], '!'));
      finish (server, slow[i]);
    }
  finish (server, quick);
  regiond_server_stop (server);
}

static void
test_cut (void)
{
  g_autoptr (RegiondServer) server = regiond_server_new (serve);
  Echo *echo = add (server);
  char letter;

  g_assert_true (regiond_server_cut (server, echo->number, echo->ends[0]));
  g_assert_false (regiond_server_cut (server, echo->number, echo->ends[0]));

  /* The connection is closed, its number is not. */
  g_assert_cmpint (read (echo->ends[1], &letter, 1), ==, 0);
  g_assert_cmpint (fcntl (echo->ends[0], F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (read (echo->ends[0], &letter, 1), ==, 0);
  finish (server, echo);
  regiond_server_stop (server);
}

static void
test_refused (void)
{
  g_autoptr (RegiondServer) server = regiond_server_new (serve);
  g_autoptr (Echo) echo = g_object_new (TYPE_ECHO, NULL);
  g_autoptr (GError) error = NULL;

  /* No fd that can be waited for. */
  g_assert_false (regiond_server_add (server, -1, G_OBJECT (echo), &echo->number, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (G_OBJECT (echo)->ref_count, ==, 1);
  regiond_server_stop (server);
}

static void
test_available (void)
{
  g_autoptr (RegiondServer) server = regiond_server_new (serve);
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_server_is_available (server, &error));
  g_assert_no_error (error);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/server/whoever-asks-is-answered", test_served);
  g_test_add_func ("/server/those-who-take-long-stop-nobody", test_slow);
  g_test_add_func ("/server/a-cut-connection-is-closed-for-good", test_cut);
  g_test_add_func ("/server/what-cannot-be-served-is-refused", test_refused);
  g_test_add_func ("/server/fuse-is-there", test_available);
  return g_test_run ();
}
