/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

void
bench_die (const char *format,
           ...)
{
  va_list args;

  fprintf (stderr, "%s: ", program_invocation_short_name);
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fputc ('\n', stderr);
  exit (1);
}

void
bench_check (const char *what,
             GError     *error)
{
  if (error != NULL)
    bench_die ("%s: %s", what, error->message);
}

double
bench_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

GArray *
bench_samples_new (void)
{
  return g_array_new (FALSE, FALSE, sizeof (double));
}

void
bench_samples_add (GArray *samples,
                   double  value)
{
  g_array_append_val (samples, value);
}

static int
compare_doubles (gconstpointer a,
                 gconstpointer b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

double
bench_samples_median (GArray *samples)
{
  g_autoptr (GArray) sorted = g_array_copy (samples);
  guint middle = sorted->len / 2;

  if (sorted->len == 0)
    return NAN;

  g_array_sort (sorted, compare_doubles);
  if (sorted->len % 2 == 1)
    return g_array_index (sorted, double, middle);
  return (g_array_index (sorted, double, middle - 1) + g_array_index (sorted, double, middle)) / 2;
}

void
bench_report (const char *item,
              const char *what,
              double      value,
              double      base,
              const char *unit,
              const char *aim)
{
  printf ("%s\t%s\t%.3f\t", item, what, value);
  if (!isnan (base))
    printf ("%.3f", base);
  printf ("\t%s\t%s\n", unit, aim);
  fflush (stdout);
}

GDBusConnection *
bench_connect (void)
{
  g_autoptr (GError) error = NULL;
  GDBusConnection *bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);

  bench_check ("connecting to the bus", error);
  return bus;
}

void
bench_ping (GDBusConnection *bus,
            const char      *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;

  reply = g_dbus_connection_call_sync (bus, name, "/", "org.freedesktop.DBus.Peer", "Ping", NULL, NULL,
                                       G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, &error);
  bench_check ("Ping", error);
}

void
bench_sync (GDBusConnection *bus)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;

  reply = g_dbus_connection_call_sync (bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                       "GetId", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
  bench_check ("GetId", error);
}

char *
bench_device_path (guint number)
{
  return g_strdup_printf ("/org/regiond1/devices/d%u", number);
}

int
bench_open (GDBusConnection *bus,
            const char      *name,
            const char      *path,
            char           **lease)
{
  return bench_open_with (bus, name, path, "rwm", lease);
}

/* Where the call goes. */
typedef struct
{
  const char *name;
  const char *path;
  const char *interface;
  const char *method;
} Callee;

static int
call_for_lease (GDBusConnection *bus,
                const Callee    *callee,
                GVariant        *arguments,
                GUnixFDList     *shown,
                char           **lease)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  gint32 handle;
  int fd;

  reply = g_dbus_connection_call_with_unix_fd_list_sync (bus, callee->name, callee->path, callee->interface,
                                                         callee->method, arguments, G_VARIANT_TYPE ("(ho)"),
                                                         G_DBUS_CALL_FLAGS_NO_AUTO_START, BENCH_DEADLINE * 1000, shown,
                                                         &fds, NULL, &error);
  bench_check (callee->path, error);
  g_variant_get (reply, "(ho)", &handle, lease);
  fd = g_unix_fd_list_get (fds, handle, &error);
  bench_check ("the fd of the reply", error);
  return fd;
}

int
bench_open_with (GDBusConnection *bus,
                 const char      *name,
                 const char      *path,
                 const char      *access,
                 char           **lease)
{
  const Callee callee = { name, path, BENCH_DEVICE_INTERFACE, "OpenRegion" };

  return call_for_lease (bus, &callee, g_variant_new ("(ssa{sv})", BENCH_REGION, access, NULL), NULL, lease);
}

int
bench_attach (GDBusConnection *bus,
              int              shown,
              char           **lease)
{
  const Callee callee = { BENCH_SERVICE, "/org/regiond1", "org.regiond1.Manager", "AttachLease" };
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  g_autoptr (GError) error = NULL;

  g_unix_fd_list_append (fds, shown, &error);
  bench_check ("the fd that is shown", error);
  return call_for_lease (bus, &callee, g_variant_new ("(ha{sv})", 0, NULL), fds, lease);
}

void
bench_release (GDBusConnection *bus,
               const char      *lease)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autofree char *remote = NULL;

  reply = g_dbus_connection_call_sync (bus, BENCH_SERVICE, lease, BENCH_LEASE_INTERFACE, "Release", NULL, NULL,
                                       G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, &error);

  /* A lease whose fd is provably closed ends by itself, maybe before this call. */
  remote = error != NULL ? g_dbus_error_get_remote_error (error) : NULL;
  if (g_strcmp0 (remote, BENCH_SERVICE ".Error.NotFound") != 0 &&
      g_strcmp0 (remote, BENCH_SERVICE ".Error.Gone") != 0 &&
      g_strcmp0 (remote, "org.freedesktop.DBus.Error.UnknownMethod") != 0)
    bench_check ("Release", error);
}

static char *
device_state (GDBusConnection *bus,
              const char      *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) value = NULL;

  reply = g_dbus_connection_call_sync (bus, BENCH_SERVICE, path, "org.freedesktop.DBus.Properties", "Get",
                                       g_variant_new ("(ss)", BENCH_DEVICE_INTERFACE, "State"),
                                       G_VARIANT_TYPE ("(v)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, &error);
  bench_check ("reading the state of the device", error);
  g_variant_get (reply, "(v)", &value);
  return g_variant_dup_string (value, NULL);
}

void
bench_await_state (GDBusConnection *bus,
                   const char      *path,
                   const char      *state)
{
  double deadline = bench_now () + BENCH_DEADLINE * 1e6;

  while (bench_now () < deadline)
    {
      g_autofree char *now = device_state (bus, path);

      if (g_str_equal (now, state))
        return;
      g_usleep (1000);
    }

  bench_die ("%s is not %s after %d s", path, state, BENCH_DEADLINE);
}

int
bench_memfd (gsize size)
{
  int fd = memfd_create ("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (fd < 0 || fallocate (fd, 0, 0, size) < 0)
    bench_die ("allocating %zu bytes: %s", size, g_strerror (errno));
  return fd;
}

void
bench_allow_many_fds (void)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}
