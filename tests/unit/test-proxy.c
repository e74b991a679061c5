/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "fixture.h"
#include "registers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

static void
test_file (void)
{
  int fd;
  g_auto (Proxies) p = proxies_set_up ();
  struct stat facts;
  g_autoptr (RegiondHold) hold = proxies_open (&p, R | W, &fd);
  guint8 bytes[4];

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
  proxies_finish (&hold, fd);
}

static void
test_part (void)
{
  int fd;
  g_auto (Proxies) p = proxies_set_up ();
  struct stat facts;
  g_autoptr (RegiondHold) hold = proxies_open_part (&p, R | W, 17, 5, &fd);
  guint8 bytes[8];

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
  proxies_finish (&hold, fd);
}

static void
test_width (void)
{
  int fd;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) hold = proxies_open (&p, R | W, &fd);
  guint8 bytes[SIZE];

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
  proxies_finish (&hold, fd);
}

static void
test_access (void)
{
  int r, w;
  g_auto (Proxies) p = proxies_set_up ();
  char byte = 'x';
  g_autoptr (RegiondHold) reader = proxies_open (&p, R, &r);
  g_autoptr (RegiondHold) writer = proxies_open (&p, W, &w);

  assert_errno (pwrite (r, &byte, 1, 0), EBADF);
  assert_errno (pread (w, &byte, 1, 0), EBADF);
  g_assert_cmpint (pread (r, &byte, 1, 0), ==, 1);
  g_assert_cmpint (pwrite (w, &byte, 1, 0), ==, 1);
  proxies_finish (&reader, r);
  proxies_finish (&writer, w);
}

static void
test_nothing_else (void)
{
  int fd;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) hold = proxies_open (&p, R | W, &fd);
  char value[8];

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
  proxies_finish (&hold, fd);
}

static void
test_no_pages (void)
{
  int fd, ends[2];
  guint8 byte, *memory;
  g_auto (Proxies) p = proxies_set_up ();
  struct iovec from = { NULL, 1 }, to = { &byte, 1 };
  loff_t start = 0;
  g_autoptr (RegiondHold) hold = proxies_open (&p, R | W, &fd);

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  assert_errno (splice (fd, &start, ends[1], NULL, 4, 0), EINVAL);
  assert_errno (sendfile (ends[1], fd, NULL, 4), EINVAL);

  /* A private mapping is made of pages: there are none. */
  memory = mmap (NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  g_assert_true (memory != MAP_FAILED);
  from.iov_base = memory;
  assert_errno (process_vm_readv (getpid (), &to, 1, &from, 1, 0), EFAULT);
  g_assert_cmpuint (registers_count_begun (p.registers), ==, 0);

  /* With the page cache out of the way it is an access as any other. */
  g_assert_cmpint (fcntl (fd, F_SETFL, O_DIRECT), ==, 0);
  g_assert_cmpint (sendfile (ends[1], fd, &start, 4), ==, 4);
  g_assert_cmpuint (registers_count_begun (p.registers), ==, 1);
  munmap (memory, PAGE);
  close (ends[0]);
  close (ends[1]);
  proxies_finish (&hold, fd);
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
  int r, rw;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) reader = proxies_open (&p, R, &r);
  g_autoptr (RegiondHold) both = proxies_open (&p, R | W, &rw);

  g_assert_cmpint (holder_run (reopen_reader, r), ==, 0);
  g_assert_cmpint (holder_run (reopen_writer, rw), ==, 0);
  g_assert_cmpint (holder_run (reopen_stranger, rw), ==, 0);

  /* Root passes the mode by, and gets no more all the same. */
  assert_errno (reopen (r, O_RDWR), EACCES);
  proxies_finish (&reader, r);
  proxies_finish (&both, rw);
}

static void
test_last_close (void)
{
  int fd;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) hold = proxies_open (&p, R, &fd);
  int copy = dup (fd);
  int again = reopen (fd, O_RDONLY);
  int path = reopen (fd, O_PATH);
  char byte;

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
  int fd, untouched;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) hold = proxies_open (&p, R | W, &fd);
  g_autoptr (RegiondHold) other = proxies_open (&p, R | W, &untouched);
  int copy = dup (fd);
  int again = reopen (fd, O_RDWR);
  char byte;

  g_assert_false (regiond_hold_shares_fate (hold, other));
  regiond_hold_cut (hold);
  g_assert_true (regiond_hold_is_cut (hold));
  g_assert_false (regiond_hold_is_cutting (hold));
  g_assert_true (regiond_hold_is_gone (hold));
  assert_errno (pread (fd, &byte, 1, 0), ENOTCONN);
  assert_errno (pread (copy, &byte, 1, 0), ENOTCONN);
  assert_errno (pwrite (again, "x", 1, 0), ENOTCONN);
  assert_errno (reopen (fd, O_RDONLY), ENOTCONN);
  g_assert_cmpint (p.registers->bytes[0], ==, 0);
  g_assert_cmpint (pread (untouched, &byte, 1, 0), ==, 1);
  close (copy);
  close (again);
  proxies_finish (&hold, fd);
  proxies_finish (&other, untouched);
}

static void
on_stirred (gpointer data)
{
  *(guint *) data += 1;
}

static void
test_told (void)
{
  int fd;
  g_auto (Proxies) p = proxies_set_up ();
  guint told = 0;
  g_autoptr (RegiondHold) hold = proxies_open (&p, R, &fd);

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
  int fd;
  g_auto (Proxies) p = proxies_set_up ();
  RegiondHold *hold = proxies_open (&p, R, &fd);

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
  g_auto (Proxies) p = proxies_set_up ();
  RegiondProxyTerms terms = { .length = PAGE, .access = R | W, .uid = HOLDER };
  g_autoptr (RegiondMemfd) memfd = objects_make (&p.objects, PAGE);
  g_autoptr (RegiondHold) mapped = NULL, proxied = NULL;
  char byte, *page;
  int map, fd;

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
  proxies_finish (&proxied, fd);
  g_clear_object (&mapped);
  g_clear_object (&memfd);
}

#define MANY 2000

static void
test_many (void)
{
  g_auto (Proxies) p = proxies_set_up ();
  g_autofree RegiondHold **holds = g_new0 (RegiondHold *, MANY);
  g_autofree int *fds = g_new (int, MANY);
  RegiondProxyTerms terms = { .length = SIZE, .access = R };
  struct rlimit files = { 2 * MANY + 100, 2 * MANY + 100 };
  guint n = 0;
  g_autoptr (GError) error = NULL;
  RegiondHold *other;
  char byte;
  int fd;

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
  proxies_finish (&holds[0], fds[0]);
  g_clear_error (&error);
  holds[0] = regiond_proxy_open (p.objects.server, p.objects.watch, &terms, &fds[0], &error);
  g_assert_no_error (error);

  /* Who is cut makes room as well, though he keeps what is dead. */
  for (guint i = 0; i < n; i++)
    regiond_hold_cut (holds[i]);
  other = proxies_open (&p, R, &fd);
  proxies_finish (&other, fd);
  for (guint i = 0; i < n; i++)
    proxies_finish (&holds[i], fds[i]);
}

/* By its path, too, it is opened on the lease's own file system. */
static void
test_shown (void)
{
  int first, second;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) one = proxies_open (&p, R | W, &first);
  g_autoptr (RegiondHold) other = proxies_open (&p, R | W, &second);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", first);
  int again = open (path, O_RDONLY | O_CLOEXEC);
  RegiondProof proof = objects_show (again);

  g_assert_cmpuint (proof.access, ==, REGIOND_ACCESS_READ);
  g_assert_true (regiond_hold_is_shown (one, &proof));
  g_assert_false (regiond_hold_is_shown (other, &proof));

  regiond_hold_cut (one);
  g_assert_false (regiond_hold_is_shown (one, &proof));
  close (again);
  proxies_finish (&one, first);
  proxies_finish (&other, second);
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
  g_test_add_func ("/proxy/no-page-of-it-stays-in-a-cache", test_no_pages);
  g_test_add_func ("/proxy/its-holder-opens-it-again-with-no-more-access", test_reopen);
  g_test_add_func ("/proxy/the-last-close-ends-it", test_last_close);
  g_test_add_func ("/proxy/a-cut-takes-every-copy", test_cut);
  g_test_add_func ("/proxy/the-end-is-told", test_told);
  g_test_add_func ("/proxy/what-is-open-is-kept-until-it-is-closed", test_kept);
  g_test_add_func ("/proxy/one-too-many-is-refused", test_many);
  g_test_add_func ("/proxy/memory-is-shared-with-those-who-map-it", test_memory);
  g_test_add_func ("/proxy/shown-is-every-open-of-its-file-until-it-is-cut", test_shown);
  return g_test_run ();
}
