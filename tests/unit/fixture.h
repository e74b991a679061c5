/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "error.h"
#include "fake-polkit.h"

/* A bus of its own for one test, a polkit that says what the test wants, a
 * configuration directory, and regiond in a process of its own: so a test may
 * make blocking calls, and a client that leaves really leaves. */
typedef struct {
  char            *directory;
  char            *address;
  GPid             bus;
  FakePolkit      *polkit;  /* answers yes until told otherwise */
  GSubprocess     *service;
  const char      *log;     /* a file for what regiond says, set before it serves; or NULL: as the test */
  GDBusConnection *person;  /* somebody on the bus, once regiond serves */
  GDBusConnection *library; /* the system bus of this process, where it is used */
} Fixture;

#define MANAGER_PATH "/org/regiond1"
#define SHM0 "/org/regiond1/devices/shm0"
#define RING "/org/regiond1/devices/ring"
#define BAR0_SIZE 4096
#define BAR2_SIZE (256 * 1024)

/* main() of a test program: @add_tests adds them. */
int              fixture_main (int argc, char *argv[], void (*add_tests) (void));

/* The two halves of that, for a program that is no test program: before there
 * are threads, and after the last fixture. */
void             fixture_prepare (void);
void             fixture_clean_up (void);

/* A bus, a polkit, and the devices shm0 (regions bar0, bar2) and ring (region
 * data, Linger=tolerate); MaxMemory=8M. regiond does not run yet. */
Fixture         *fixture_new (void);

/* As above, and regiond runs. */
Fixture         *fixture_new_serving (void);

/* A bus for parts of the service in the test's own process: once in a program.
 * polkit's library keeps one connection to the system bus, whose end would end
 * the process. */
Fixture         *fixture_new_in_process (void);

/* Ends all of it; fails the test where regiond does not end cleanly. */
void             fixture_free (Fixture *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

/* A file in the configuration directory. */
void             fixture_write (Fixture *self, const char *name, const char *text);

/* Starts regiond; returns when it has its name. */
void             fixture_serve (Fixture *self);

/* Ends regiond, which must end cleanly. */
void             fixture_stop (Fixture *self);

/* Another client; the second one of another user (root only). */
GDBusConnection *fixture_connect (Fixture *self);
GDBusConnection *fixture_connect_as (Fixture *self, uid_t uid);

/* The client leaves the bus. */
void             client_leave (GDBusConnection *client);

/* Calls METHOD of the interface ("Device", "Lease", "Manager") of an object,
 * and takes the floating @arguments. */
GVariant        *client_call (GDBusConnection *client, const char *path, const char *interface, const char *method,
                              GVariant *arguments, GError **error);

/* The same, with the result to come: NULL until @done. */
typedef struct {
  gboolean  done;
  GVariant *reply;
  GError   *error;
} Promise;

void             client_call_later (GDBusConnection *client, const char *path, const char *interface,
                                    const char *method, GVariant *arguments, Promise *promise);
void             promise_clear (Promise *promise);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Promise, promise_clear)

/* An a{sv} in GVariant's text format, or NULL for none; floating. */
GVariant        *options (const char *text);

/* OpenRegion. Returns the lease's path, or NULL with @error. */
char            *client_open (GDBusConnection *client, const char *device, const char *region, const char *access,
                              const char *text, int *fd, GError **error);

/* AttachLease with @shown, or with none (-1). */
char            *client_attach (GDBusConnection *client, int shown, const char *text, int *fd, GError **error);

/* OpenRegion, and it must work. */
char            *client_must_open (GDBusConnection *client, const char *device, const char *region,
                                   const char *access, const char *text, int *fd);

/* Properties; NULL where the object is not there. */
GVariant        *client_get (GDBusConnection *client, const char *path, const char *interface, const char *property);
char            *client_get_string (GDBusConnection *client, const char *path, const char *interface,
                                    const char *property);
guint            client_count_leases (GDBusConnection *client, const char *device);
gboolean         client_sees_state (GDBusConnection *client, const char *path, const char *interface,
                                    const char *state);
gboolean         client_sees_lingering (GDBusConnection *client, const char *device, guint count);

/* Collects the signals of regiond that reach a client, each "Member(arguments)". */
typedef struct {
  GDBusConnection *client;
  guint            subscription;
  GPtrArray       *heard;
} Ear;

Ear             *ear_new (GDBusConnection *client, const char *interface);
void             ear_free (Ear *self);
gboolean         ear_heard (Ear *self, const char *signal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Ear, ear_free)

/* A string through a mapping. */
void             fd_write_text (int fd, const char *text);
char            *fd_read_text (int fd);

/* Turns the main loop until @condition; fails the test after 10 s. */
#define wait_until(condition) \
  G_STMT_START \
  { \
    gint64 _deadline = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND; \
    while (!(condition)) \
      { \
        if (g_get_monotonic_time () > _deadline) \
          g_error ("%s:%d: this has not become true: %s", __FILE__, __LINE__, #condition); \
        fixture_turn (); \
      } \
  } \
  G_STMT_END

/* One turn of the main loop, of 5 ms at most. */
void             fixture_turn (void);

/* That @error is the given one and its message has all the words. */
#define assert_error_says(error, domain, code, ...) \
  G_STMT_START \
  { \
    const char *const _words[] = { __VA_ARGS__, NULL }; \
    g_assert_error (error, domain, code); \
    for (const char *const *_word = _words; *_word != NULL; _word++) \
      { \
        if (strstr (error->message, *_word) == NULL) \
          g_error ("%s:%d: '%s' does not say '%s'", __FILE__, __LINE__, error->message, *_word); \
      } \
  } \
  G_STMT_END
