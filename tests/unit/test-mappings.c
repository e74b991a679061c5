/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/mappings.h"
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (64 * 1024)

/* Files of memory stand for those of BARs: what lies beyond the end of one that
 * was cut short is a mapping without pages, as one that was zapped. */
typedef struct {
  int   file;
  pid_t child; /* has the file mapped */
} Held;

typedef void (*Life) (void);

static void
sleep_for_ever (void)
{
  for (;;)
    pause ();
}

static void
run_for_ever (void)
{
  for (volatile guint turns = 0;; turns++)
    ;
}

static gpointer
sleep_in_a_thread (gpointer data)
{
  sleep_for_ever ();
  return NULL;
}

/* The first thread ends, the second one stays. */
static void
leave_a_thread (void)
{
  pthread_t thread;

  pthread_create (&thread, NULL, sleep_in_a_thread, NULL);
  pthread_exit (NULL);
}

static void
live (int  file,
      int  ready,
      Life life)
{
  void *memory = mmap (NULL, SIZE, PROT_READ, MAP_SHARED, file, 0);

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  close (file);
  if (memory == MAP_FAILED || write (ready, "", 1) != 1)
    _exit (1);
  life ();
  _exit (1);
}

static Held
held_set_up (Life life)
{
  int ends[2];
  char byte;
  Held self;

  self.file = memfd_create ("bar", MFD_CLOEXEC);
  g_assert_no_errno (ftruncate (self.file, SIZE));
  g_assert_no_errno (pipe (ends));
  self.child = fork ();
  g_assert_no_errno (self.child);
  if (self.child == 0)
    live (self.file, ends[1], life);
  close (ends[1]);
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 1);
  close (ends[0]);
  return self;
}

static void
held_clear (Held *self)
{
  close (self->file);
  kill (self->child, SIGKILL);
  g_assert_cmpint (waitpid (self->child, NULL, 0), ==, self->child);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Held, held_clear)

static gint64
soon (void)
{
  return g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;
}

static RegiondMappings
look (Held *self)
{
  return regiond_mappings_look (&self->file, 1, soon ());
}

static void
zap (Held *self)
{
  g_assert_no_errno (ftruncate (self->file, 0));
}

static void
test_live (void)
{
  g_auto (Held) held = held_set_up (sleep_for_ever);

  g_assert_cmpint (look (&held), ==, REGIOND_MAPPINGS_LIVE);
}

static void
test_zapped (void)
{
  g_auto (Held) held = held_set_up (sleep_for_ever);

  zap (&held);
  g_assert_cmpint (look (&held), ==, REGIOND_MAPPINGS_NONE);
}

static void
test_unmapped (void)
{
  g_auto (Held) held = held_set_up (sleep_for_ever);
  int other = memfd_create ("other", MFD_CLOEXEC);

  g_assert_cmpint (regiond_mappings_look (&other, 1, soon ()), ==, REGIOND_MAPPINGS_NONE);
  close (other);
}

/* Who runs may move his mapping while it is being looked for. */
static void
test_running (void)
{
  g_auto (Held) held = held_set_up (run_for_ever);

  zap (&held);
  g_assert_cmpint (look (&held), ==, REGIOND_MAPPINGS_UNKNOWN);
}

static gboolean
first_thread_has_ended (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *stat = NULL;

  return g_file_get_contents (path, &stat, NULL, NULL) && strstr (stat, ") Z ") != NULL;
}

static void
test_thread_that_stays (void)
{
  g_auto (Held) held = held_set_up (leave_a_thread);

  wait_until (first_thread_has_ended (held.child));
  g_assert_cmpint (look (&held), ==, REGIOND_MAPPINGS_LIVE);
  zap (&held);
  g_assert_cmpint (look (&held), ==, REGIOND_MAPPINGS_NONE);
}

static void
test_second_file (void)
{
  g_auto (Held) zapped = held_set_up (sleep_for_ever);
  g_auto (Held) held = { 0 };

  zap (&zapped);
  held = held_set_up (sleep_for_ever);
  g_assert_cmpint (regiond_mappings_look ((int[]){ zapped.file, held.file }, 2, soon ()), ==, REGIOND_MAPPINGS_LIVE);
}

/* Somebody who can make whoever reads of his mappings wait without end. */
static void
test_held_up (void)
{
  g_autofree char *folder = g_dir_make_tmp ("regiond-XXXXXX", NULL);
  g_autofree char *pipe = g_build_filename (folder, "pipe", NULL);
  g_auto (Held) held = held_set_up (sleep_for_ever);
  gint64 start = g_get_monotonic_time ();
  g_autofree char *maps = g_strdup_printf ("/proc/%d/maps", held.child);
  int writer;

  g_assert_no_errno (mkfifo (pipe, 0600));
  g_assert_no_errno (mount (pipe, maps, NULL, MS_BIND, NULL));
  g_assert_cmpint (regiond_mappings_look (&held.file, 1, start + G_TIME_SPAN_SECOND / 5), ==, REGIOND_MAPPINGS_UNKNOWN);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 10 * G_TIME_SPAN_SECOND);

  /* The one that still waits has come back with nothing, and looks no further. */
  writer = open (pipe, O_WRONLY | O_CLOEXEC);
  g_assert_no_errno (writer);
  close (writer);
  g_assert_no_errno (umount2 (maps, MNT_DETACH));
  g_assert_no_errno (unlink (pipe));
  g_assert_no_errno (rmdir (folder));
}

/* Waits for the one child, and hands on how it ended. */
static int
wait_for_child (pid_t child)
{
  int status;

  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  return WIFEXITED (status) ? WEXITSTATUS (status) : 1;
}

/* Somebody else's processes cannot be looked into. */
static void
test_not_permitted (void)
{
  g_auto (Held) held = held_set_up (sleep_for_ever);
  pid_t child;

  if ((child = fork ()) == 0)
    _exit (setresuid (65534, 65534, 65534) == 0 && look (&held) == REGIOND_MAPPINGS_UNKNOWN ? 0 : 1);
  g_assert_cmpint (wait_for_child (child), ==, 0);
}

static void
test_nothing_asked (void)
{
  g_assert_cmpint (regiond_mappings_look (NULL, 0, soon ()), ==, REGIOND_MAPPINGS_UNKNOWN);
}

static void
add_tests (void)
{
  g_test_add_func ("/mappings/one-that-has-its-pages-is-seen", test_live);
  g_test_add_func ("/mappings/what-was-zapped-is-not", test_zapped);
  g_test_add_func ("/mappings/another-file-is-not", test_unmapped);
  g_test_add_func ("/mappings/who-asks-for-nothing-is-told-nothing", test_nothing_asked);
  g_test_add_func ("/mappings/a-holder-that-runs-cannot-be-told", test_running);
  g_test_add_func ("/mappings/a-thread-that-outlives-the-first-is-seen", test_thread_that_stays);
  g_test_add_func ("/mappings/any-of-several-files-counts", test_second_file);
  g_test_add_func ("/mappings/nobody-can-hold-up-who-looks", test_held_up);
  g_test_add_func ("/mappings/without-permission-it-cannot-be-told", test_not_permitted);
}

/* Processes that nobody may look into, as a sandbox has around it, would make
 * every answer UNKNOWN: so among processes of the test's own. */
static gboolean
enter_own_processes (int *status)
{
  pid_t child;

  if (unshare (CLONE_NEWPID | CLONE_NEWNS) < 0)
    {
      *status = 77;
      return FALSE;
    }
  for (int generation = 0; generation < 2; generation++)
    {
      if ((child = fork ()) != 0)
        {
          *status = wait_for_child (child);
          return FALSE;
        }
    }
  g_assert_no_errno (mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  g_assert_no_errno (mount ("proc", "/proc", "proc", 0, NULL));
  return TRUE;
}

int
main (int   argc,
      char *argv[])
{
  int status;

  /* Who has new process numbers for its children can make no thread any more, and
   * LeakSanitizer needs one at the exit. */
  if (!enter_own_processes (&status))
    _exit (status);
  return fixture_main (argc, argv, add_tests);
}
