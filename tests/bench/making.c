/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long it takes to make a proxied file and to cut it, in this process and
 * without a bus, and how long a bare detached FUSE mount takes to be made and
 * aborted, in turns: bench-making ITEM ROUNDS, as root
 */

#include "bare.h"
#include "mechanisms/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <unistd.h>

/* A source of nothing: it is never read. */
#define TYPE_NOTHING (nothing_get_type ())
G_DECLARE_FINAL_TYPE (Nothing, nothing, BENCH, NOTHING, GObject)

struct _Nothing
{
  GObject parent_instance;
};

static gboolean
is_retired (RegiondSource *source)
{
  return FALSE;
}

static void
nothing_source_init (RegiondSourceInterface *iface)
{
  iface->is_retired = is_retired;
}

G_DEFINE_TYPE_WITH_CODE (Nothing, nothing, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, nothing_source_init))

static void
nothing_class_init (NothingClass *klass)
{
}

static void
nothing_init (Nothing *self)
{
}

typedef struct
{
  GArray *make;
  GArray *cut;
} Times;

typedef struct
{
  RegiondServer *server;
  RegiondWatch *watch;
  RegiondSource *source;
  GAsyncQueue *sessions; /* for the bare server's thread */
  GAsyncQueue *served;   /* by it */
  int null;
  Times proxied;
  Times bare;
} Bench;

/* Says so if a file that is cut can be read. */
static void
expect_cut (int fd)
{
  char byte;

  if (read (fd, &byte, 1) >= 0 || errno != ENOTCONN)
    bench_die ("a file that is cut can be read");
  close (fd);
}

static void
time_proxied (Bench *self)
{
  RegiondProxyTerms terms = { self->source, 0, BARE_SIZE, REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE, geteuid () };
  g_autoptr (RegiondHold) hold = NULL;
  g_autoptr (GError) error = NULL;
  double start = bench_now ();
  int fd;

  hold = regiond_proxy_open (self->server, self->watch, &terms, &fd, &error);
  bench_samples_add (self->proxied.make, bench_now () - start);
  bench_check ("making a proxied file", error);

  start = bench_now ();
  regiond_hold_cut (hold);
  bench_samples_add (self->proxied.cut, bench_now () - start);
  expect_cut (fd);
}

/* Serves each bare file until it is open. */
static gpointer
serve_bare (gpointer data)
{
  Bench *self = data;
  struct fuse_buf request = { 0 };

  for (;;)
    {
      struct fuse_session *session = g_async_queue_pop (self->sessions);
      const struct fuse_in_header *header;

      do
        {
          if (fuse_session_receive_buf (session, &request) <= 0)
            bench_die ("a bare file has not been opened");
          header = request.mem;
          fuse_session_process_buf (session, &request);
        }
      while (header->opcode != FUSE_OPEN);
      g_async_queue_push (self->served, session);
    }
  return NULL;
}

/* Closing the mount is not timed: regiond does it later as well. The
 * connection's number stays taken until the session closes it. */
static void
time_bare (Bench *self)
{
  g_autofree char *path = NULL;
  struct fuse_session *session;
  double start = bench_now ();
  int mount, fd;

  session = bare_session_new (geteuid (), &mount);
  g_async_queue_push (self->sessions, session);
  path = g_strdup_printf ("/proc/self/fd/%d", mount);
  fd = open (path, O_RDWR | O_CLOEXEC);
  bench_samples_add (self->bare.make, bench_now () - start);
  close (mount);
  if (fd < 0)
    bench_die ("opening a bare file: %s", g_strerror (errno));
  g_async_queue_pop (self->served);

  start = bench_now ();
  dup3 (self->null, fuse_session_fd (session), O_CLOEXEC);
  bench_samples_add (self->bare.cut, bench_now () - start);
  expect_cut (fd);
  fuse_session_destroy (session);
}

static void
times_init (Times *self)
{
  self->make = bench_samples_new ();
  self->cut = bench_samples_new ();
}

static void
bench_init (Bench *self)
{
  g_autoptr (GError) error = NULL;

  self->server = regiond_proxy_server_new ();
  self->watch = regiond_watch_new (&error);
  bench_check ("watching", error);
  self->source = g_object_new (TYPE_NOTHING, NULL);
  self->sessions = g_async_queue_new ();
  self->served = g_async_queue_new ();
  self->null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  times_init (&self->proxied);
  times_init (&self->bare);
  g_thread_unref (g_thread_new ("bare", serve_bare, self));
}

int
main (int    argc,
      char **argv)
{
  Bench self = { 0 };

  if (argc != 3)
    bench_die ("usage: bench-making ITEM ROUNDS");
  bench_init (&self);
  for (int round = 0; round < atoi (argv[2]); round++)
    {
      if (round % 2 == 0)
        time_bare (&self);
      time_proxied (&self);
      if (round % 2 == 1)
        time_bare (&self);

      /* What is left of the file goes with the news of its unmounting. */
      while (G_OBJECT (self.source)->ref_count > 1 || g_main_context_pending (NULL))
        g_main_context_iteration (NULL, TRUE);
    }

  bench_report (argv[1], "making a proxied file, against a bare FUSE mount", bench_samples_median (self.proxied.make),
                bench_samples_median (self.bare.make), "µs", "");
  bench_report (argv[1], "cutting a proxied file, against aborting a bare FUSE mount",
                bench_samples_median (self.proxied.cut), bench_samples_median (self.bare.cut), "µs", "");
  return 0;
}
