/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "watch.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  int   fd;
  int   id;
  guint woken;
} Watched;

static void
on_woken (gpointer data)
{
  ((Watched *) data)->woken++;
}

static void
watched_init (Watched      *self,
              RegiondWatch *watch)
{
  g_autoptr (GError) error = NULL;

  self->fd = memfd_create ("watched", MFD_CLOEXEC);
  self->woken = 0;
  self->id = regiond_watch_add (watch, self->fd, on_woken, self, &error);
  g_assert_no_error (error);
  g_assert_cmpint (self->id, >=, 0);
}

/* Somebody opens and closes the file. */
static void
stir (Watched *self)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", self->fd);
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
}

static void
test_close (void)
{
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  Watched one, other;

  watched_init (&one, watch);
  watched_init (&other, watch);
  stir (&one);
  wait_until (one.woken > 0);
  g_assert_cmpuint (other.woken, ==, 0);
  close (one.fd);
  close (other.fd);
}

static void
test_merged (void)
{
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  Watched one, last;

  watched_init (&one, watch);
  watched_init (&last, watch);
  for (int i = 0; i < 100; i++)
    stir (&one);
  stir (&last);
  wait_until (last.woken > 0);
  g_assert_cmpuint (one.woken, >, 0);
  g_assert_cmpuint (one.woken, <, 100);
  close (one.fd);
  close (last.fd);
}

static void
test_again (void)
{
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  Watched one;

  watched_init (&one, watch);
  for (guint i = 0; i < 3; i++)
    {
      guint before = one.woken;

      stir (&one);
      wait_until (one.woken > before);
    }
  close (one.fd);
}

static void
test_removed (void)
{
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  Watched removed, last;

  watched_init (&removed, watch);
  watched_init (&last, watch);
  stir (&removed);
  stir (&last);
  regiond_watch_remove (watch, removed.id);
  wait_until (last.woken > 0);
  g_assert_cmpuint (removed.woken, ==, 0);
  close (removed.fd);
  close (last.fd);
}

/* A device that was given back and bound again has the same files. */
static void
test_shared (void)
{
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  Watched former, next;

  watched_init (&former, watch);
  next.fd = dup (former.fd);
  next.woken = 0;
  next.id = regiond_watch_add (watch, next.fd, on_woken, &next, NULL);
  g_assert_cmpint (next.id, >=, 0);
  stir (&next);
  wait_until (former.woken > 0 && next.woken > 0);
  regiond_watch_remove (watch, former.id);
  former.woken = next.woken = 0;
  stir (&next);
  wait_until (next.woken > 0);
  g_assert_cmpuint (former.woken, ==, 0);
  close (former.fd);
  close (next.fd);
}

static guint
get_queue_length (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/sys/fs/inotify/max_queued_events", &text, NULL, NULL));
  return g_ascii_strtoull (text, NULL, 10);
}

/* An open file on a file system that is mounted nowhere: it goes with it. */
static void
watched_init_alone (Watched      *self,
                    RegiondWatch *watch)
{
  g_autoptr (GError) error = NULL;
  int context = fsopen ("tmpfs", FSOPEN_CLOEXEC);
  int mount;

  g_assert_cmpint (fsconfig (context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), ==, 0);
  mount = fsmount (context, FSMOUNT_CLOEXEC, 0);
  self->fd = openat (mount, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  self->woken = 0;
  self->id = regiond_watch_add_unmount (watch, self->fd, on_woken, self, &error);
  g_assert_no_error (error);
  close (mount);
  close (context);
}

static void
test_unmount (void)
{
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  Watched alone, beside;

  watched_init_alone (&alone, watch);
  watched_init (&beside, watch);
  stir (&alone);
  stir (&beside);
  wait_until (beside.woken > 0);
  g_assert_cmpuint (alone.woken, ==, 0);
  close (alone.fd);
  wait_until (alone.woken > 0);
  g_assert_cmpuint (alone.woken, ==, 1);
  close (beside.fd);
}

static void
test_overflow (void)
{
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  const guint most = get_queue_length ();
  Watched one, other, lost, unmounted, mounted;
  struct rlimit some, none;
  int free_fd;

  if (most > 200000)
    {
      g_test_skip ("the queue of inotify is very long here");
      return;
    }

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &some), ==, 0);
  none = some;
  watched_init (&one, watch);
  watched_init (&other, watch);
  watched_init (&lost, watch);
  watched_init_alone (&unmounted, watch);
  watched_init_alone (&mounted, watch);
  for (guint i = 0; i <= most / 2; i++) /* in turns: equal neighbours would merge */
    {
      stir (&one);
      stir (&other);
    }
  stir (&lost);

  /* Without a single fd to be had it cannot be proved. */
  free_fd = dup (lost.fd);
  close (free_fd);
  none.rlim_cur = free_fd;
  g_assert_cmpint (dup2 (lost.fd, unmounted.fd), ==, unmounted.fd);
  setrlimit (RLIMIT_NOFILE, &none);
  wait_until (lost.woken > 0);
  g_assert_cmpuint (unmounted.woken, ==, 0);
  setrlimit (RLIMIT_NOFILE, &some);

  /* What would be a proof is proved anew, and not assumed. */
  wait_until (unmounted.woken > 0);
  g_assert_cmpuint (mounted.woken, ==, 0);
  close (unmounted.fd);
  close (mounted.fd);
  close (one.fd);
  close (other.fd);
  close (lost.fd);
}

static void
test_bad_fd (void)
{
  g_autoptr (RegiondWatch) watch = regiond_watch_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (regiond_watch_add (watch, -1, on_woken, NULL, &error), ==, -1);
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watch/a-close-wakes-who-watches-that-file", test_close);
  g_test_add_func ("/watch/a-hundred-closes-wake-at-least-once", test_merged);
  g_test_add_func ("/watch/it-wakes-every-time", test_again);
  g_test_add_func ("/watch/who-has-been-removed-sleeps-on", test_removed);
  g_test_add_func ("/watch/two-who-watch-one-file-do-not-hinder-each-other", test_shared);
  g_test_add_func ("/watch/an-unmount-wakes-once-and-for-all", test_unmount);
  g_test_add_func ("/watch/an-overflow-wakes-everybody", test_overflow);
  g_test_add_func ("/watch/what-is-no-file-is-refused", test_bad_fd);
  return g_test_run ();
}
