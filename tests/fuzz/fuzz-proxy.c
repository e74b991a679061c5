/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "bytes.h"
#include "caller.h"
#include "fixture.h"
#include "objects.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Requests to a proxied file, as clients that mean harm can make the kernel
 * send them: an input is a row of system calls of two processes that hold the
 * file, cuts, signals and deaths. The model is a file of so many bytes: what is
 * read is what it has, what is written arrives, nothing else in the source is
 * reached, and after the cut every access fails. */

#define STEPS_MOST 48
#define CALLERS 2

typedef struct {
  FuzzWindowTerms terms;
  RegiondAccess   access;
  FuzzWindow     *window;
  RegiondHold    *hold;
  int             fd; /* one more copy, of this process; or -1 */
  Caller          callers[CALLERS];
  gboolean        alive[CALLERS];
  gboolean        cut;
  guint8          fill;
  guint8          model[WINDOW_SOURCE_SIZE];
} Trial;

static Objects objects;

static void
clear_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

int
LLVMFuzzerInitialize (int    *argc,
                      char ***argv)
{
  fuzz_prepare ();
  signal (SIGPIPE, SIG_IGN);
  objects = objects_set_up (PAGE);
  return 0;
}

/* What a call may do. */

static gboolean
is_write (CallKind kind)
{
  return kind == CALL_WRITE || kind == CALL_PWRITE || kind == CALL_PWRITEV || kind == CALL_UNSPLICE;
}

static gboolean
is_read (CallKind kind)
{
  return kind == CALL_READ || kind == CALL_PREAD || kind == CALL_PREADV || kind == CALL_SPLICE ||
         kind == CALL_SENDFILE || kind == CALL_MAP;
}

/* Whether its result is known beforehand, to the byte. */
static gboolean
is_plain (const Call *call)
{
  return call->kind == CALL_READ || call->kind == CALL_WRITE || call->kind == CALL_PREAD || call->kind == CALL_PWRITE;
}

static gboolean
may (int           had,
     RegiondAccess access)
{
  int mode = had & O_ACCMODE;

  return had >= 0 && !(had & O_PATH) && (access == REGIOND_ACCESS_READ ? mode != O_WRONLY : mode != O_RDONLY);
}

static gint64
get_offset (Trial       *self,
            const Call  *call,
            const Reply *reply)
{
  gboolean vector = call->kind == CALL_PREADV || call->kind == CALL_PWRITEV;

  if (is_write (call->kind) && (reply->had & O_APPEND || (call->kind == CALL_PWRITEV && call->flags & RWF_APPEND)))
    return self->terms.length;
  if (call->kind == CALL_READ || call->kind == CALL_WRITE || (vector && call->offset == -1))
    return reply->position;
  return call->offset;
}

/* What a plain read or write must come back with: -1 for an error. */
static gint64
foresee (Trial       *self,
         const Call  *call,
         const Reply *reply,
         gint64       offset)
{
  gboolean writes = is_write (call->kind);
  gint64 width;

  if (!may (reply->had, writes ? REGIOND_ACCESS_WRITE : REGIOND_ACCESS_READ) || offset < 0 || self->cut)
    return -1;
  if ((guint64) offset >= self->terms.length)
    return writes ? -1 : 0;

  width = MIN (call->width, self->terms.length - offset);
  return self->terms.most_width != 0 && (gsize) width > self->terms.most_width ? -1 : width;
}

static void
check_error (Trial       *self,
             const Call  *call,
             const Reply *reply,
             gint64       offset)
{
  if (self->cut && may (reply->had, is_write (call->kind) ? REGIOND_ACCESS_WRITE : REGIOND_ACCESS_READ) &&
      offset >= 0 && offset < G_MAXINT32)
    g_assert_true (reply->error == ENOTCONN || reply->error == EIO || reply->error == ECONNABORTED);
  else if (!self->cut && is_write (call->kind) && may (reply->had, REGIOND_ACCESS_WRITE) && offset >= 0 &&
           offset < G_MAXINT32 && (guint64) offset >= self->terms.length)
    g_assert_cmpint (reply->error, ==, ENOSPC);
}

/* The bytes that have come, or gone. */
static void
check_bytes (Trial       *self,
             const Call  *call,
             const Reply *reply,
             Caller      *caller,
             gint64       offset)
{
  guint8 *file = self->model + self->terms.offset;
  gint64 left = self->terms.length - offset;

  if (reply->result <= 0)
    return;

  g_assert_false (self->cut);
  g_assert_true (may (reply->had, is_write (call->kind) ? REGIOND_ACCESS_WRITE : REGIOND_ACCESS_READ));
  g_assert_cmpint (offset, >=, 0);
  g_assert_cmpint (left, >, 0);

  g_assert_cmpint (reply->result, <=, left);
  if (is_write (call->kind))
    memcpy (file + offset, caller->buffer, reply->result);
  else
    g_assert_cmpmem (caller->buffer, reply->result, file + offset, reply->result);
}

static void
check_transfer (Trial       *self,
                const Call  *call,
                const Reply *reply,
                Caller      *caller)
{
  gint64 offset = get_offset (self, call, reply);

  /* Nothing of it is ever in the page cache. */
  if (call->kind == CALL_MAP || ((call->kind == CALL_SPLICE || call->kind == CALL_SENDFILE) && !(reply->had & O_DIRECT)))
    g_assert_cmpint (reply->result, <=, 0);

  check_bytes (self, call, reply, caller, offset);
  if (call->width == 0)
    g_assert_cmpint (reply->result, <=, 0);
  else if (is_plain (call))
    {
      gint64 wanted = foresee (self, call, reply, offset);

      g_assert_cmpint (reply->result, ==, wanted);
      if (wanted > 0)
        g_assert_cmpuint (fuzz_window_get_width (self->window), ==, wanted);
      if (wanted < 0)
        check_error (self, call, reply, offset);
    }
}

static void
check_copy (Trial       *self,
            const Call  *call,
            const Reply *reply)
{
  guint8 *file = self->model + self->terms.offset;

  if (reply->result <= 0)
    return;

  g_assert_false (self->cut);
  g_assert_cmpint (self->access, ==, REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE);
  g_assert_cmpint (call->offset + reply->result, <=, self->terms.length);
  g_assert_cmpint (call->to + reply->result, <=, self->terms.length);
  memmove (file + call->to, file + call->offset, reply->result);
}

/* Whoever opens it again gets no more than the lease gives. */
static void
check_open (Trial       *self,
            const Call  *call,
            const Reply *reply)
{
  const int plain = O_ACCMODE | O_APPEND;
  gboolean reads = (call->flags & O_ACCMODE) != O_WRONLY, writes = (call->flags & O_ACCMODE) != O_RDONLY;
  gboolean allowed = (!reads || self->access & REGIOND_ACCESS_READ) && (!writes || self->access & REGIOND_ACCESS_WRITE);

  if (call->flags & O_PATH || (call->flags & O_ACCMODE) == O_ACCMODE)
    return;
  if (!allowed || self->cut || reply->had < 0 || call->flags & O_TRUNC)
    g_assert_cmpint (reply->result, ==, -1);
  else if (!(call->flags & ~plain) && !(reply->had & O_PATH))
    g_assert_cmpint (reply->result, >=, 0);
}

static void
check (Trial       *self,
       const Call  *call,
       const Reply *reply,
       Caller      *caller)
{
  if (reply->had >= 0 && !(reply->had & O_PATH))
    {
      g_assert_true (self->access & REGIOND_ACCESS_READ || !may (reply->had, REGIOND_ACCESS_READ));
      g_assert_true (self->access & REGIOND_ACCESS_WRITE || !may (reply->had, REGIOND_ACCESS_WRITE));
    }

  if (is_read (call->kind) || is_write (call->kind))
    check_transfer (self, call, reply, caller);
  else if (call->kind == CALL_COPY)
    check_copy (self, call, reply);
  else if (call->kind == CALL_REOPEN)
    check_open (self, call, reply);
  else if (call->kind == CALL_STAT)
    g_assert_cmpint (reply->result, !=, 1);
  else if (call->kind == CALL_MAP_SHARED || call->kind == CALL_ALLOCATE || call->kind == CALL_CHANGE)
    g_assert_cmpint (reply->result, ==, -1);
}

static void
compare_source (Trial *self)
{
  guint8 bytes[WINDOW_SOURCE_SIZE];

  fuzz_window_copy (self->window, bytes);
  for (guint i = 0; i < sizeof bytes; i++)
    {
      if (bytes[i] != self->model[i])
        g_error ("Byte %u of the source (window %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT ") is %u, not %u", i,
                 self->terms.offset, self->terms.length, bytes[i], self->model[i]);
    }
}

/* Reading the input. */

static guint
take_flags (Bytes   *bytes,
            CallKind kind)
{
  static const guint opens[] = {
    O_RDONLY, O_WRONLY, O_RDWR, O_PATH, O_RDONLY | O_TRUNC, O_RDWR | O_TRUNC, O_RDWR | O_APPEND, O_RDWR | O_DIRECT,
    O_RDONLY | O_CREAT, O_RDWR | O_TMPFILE, O_ACCMODE, O_RDONLY | O_DIRECTORY, O_RDONLY | O_NOATIME, O_WRONLY | O_APPEND,
    O_RDWR | O_SYNC, O_RDONLY | O_NOFOLLOW,
  };
  static const guint settable[] = { 0, O_APPEND, O_NONBLOCK, O_DIRECT, O_ASYNC, O_NOATIME, O_APPEND | O_DIRECT, ~0U };
  guint byte = bytes_take (bytes);

  switch (kind)
    {
    case CALL_REOPEN:
      return opens[byte % G_N_ELEMENTS (opens)];
    case CALL_FLAGS:
      return settable[byte % G_N_ELEMENTS (settable)];
    default:
      return byte;
    }
}

static Call
take_call (Trial *self,
           Bytes *bytes,
           guint  kinds)
{
  Call call = { .kind = bytes_take_below (bytes, kinds) };
  guint slots = bytes_take (bytes);

  call.slot = slots % CALLER_SLOTS;
  call.other = slots / CALLER_SLOTS % CALLER_SLOTS;
  if (call.kind == CALL_STAT)
    {
      call.width = self->terms.length;
      call.flags = (self->access & REGIOND_ACCESS_READ ? 0400 : 0) | (self->access & REGIOND_ACCESS_WRITE ? 0200 : 0);
      return call;
    }

  call.offset = bytes_take_offset (bytes);
  call.width = bytes_take_word (bytes) % (CALLER_BUFFER - PAGE);
  if (slots & 0x10 && call.kind >= CALL_PREADV)
    call.flags = take_flags (bytes, call.kind);
  if (call.kind == CALL_COPY)
    call.to = bytes_take_offset (bytes);
  if (call.kind == CALL_MAP)
    call.offset &= ~(gint64) (PAGE - 1);
  return call;
}

static void
fill_buffer (Trial  *self,
             Caller *caller,
             gsize   width)
{
  self->fill += 13;
  for (gsize i = 0; i < width; i++)
    caller->buffer[i] = self->fill ^ (i * 5);
}

/* Steps. */

static void
await (Caller *caller,
       Reply  *reply)
{
  /* Most answers take some microseconds: without the main loop. */
  if (!caller_poll (caller, reply, 5))
    wait_until (caller_poll (caller, reply, 0));
}

static void
make_call (Trial *self,
           Bytes *bytes,
           guint  index)
{
  Call call = take_call (self, bytes, CALL_KINDS);
  Caller *caller = &self->callers[index];
  Reply reply;

  if (!self->alive[index])
    return;

  fill_buffer (self, caller, call.width);
  caller_begin (caller, &call);
  await (caller, &reply);
  check (self, &call, &reply, caller);
  compare_source (self);
}

static void
cut (Trial *self)
{
  regiond_hold_cut (self->hold);
  self->cut = TRUE;
  g_assert_true (regiond_hold_is_cut (self->hold) || regiond_hold_is_cutting (self->hold));
  if (fuzz_window_count_inside (self->window) > 0)
    return;

  wait_until (regiond_hold_is_gone (self->hold));
  g_assert_true (regiond_hold_is_cut (self->hold));
  fuzz_window_forbid (self->window);
}

static void
kill_caller (Trial *self,
             guint  index)
{
  if (self->alive[index])
    caller_kill (&self->callers[index]);
  self->alive[index] = FALSE;
}

/* An access behind all others: they are done when it is. */
static void
drain (Trial *self)
{
  guint8 bytes[WINDOW_SOURCE_SIZE];

  if (self->cut)
    {
      wait_until (regiond_hold_is_gone (self->hold));
      fuzz_window_forbid (self->window);
      return;
    }

  wait_until (fuzz_window_count_inside (self->window) == 0);
  fuzz_window_copy (self->window, bytes);
  if (self->access & REGIOND_ACCESS_READ)
    g_assert_cmpint (pread (self->fd, bytes, 1, 0), ==, 1);
  else
    g_assert_cmpint (pwrite (self->fd, bytes + self->terms.offset, 1, 0), ==, 1);
}

/* After calls at once: what any of them may have written is as it is, all else
 * is as it was. */
static void
adopt (Trial *self)
{
  guint8 bytes[WINDOW_SOURCE_SIZE];
  guint64 end = self->terms.offset + self->terms.length;

  fuzz_window_copy (self->window, bytes);
  if (!(self->access & REGIOND_ACCESS_WRITE))
    g_assert_cmpmem (bytes, sizeof bytes, self->model, sizeof bytes);
  memcpy (self->model + self->terms.offset, bytes + self->terms.offset, self->terms.length);
  g_assert_cmpmem (bytes, self->terms.offset, self->model, self->terms.offset);
  g_assert_cmpmem (bytes + end, sizeof bytes - end, self->model + end, sizeof bytes - end);
}

/* A write beyond the end, and whatever moves the file's own position, waits in
 * the kernel for all others, and cannot be killed there: that is so for every
 * file. */
static void
fit (Trial *self,
     Call  *call)
{
  if (call->offset >= 0)
    call->offset %= self->terms.length;
  call->width = MIN (call->width, self->terms.length - CLAMP (call->offset, 0, (gint64) self->terms.length - 1));
  if (is_write (call->kind))
    call->kind = CALL_PWRITE;
  else
    call->kind = CALL_PREAD;
}

/* Both make a call, of which one at least stops half-way, for something to
 * happen to it there. */
static void
make_calls_at_once (Trial *self,
                    Bytes *bytes)
{
  Call calls[CALLERS];
  Reply replies[CALLERS];
  gboolean pending[CALLERS] = { FALSE, FALSE };
  guint begun = fuzz_window_count_begun (self->window), event = bytes_take_below (bytes, 6);

  fuzz_window_let (self->window, FALSE);
  for (guint i = 0; i < CALLERS; i++)
    {
      calls[i] = take_call (self, bytes, CALL_PWRITEV + 1);
      fit (self, &calls[i]);
      pending[i] = self->alive[i];
      if (pending[i])
        {
          fill_buffer (self, &self->callers[i], calls[i].width);
          caller_begin (&self->callers[i], &calls[i]);
        }
    }
  for (guint i = 0; i < CALLERS; i++)
    wait_until (!pending[i] || fuzz_window_count_begun (self->window) > begun ||
                (pending[i] = !caller_poll (&self->callers[i], &replies[i], 1)) == FALSE);

  if (event == 1)
    cut (self);
  if (event == 2 || event == 4)
    kill (self->callers[0].pid, self->alive[0] ? SIGALRM : 0);
  if (event == 2 && pending[0])
    {
      /* The first one may come before the call. */
      wait_until (kill (self->callers[0].pid, SIGALRM) != 0 || caller_poll (&self->callers[0], &replies[0], 1));
      pending[0] = FALSE;
    }
  if (event == 3 || event == 5)
    {
      kill_caller (self, event == 5);
      pending[event == 5] = FALSE;
    }

  /* Cut, it has to come back before the source has. */
  for (guint i = 0; i < CALLERS && event == 1; i++)
    {
      if (pending[i])
        await (&self->callers[i], &replies[i]);
      pending[i] = FALSE;
    }
  fuzz_window_let (self->window, TRUE);
  for (guint i = 0; i < CALLERS; i++)
    {
      if (pending[i])
        await (&self->callers[i], &replies[i]);
    }

  drain (self);
  adopt (self);
}

static void
step (Trial *self,
      Bytes *bytes)
{
  guint what = bytes_take (bytes);

  if (what < 0xe0)
    make_call (self, bytes, what % CALLERS);
  else if (what < 0xf0 && self->fd >= 0 && !self->terms.quick && !self->cut)
    make_calls_at_once (self, bytes);
  else if (what < 0xf8)
    cut (self);
  else if (what < 0xfc)
    kill_caller (self, what % CALLERS);
  else
    clear_fd (&self->fd);
}

/* A trial. */

static void
begin (Trial *self,
       Bytes *bytes)
{
  static const gsize widths[] = { 0, 0, 8, 64 };
  guint first = bytes_take (bytes);
  RegiondProxyTerms terms = { .uid = CALLER_UID };
  g_autoptr (GError) error = NULL;

  self->access = first % 4 != 0 ? first % 4 : REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE;
  self->terms.quick = first & 4;
  self->terms.most_width = widths[first >> 3 & 3];
  self->terms.offset = bytes_take_word (bytes) % (2 * PAGE);
  self->terms.length = 1 + bytes_take_word (bytes) % (WINDOW_SOURCE_SIZE - 2 * PAGE - 1);
  self->window = fuzz_window_new (&self->terms);
  fuzz_window_copy (self->window, self->model);

  terms.source = REGIOND_SOURCE (self->window);
  terms.offset = self->terms.offset;
  terms.length = self->terms.length;
  terms.access = self->access;
  self->hold = regiond_proxy_open (objects.server, objects.watch, &terms, &self->fd, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < CALLERS; i++)
    {
      caller_start (&self->callers[i], self->fd);
      self->alive[i] = TRUE;
    }
  if (first & 0x20)
    clear_fd (&self->fd);
}

/* Nothing may be left: not the hold, not a reference to the source. */
static void
end (Trial *self)
{
  for (guint i = 0; i < CALLERS; i++)
    kill_caller (self, i);
  clear_fd (&self->fd);
  wait_until (regiond_hold_is_gone (self->hold));
  fuzz_window_forbid (self->window);
  g_object_unref (self->hold);
  wait_until (G_OBJECT (self->window)->ref_count == 1);
  compare_source (self);
  g_object_unref (self->window);
}

int
LLVMFuzzerTestOneInput (const guint8 *data,
                        size_t        size)
{
  Bytes bytes = { data, size };
  Trial trial = { .fd = -1 };

  begin (&trial, &bytes);
  for (guint i = 0; i < STEPS_MOST && bytes.left > 0; i++)
    step (&trial, &bytes);
  end (&trial);
  return 0;
}
