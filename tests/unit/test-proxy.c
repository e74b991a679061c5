/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "fixture.h"
#include "objects.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define R REGIOND_ACCESS_READ
#define W REGIOND_ACCESS_WRITE
#define SIZE 64
#define HOLDER 4242 /* a uid that is nobody's */

/* That @call fails with @wanted. */
#define assert_errno(call, wanted) \
  G_STMT_START \
  { \
    errno = 0; \
    g_assert_cmpint ((gintptr) (call), ==, -1); \
    g_assert_cmpint (errno, ==, wanted); \
  } \
  G_STMT_END

/* Registers of four bytes that take their time: each access waits until the
 * gate is open. */
#define TYPE_REGISTERS (registers_get_type ())
G_DECLARE_FINAL_TYPE (Registers, registers, TEST, REGISTERS, GObject)

struct _Registers {
  GObject  parent_instance;
  GMutex   lock;
  GCond    changed;
  gboolean open;
  guint    begun, done;
  guint64  offset; /* of the last access */
  gsize    width;
  guint8   bytes[SIZE];
};

static void registers_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (Registers, registers, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, registers_source_init))

static void
registers_class_init (RegistersClass *klass)
{
}

static void
registers_init (Registers *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->open = TRUE;
  for (guint i = 0; i < SIZE; i++)
    self->bytes[i] = i;
}

static int
reach (Registers *self,
       guint64    offset,
       gsize      width,
       guint8    *to,
       const guint8 *from)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->begun++;
  g_cond_broadcast (&self->changed);
  while (!self->open)
    g_cond_wait (&self->changed, &self->lock);

  self->done++;
  self->offset = offset;
  self->width = width;
  if (width > 8)
    return EINVAL;
  memcpy (to != NULL ? to : &self->bytes[offset], to != NULL ? &self->bytes[offset] : from, width);
  return 0;
}

static int
registers_read (RegiondSource *source,
                guint64        offset,
                gsize          width,
                gpointer       buffer,
                const guint8 **bytes)
{
  *bytes = buffer;
  return reach (TEST_REGISTERS (source), offset, width, buffer, NULL);
}

static int
registers_write (RegiondSource *source,
                 guint64        offset,
                 gsize          width,
                 const guint8  *bytes)
{
  return reach (TEST_REGISTERS (source), offset, width, NULL, bytes);
}

static gboolean
registers_are_retired (RegiondSource *source)
{
  return FALSE;
}

static void
registers_source_init (RegiondSourceInterface *iface)
{
  iface->is_retired = registers_are_retired;
  iface->read = registers_read;
  iface->write = registers_write;
}

static void
registers_let (Registers *self,
               gboolean   open)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->open = open;
  g_cond_broadcast (&self->changed);
}

static guint
registers_count (Registers *self,
                 guint     *what)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return *what;
}

#define begun(registers) registers_count (registers, &registers->begun)
#define done(registers) registers_count (registers, &registers->done)

/* What each test has. */

typedef struct {
  Objects    objects;
  Registers *registers;
} Proxies;

static void
proxies_init (Proxies *self)
{
  objects_init (&self->objects, PAGE);
  self->registers = g_object_new (TYPE_REGISTERS, NULL);
}

/* Nothing may be left: not the hold, not the source. */
static void
proxies_clear (Proxies *self)
{
  wait_until (G_OBJECT (self->registers)->ref_count == 1);
  g_object_unref (self->registers);
  objects_clear (&self->objects);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Proxies, proxies_clear)

static RegiondHold *
open_part (Proxies      *p,
           RegiondAccess access,
           guint64       offset,
           guint64       length,
           int          *fd)
{
  RegiondProxyTerms terms = { REGIOND_SOURCE (p->registers), offset, length, access, HOLDER };
  g_autoptr (GError) error = NULL;
  RegiondHold *hold = regiond_proxy_open (p->objects.server, p->objects.watch, &terms, fd, &error);

  g_assert_no_error (error);
  return hold;
}

static RegiondHold *
open_all (Proxies      *p,
          RegiondAccess access,
          int          *fd)
{
  return open_part (p, access, 0, SIZE, fd);
}

static void
finish (RegiondHold **hold,
        int           fd)
{
  close (fd);
  wait_until (regiond_hold_is_gone (*hold));

  /* And then nothing keeps it. */
  g_object_add_weak_pointer (G_OBJECT (*hold), (gpointer *) hold);
  g_object_unref (*hold);
  wait_until (*hold == NULL);
}

/* A process of the holder's; what @act returns is its exit status. It has the
 * file and not, as a child would, the server's end of it. */
typedef int (*Act) (int fd);

static pid_t
start_holder (Act act,
              int fd)
{
  pid_t pid = fork ();

  if (pid == 0)
    {
      if (dup2 (fd, 3) != 3 || close_range (4, ~0U, 0) != 0 || setgid (HOLDER) != 0 || setuid (HOLDER) != 0)
        _exit (99);
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      _exit (act (3));
    }
  g_assert_cmpint (pid, >, 0);
  return pid;
}

static gboolean
has_ended (pid_t pid,
           int  *status)
{
  return waitpid (pid, status, WNOHANG) == pid;
}

static int
run_holder (Act act,
            int fd)
{
  pid_t pid = start_holder (act, fd);
  int status;

  wait_until (has_ended (pid, &status));
  return status;
}

static void
test_file (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  guint8 bytes[4];
  struct stat facts;
  int fd;

  proxies_init (&p);
  hold = open_all (&p, R | W, &fd);
  g_assert_cmpint (pread (fd, bytes, 4, 8), ==, 4);
  g_assert_cmpmem (bytes, 4, "\x08\x09\x0a\x0b", 4);
  g_assert_cmpint (pwrite (fd, "abcd", 4, 12), ==, 4);
  g_assert_cmpint (lseek (fd, 12, SEEK_SET), ==, 12);
  g_assert_cmpint (read (fd, bytes, 2), ==, 2);
  g_assert_cmpmem (bytes, 2, "ab", 2);
  g_assert_cmpint (lseek (fd, 0, SEEK_CUR), ==, 14);
  g_assert_cmpint (lseek (fd, -4, SEEK_END), ==, SIZE - 4);

  g_assert_cmpint (fstat (fd, &facts), ==, 0);
  g_assert_true (S_ISREG (facts.st_mode));
  g_assert_cmpint (facts.st_mode & 07777, ==, 0600);
  g_assert_cmpint (facts.st_size, ==, SIZE);
  g_assert_cmpint (facts.st_uid, ==, HOLDER);
  g_assert_cmpint (facts.st_nlink, ==, 1);
  finish (&hold, fd);
}

static void
test_part (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  guint8 bytes[8];
  struct stat facts;
  int fd;

  proxies_init (&p);
  hold = open_part (&p, R | W, 17, 5, &fd);
  g_assert_cmpint (fstat (fd, &facts), ==, 0);
  g_assert_cmpint (facts.st_size, ==, 5);
  g_assert_cmpint (pread (fd, bytes, 2, 0), ==, 2);
  g_assert_cmpmem (bytes, 2, "\x11\x12", 2);

  /* Across the end it is short, and no neighbour's byte. */
  g_assert_cmpint (pread (fd, bytes, 8, 3), ==, 2);
  g_assert_cmpmem (bytes, 2, "\x14\x15", 2);
  g_assert_cmpint (pread (fd, bytes, 8, 5), ==, 0);
  g_assert_cmpint (pread (fd, bytes, 8, 500), ==, 0);
  g_assert_cmpint (pwrite (fd, "xyz", 3, 4), ==, 1);
  g_assert_cmpint (p.registers->bytes[21], ==, 'x');
  g_assert_cmpint (p.registers->bytes[22], ==, 22);
  assert_errno (pwrite (fd, "xyz", 3, 5), ENOSPC);
  assert_errno (pwrite (fd, "xyz", 3, G_MAXINT64 - 3), ENOSPC);
  finish (&hold, fd);
}

static void
test_width (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  guint8 bytes[SIZE];
  int fd;

  proxies_init (&p);
  hold = open_all (&p, R | W, &fd);
  for (gsize width = 1; width <= 8; width++)
    {
      g_assert_cmpint (pread (fd, bytes, width, 5), ==, width);
      g_assert_cmpint (p.registers->width, ==, width);
      g_assert_cmpint (p.registers->offset, ==, 5);
      g_assert_cmpint (pwrite (fd, bytes, width, 21), ==, width);
      g_assert_cmpint (p.registers->width, ==, width);
      g_assert_cmpint (p.registers->offset, ==, 21);
    }
  assert_errno (pread (fd, bytes, 9, 0), EINVAL);
  assert_errno (pwrite (fd, bytes, 9, 0), EINVAL);
  finish (&hold, fd);
}

static void
test_access (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) reader = NULL, writer = NULL;
  char byte = 'x';
  int r, w;

  proxies_init (&p);
  reader = open_all (&p, R, &r);
  writer = open_all (&p, W, &w);
  assert_errno (pwrite (r, &byte, 1, 0), EBADF);
  assert_errno (pread (w, &byte, 1, 0), EBADF);
  g_assert_cmpint (pread (r, &byte, 1, 0), ==, 1);
  g_assert_cmpint (pwrite (w, &byte, 1, 0), ==, 1);
  finish (&reader, r);
  finish (&writer, w);
}

static void
test_nothing_else (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  char value[8];
  int fd;

  proxies_init (&p);
  hold = open_all (&p, R | W, &fd);
  assert_errno (mmap (NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
  assert_errno (mmap (NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), ENODEV);
  assert_errno (ftruncate (fd, 0), EPERM);
  assert_errno (ftruncate (fd, 2 * SIZE), EPERM);
  assert_errno (fallocate (fd, 0, 0, SIZE), EOPNOTSUPP);
  assert_errno (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE), EOPNOTSUPP);
  assert_errno (fchmod (fd, 0666), EPERM);
  assert_errno (fchown (fd, 0, 0), EPERM);
  assert_errno (futimens (fd, NULL), EPERM);
  assert_errno (fsetxattr (fd, "user.a", "b", 1, 0), EOPNOTSUPP);
  assert_errno (fgetxattr (fd, "user.a", value, sizeof value), EOPNOTSUPP);
  assert_errno (ioctl (fd, TIOCGWINSZ, value), ENOTTY);
  assert_errno (fexecve (fd, (char *const[]){ (char *) "x", NULL }, (char *const[]){ NULL }), EACCES);
  g_assert_cmpint (fsync (fd), ==, 0);
  finish (&hold, fd);
}

static int
reopen (int fd,
        int flags)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

  return open (path, flags);
}

/* 0 if the holder of a read-only file can do just what he should. */
static int
reopen_reader (int fd)
{
  char byte;
  int again = reopen (fd, O_RDONLY);

  if (again < 0 || pread (again, &byte, 1, 3) != 1 || byte != 3)
    return 1;
  if (reopen (fd, O_RDWR) >= 0 || errno != EACCES)
    return 2;
  if (reopen (fd, O_WRONLY) >= 0 || errno != EACCES)
    return 3;
  return fchmod (fd, 0600) == 0 || errno != EPERM ? 4 : 0;
}

static int
reopen_writer (int fd)
{
  if (reopen (fd, O_RDWR) < 0 || reopen (fd, O_RDONLY) < 0)
    return 1;
  return reopen (fd, O_WRONLY | O_TRUNC) >= 0 || errno != EPERM ? 2 : 0;
}

static int
reopen_stranger (int fd)
{
  return setuid (HOLDER + 1) != 0 && reopen (fd, O_RDONLY) >= 0 ? 0 : 1;
}

static void
test_reopen (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) reader = NULL, both = NULL;
  int r, rw;

  proxies_init (&p);
  reader = open_all (&p, R, &r);
  both = open_all (&p, R | W, &rw);
  g_assert_cmpint (run_holder (reopen_reader, r), ==, 0);
  g_assert_cmpint (run_holder (reopen_writer, rw), ==, 0);
  g_assert_cmpint (run_holder (reopen_stranger, rw), ==, 0);

  /* Root passes the mode by, and gets no more all the same. */
  assert_errno (reopen (r, O_RDWR), EACCES);
  finish (&reader, r);
  finish (&both, rw);
}

static void
test_last_close (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  char byte;
  int fd, copy, again, path;

  proxies_init (&p);
  hold = open_all (&p, R, &fd);
  copy = dup (fd);
  again = reopen (fd, O_RDONLY);
  path = reopen (fd, O_PATH);
  close (fd);
  close (copy);
  g_assert_cmpint (pread (again, &byte, 1, 1), ==, 1);
  g_assert_false (regiond_hold_is_gone (hold));

  /* An O_PATH fd is no way back in. */
  close (again);
  wait_until (regiond_hold_is_gone (hold));
  assert_errno (reopen (path, O_RDONLY), ENOTCONN);
  close (path);
}

static void
test_cut (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL, other = NULL;
  char byte;
  int fd, copy, again, untouched;

  proxies_init (&p);
  hold = open_all (&p, R | W, &fd);
  other = open_all (&p, R | W, &untouched);
  copy = dup (fd);
  again = reopen (fd, O_RDWR);
  g_assert_false (regiond_hold_shares_fate (hold, other));
  regiond_hold_cut (hold);
  g_assert_true (regiond_hold_is_cut (hold));
  g_assert_true (regiond_hold_is_gone (hold));
  assert_errno (pread (fd, &byte, 1, 0), ENOTCONN);
  assert_errno (pread (copy, &byte, 1, 0), ENOTCONN);
  assert_errno (pwrite (again, "x", 1, 0), ENOTCONN);
  assert_errno (reopen (fd, O_RDONLY), ENOTCONN);
  g_assert_cmpint (p.registers->bytes[0], ==, 0);
  g_assert_cmpint (pread (untouched, &byte, 1, 0), ==, 1);
  close (copy);
  close (again);
  finish (&hold, fd);
  finish (&other, untouched);
}

static int
read_once (int fd)
{
  char byte;

  return pread (fd, &byte, 1, 0) == 1 ? 0 : errno;
}

static void
test_cut_under_way (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  int fd, status;
  pid_t pid;

  proxies_init (&p);
  hold = open_all (&p, R, &fd);
  registers_let (p.registers, FALSE);
  pid = start_holder (read_once, fd);
  wait_until (begun (p.registers) == 1);

  /* The holder hears of it at once; the device is not idle before the access
   * has come back. */
  regiond_hold_cut (hold);
  wait_until (has_ended (pid, &status));
  g_assert_cmpint (WEXITSTATUS (status), ==, ECONNABORTED);
  g_assert_false (regiond_hold_is_gone (hold));
  registers_let (p.registers, TRUE);
  wait_until (regiond_hold_is_gone (hold));
  close (fd);
}

static void
test_killed (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  pid_t pids[3];
  int fd, status;

  proxies_init (&p);
  hold = open_all (&p, R, &fd);
  registers_let (p.registers, FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (pids); i++)
    pids[i] = start_holder (read_once, fd);
  wait_until (begun (p.registers) == 1);

  /* One is at it and two wait: the kernel lets none of them go unanswered. */
  for (gsize i = 0; i < G_N_ELEMENTS (pids); i++)
    {
      kill (pids[i], SIGKILL);
      wait_until (has_ended (pids[i], &status));
      g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);
    }
  g_assert_false (regiond_hold_is_gone (hold));
  registers_let (p.registers, TRUE);
  finish (&hold, fd);
  g_assert_cmpuint (begun (p.registers), <=, 3);
}

static void
on_alarm (int signal)
{
}

/* Interrupted soon after it has begun. */
static int
read_interrupted (int fd)
{
  const struct itimerval soon = { .it_value.tv_usec = 20 * 1000 };
  const struct sigaction action = { .sa_handler = on_alarm };

  sigaction (SIGALRM, &action, NULL);
  setitimer (ITIMER_REAL, &soon, NULL);
  return read_once (fd);
}

static void
test_interrupted (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  int fd, status;
  pid_t pid;

  proxies_init (&p);
  hold = open_all (&p, R, &fd);
  registers_let (p.registers, FALSE);
  pid = start_holder (read_interrupted, fd);
  wait_until (has_ended (pid, &status));
  g_assert_cmpint (WEXITSTATUS (status), ==, EINTR);
  g_assert_cmpuint (done (p.registers), ==, 0);
  registers_let (p.registers, TRUE);
  finish (&hold, fd);
}

static void
test_slow (void)
{
  g_auto (Proxies) p;
  g_autoptr (Registers) slow = g_object_new (TYPE_REGISTERS, NULL);
  g_autoptr (RegiondHold) hold = NULL, quick = NULL;
  RegiondProxyTerms terms = { REGIOND_SOURCE (slow), 0, SIZE, R, HOLDER };
  int fd, stuck;
  char byte;
  pid_t pid;

  proxies_init (&p);
  registers_let (slow, FALSE);
  hold = regiond_proxy_open (p.objects.server, p.objects.watch, &terms, &stuck, NULL);
  quick = open_all (&p, R, &fd);
  pid = start_holder (read_once, stuck);
  wait_until (begun (slow) == 1);
  for (int i = 0; i < 100; i++)
    g_assert_cmpint (pread (fd, &byte, 1, 1), ==, 1);
  g_assert_cmpuint (done (slow), ==, 0);
  registers_let (slow, TRUE);
  wait_until (has_ended (pid, NULL));
  finish (&quick, fd);
  finish (&hold, stuck);
}

static guint
count_threads (void)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (tasks) != NULL)
    n++;
  return n;
}

static void
test_idle (void)
{
  g_auto (Proxies) p;
  RegiondHold *holds[50];
  int fds[50];
  guint before;

  proxies_init (&p);
  holds[0] = open_all (&p, R, &fds[0]);
  before = count_threads ();
  for (gsize i = 1; i < G_N_ELEMENTS (holds); i++)
    holds[i] = open_all (&p, R, &fds[i]);
  g_assert_cmpuint (count_threads (), <=, before);
  for (gsize i = 0; i < G_N_ELEMENTS (holds); i++)
    finish (&holds[i], fds[i]);
}

static void
on_stirred (gpointer data)
{
  *(guint *) data += 1;
}

static void
test_told (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondHold) hold = NULL;
  guint told = 0;
  int fd;

  proxies_init (&p);
  hold = open_all (&p, R, &fd);
  g_assert_true (regiond_hold_listen (hold, on_stirred, &told, NULL));
  fixture_turn ();
  g_assert_cmpuint (told, ==, 0);
  close (fd);
  wait_until (told > 0);
  g_assert_true (regiond_hold_is_gone (hold));
}

static void
test_kept (void)
{
  g_auto (Proxies) p;
  RegiondHold *hold;
  int fd;

  proxies_init (&p);
  hold = open_all (&p, R, &fd);
  g_object_add_weak_pointer (G_OBJECT (hold), (gpointer *) &hold);
  regiond_hold_cut (hold);
  g_object_unref (hold);
  g_assert_nonnull (hold);
  fixture_turn ();
  g_assert_nonnull (hold);
  close (fd);
  wait_until (hold == NULL);
}

static void
test_memory (void)
{
  g_auto (Proxies) p;
  g_autoptr (RegiondMemfd) memfd = NULL;
  g_autoptr (RegiondHold) mapped = NULL, proxied = NULL;
  RegiondProxyTerms terms = { .length = PAGE, .access = R | W, .uid = HOLDER };
  char byte, *page;
  int map, fd;

  proxies_init (&p);
  memfd = objects_make (&p.objects, PAGE);
  terms.source = REGIOND_SOURCE (memfd);
  mapped = objects_open (memfd, RWM, &map);
  proxied = regiond_proxy_open (p.objects.server, p.objects.watch, &terms, &fd, NULL);
  page = mmap (NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  page[PAGE - 1] = 'm';
  g_assert_cmpint (pread (fd, &byte, 1, PAGE - 1), ==, 1);
  g_assert_cmpint (byte, ==, 'm');
  g_assert_cmpint (pwrite (fd, "p", 1, 0), ==, 1);
  g_assert_cmpint (page[0], ==, 'p');

  /* Cutting the proxied one hurts nobody, cutting the memory takes both; and
   * regiond's own access is no reference to it. */
  g_assert_true (regiond_hold_shares_fate (mapped, proxied));
  g_assert_false (regiond_hold_shares_fate (proxied, mapped));
  g_assert_false (regiond_hold_is_stale (proxied));
  munmap (page, PAGE);
  close (map);
  g_assert_true (regiond_memfd_is_free (memfd));
  regiond_memfd_retire (memfd);
  g_assert_true (regiond_hold_is_stale (proxied));
  finish (&proxied, fd);
  g_clear_object (&mapped);
  g_clear_object (&memfd);
}

#define MANY 2000

static void
test_many (void)
{
  g_auto (Proxies) p;
  g_autofree RegiondHold **holds = g_new0 (RegiondHold *, MANY);
  g_autofree int *fds = g_new (int, MANY);
  RegiondProxyTerms terms = { .length = SIZE, .access = R };
  struct rlimit files = { 2 * MANY + 100, 2 * MANY + 100 };
  g_autoptr (GError) error = NULL;
  guint n = 0;
  char byte;

  proxies_init (&p);
  terms.source = REGIOND_SOURCE (p.registers);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &files), ==, 0);
  while (n < MANY &&
         (holds[n] = regiond_proxy_open (p.objects.server, p.objects.watch, &terms, &fds[n], &error)) != NULL)
    n++;
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpuint (n, >, 500);

  /* The others notice nothing, and who ends makes room. */
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (pread (fds[i], &byte, 1, 0), ==, 1);
  finish (&holds[0], fds[0]);
  g_clear_error (&error);
  holds[0] = regiond_proxy_open (p.objects.server, p.objects.watch, &terms, &fds[0], &error);
  g_assert_no_error (error);
  for (guint i = 0; i < n; i++)
    finish (&holds[i], fds[i]);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/proxy/it-reads-and-writes-like-a-file", test_file);
  g_test_add_func ("/proxy/a-part-ends-where-it-ends", test_part);
  g_test_add_func ("/proxy/widths-arrive-as-they-are", test_width);
  g_test_add_func ("/proxy/a-reader-cannot-write", test_access);
  g_test_add_func ("/proxy/a-region-is-read-and-written-and-nothing-else", test_nothing_else);
  g_test_add_func ("/proxy/its-holder-opens-it-again-with-no-more-access", test_reopen);
  g_test_add_func ("/proxy/the-last-close-ends-it", test_last_close);
  g_test_add_func ("/proxy/a-cut-takes-every-copy", test_cut);
  g_test_add_func ("/proxy/a-cut-ends-the-access-under-way", test_cut_under_way);
  g_test_add_func ("/proxy/a-client-killed-at-an-access-is-gone", test_killed);
  g_test_add_func ("/proxy/an-interrupted-access-comes-back", test_interrupted);
  g_test_add_func ("/proxy/one-slow-region-stops-no-other", test_slow);
  g_test_add_func ("/proxy/idle-leases-cost-no-thread", test_idle);
  g_test_add_func ("/proxy/the-end-is-told", test_told);
  g_test_add_func ("/proxy/what-is-open-is-kept-until-it-is-closed", test_kept);
  g_test_add_func ("/proxy/one-too-many-is-refused", test_many);
  g_test_add_func ("/proxy/memory-is-shared-with-those-who-map-it", test_memory);
  return g_test_run ();
}
