/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "mechanisms/bar.h"
#include "objects.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A FIFO stands for the kernel's file of a BAR: it can be polled, and opened anew
 * through /proc/self/fd, which is all that the proof needs. */
typedef struct {
  Objects     objects;
  char       *folder;
  char       *path;
  GObject    *owner;
  RegiondBar *bar;
  guint       stirs;
} Stand;

/* What the owner was asked to claim. */
static RegiondBar *wanted;

static void
on_claim (GObject    *owner,
          RegiondBar *bar)
{
  wanted = bar;
}

static Stand
stand_set_up (void)
{
  RegiondBarSetup setup = { .combined = -1, .claim = on_claim };
  Stand self = { .owner = g_object_new (G_TYPE_OBJECT, NULL) };

  self.objects = objects_set_up (PAGE);
  self.folder = g_dir_make_tmp ("bar-XXXXXX", NULL);
  self.path = g_build_filename (self.folder, "resource2", NULL);
  g_assert_cmpint (mkfifo (self.path, 0600), ==, 0);
  setup.fd = open (self.path, O_RDWR | O_CLOEXEC);
  setup.watch = self.objects.watch;
  setup.owner = self.owner;
  self.bar = regiond_bar_new (&setup);
  wanted = NULL;
  return self;
}

static void
stand_clear (Stand *self)
{
  g_clear_object (&self->bar);
  g_clear_object (&self->owner);
  g_unlink (self->path);
  g_rmdir (self->folder);
  g_free (self->path);
  g_free (self->folder);
  objects_clear (&self->objects);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Stand, stand_clear)

static RegiondHold *
lend (Stand *stand,
      int   *fd)
{
  g_autoptr (GError) error = NULL;
  RegiondWitness witness;
  RegiondHold *hold = regiond_bar_open (stand->bar, RWM, FALSE, &witness, fd, &error);

  g_assert_no_error (error);
  g_assert_cmpint (witness.keyring, !=, 0);
  g_assert_false (regiond_hold_is_gone (hold));
  return hold;
}

static void
on_stirred (gpointer data)
{
  Stand *stand = data;

  stand->stirs++;
}

static void
listen_to (Stand       *stand,
           RegiondHold *hold)
{
  g_autoptr (GError) error = NULL;

  regiond_hold_listen (hold, on_stirred, stand, &error);
  g_assert_no_error (error);
}

static void
test_last_close (void)
{
  int first, second, copy;
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (RegiondHold) one = lend (&stand, &first);
  g_autoptr (RegiondHold) other = lend (&stand, &second);

  listen_to (&stand, one);
  copy = dup (first);
  close (first);
  g_assert_false (regiond_hold_is_gone (one));
  close (copy);
  g_assert_true (regiond_hold_is_gone (one));
  g_assert_false (regiond_hold_is_gone (other));
  g_assert_cmpuint (regiond_bar_count_references (stand.bar), ==, 1);
  wait_until (stand.stirs > 0);
  close (second);
  g_assert_cmpuint (regiond_bar_count_references (stand.bar), ==, 0);
}

static void
send_away (int socket,
           int fd)
{
  union {
    char           space[CMSG_SPACE (sizeof (int))];
    struct cmsghdr align;
  } control = { { 0 } };
  struct iovec vector = { (char *) "x", 1 };
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
  };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof (int));
  memcpy (CMSG_DATA (header), &fd, sizeof fd);
  g_assert_cmpint (sendmsg (socket, &message, 0), ==, 1);
}

static void
test_in_flight (void)
{
  int fd, sockets[2];
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (RegiondHold) hold = lend (&stand, &fd);

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  send_away (sockets[0], fd);
  close (fd);
  g_assert_false (regiond_hold_is_gone (hold));
  close (sockets[0]);
  close (sockets[1]);
  wait_until (regiond_hold_is_gone (hold));
}

static void
test_cut (void)
{
  int first, second, third;
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (RegiondHold) one = lend (&stand, &first);
  g_autoptr (RegiondHold) other = lend (&stand, &second);
  g_autoptr (RegiondHold) later = NULL;

  listen_to (&stand, other);
  regiond_hold_cut (one);
  g_assert_true (wanted == stand.bar);
  g_assert_true (regiond_hold_is_cutting (one));
  g_assert_false (regiond_hold_is_cut (one));
  regiond_bar_set_claimed (stand.bar);
  g_assert_false (regiond_hold_is_cutting (one));
  g_assert_true (regiond_hold_is_cut (one) && regiond_hold_is_cut (other));
  g_assert_true (regiond_hold_is_stale (one));
  wait_until (stand.stirs > 0);

  /* What is lent once the claim has been let go is another matter. */
  regiond_bar_set_free (stand.bar);
  later = lend (&stand, &third);
  g_assert_true (regiond_hold_is_cut (one));
  g_assert_false (regiond_hold_is_cut (later) || regiond_hold_is_stale (later));
  close (first);
  close (second);
  close (third);
}

static void
test_failed_cut (void)
{
  int fd;
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (RegiondHold) hold = lend (&stand, &fd);

  listen_to (&stand, hold);
  regiond_hold_cut (hold);
  regiond_bar_set_failed (stand.bar);
  g_assert_false (regiond_hold_is_cutting (hold) || regiond_hold_is_cut (hold));
  wait_until (stand.stirs > 0);
  close (fd);
}

/* Others go on having theirs. */
static void
test_closed_before_it_is_cut (void)
{
  int first, second;
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (RegiondHold) one = lend (&stand, &first);
  g_autoptr (RegiondHold) other = lend (&stand, &second);

  listen_to (&stand, one);
  regiond_hold_cut (one);
  g_assert_false (regiond_bar_spare (stand.bar));
  g_assert_true (regiond_hold_is_cutting (one));
  close (first);
  wait_until (stand.stirs > 0);
  stand.stirs = 0;
  g_assert_true (regiond_bar_spare (stand.bar));
  g_assert_false (regiond_hold_is_cutting (other) || regiond_hold_is_cut (other));
  wait_until (stand.stirs > 0);

  /* It is to be cut for the other one, when he is to lose it. */
  wanted = NULL;
  regiond_hold_cut (other);
  g_assert_true (wanted == stand.bar);
  g_assert_false (regiond_bar_spare (stand.bar));
  close (second);
}

/* The device may be off the bus long before a hold of it is let go of. */
static void
test_no_owner (void)
{
  int fd;
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (RegiondHold) hold = lend (&stand, &fd);

  g_clear_object (&stand.owner);
  regiond_bar_close (stand.bar);
  regiond_hold_cut (hold);
  g_assert_null (wanted);
  g_assert_false (regiond_hold_is_cutting (hold));
  close (fd);
  g_assert_true (regiond_hold_is_gone (hold));
}

static void
test_no_write_combining (void)
{
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (GError) error = NULL;
  RegiondWitness witness;
  int fd;

  g_assert_null (regiond_bar_open (stand.bar, RWM, TRUE, &witness, &fd, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED);
}

static void
test_read_only (void)
{
  RegiondWitness witness;
  int fd;
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (RegiondHold) hold = regiond_bar_open (stand.bar, RM, FALSE, &witness, &fd, NULL);

  g_assert_cmpint (fcntl (fd, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
  close (fd);
}

/* The kernel tells descriptions of the file from one another: opened by its path it proves nothing. */
static void
test_shown (void)
{
  int first, second, opened;
  g_auto (Stand) stand = stand_set_up ();
  g_autoptr (RegiondHold) one = lend (&stand, &first);
  g_autoptr (RegiondHold) other = lend (&stand, &second);
  int copy = dup (first);
  RegiondProof proof;

  close (first);
  proof = objects_show (copy);
  g_assert_true (regiond_hold_is_shown (one, &proof));
  g_assert_false (regiond_hold_is_shown (other, &proof));

  opened = open (stand.path, O_RDWR | O_CLOEXEC);
  proof = objects_show (opened);
  g_assert_false (regiond_hold_is_shown (one, &proof));
  g_assert_false (regiond_hold_is_shown (other, &proof));
  close (copy);
  close (second);
  close (opened);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bar/last-close-is-told-from-anothers", test_last_close);
  g_test_add_func ("/bar/unread-message-keeps-it-alive", test_in_flight);
  g_test_add_func ("/bar/claim-cuts-all-that-was-lent", test_cut);
  g_test_add_func ("/bar/cut-that-cannot-be-made-is-told", test_failed_cut);
  g_test_add_func ("/bar/closed-before-it-is-cut-costs-nobody-else", test_closed_before_it_is_cut);
  g_test_add_func ("/bar/closed-bar-still-proves", test_no_owner);
  g_test_add_func ("/bar/without-write-combining-it-says-so", test_no_write_combining);
  g_test_add_func ("/bar/read-only-is-read-only", test_read_only);
  g_test_add_func ("/bar/shown-is-what-was-lent-and-not-the-file", test_shown);
  return g_test_run ();
}
