/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A guarded connection whose other end is a socket of this test's: a bus that
 * takes what it is sent when the test wants it to, and not before. */
#define OBJECT "/org/regiond1/counter"
#define INTERFACE "org.regiond1.test.Counter"
#define ALICE ":1.1"
#define BOB ":1.2"
#define CAROL ":1.3"

/* Where a bus that takes nothing has somebody's answer: behind no more than
 * these, which are what was sent before it was known to be behind. */
#define AT_ONCE 12

static const char interface_xml[] =
    "<node><interface name='" INTERFACE "'><method name='Count'/></interface></node>";

typedef struct {
  GDBusConnection *service;
  int              bus;
  GByteArray      *taken; /* from it, and not yet a message */
  GQueue           calls; /* GDBusMethodInvocation */
  int              eager; /* somebody takes whatever comes */
} Line;

static void
on_call (GDBusConnection       *connection,
         const char            *sender,
         const char            *path,
         const char            *interface,
         const char            *method,
         GVariant              *parameters,
         GDBusMethodInvocation *invocation,
         gpointer               data)
{
  g_queue_push_tail (&((Line *) data)->calls, invocation);
}

static void
line_set_up (Line          *self,
           gconstpointer  data)
{
  static const GDBusInterfaceVTable vtable = { .method_call = on_call };
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (interface_xml, NULL);
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketConnection) stream = NULL;
  g_autoptr (RegiondStrays) strays = regiond_strays_new ();
  g_autoptr (GError) error = NULL;
  int ends[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  socket = g_socket_new_from_fd (ends[0], &error);
  g_assert_no_error (error);
  stream = g_socket_connection_factory_create_connection (socket);
  *self = (Line){ .bus = ends[1], .taken = g_byte_array_new () };
  g_queue_init (&self->calls);
  self->service = g_dbus_connection_new_sync (G_IO_STREAM (stream), NULL, G_DBUS_CONNECTION_FLAGS_NONE, NULL, NULL,
                                              &error);
  g_assert_no_error (error);
  regiond_guard_calls (self->service, strays, NULL, NULL, NULL);
  g_dbus_connection_register_object (self->service, OBJECT, node->interfaces[0], &vtable, self, NULL, &error);
  g_assert_no_error (error);
}

static void
line_tear_down (Line          *self,
                gconstpointer  data)
{
  g_queue_clear_full (&self->calls, g_object_unref);
  client_leave (self->service);
  close (self->bus);
  g_byte_array_unref (self->taken);
}

/* Calls numbered from @first. */
static void
call (Line       *self,
      const char *sender,
      guint       first,
      guint       times)
{
  for (guint i = 0; i < times; i++)
    {
      g_autoptr (GDBusMessage) message = g_dbus_message_new_method_call (NULL, OBJECT, INTERFACE, "Count");
      g_autofree guchar *blob = NULL;
      gsize length;

      g_dbus_message_set_sender (message, sender);
      g_dbus_message_set_serial (message, first + i);
      blob = g_dbus_message_to_blob (message, &length, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
      g_assert_cmpint (write (self->bus, blob, length), ==, length);
    }
}

static void
answer_all (Line *self)
{
  GDBusMethodInvocation *invocation;

  while ((invocation = g_queue_pop_head (&self->calls)) != NULL)
    g_dbus_method_invocation_return_value (invocation, NULL);
}

/* Whatever there is to be taken just now. */
static void
take_in (Line *self)
{
  guint8 bytes[4096];
  gssize n;

  while ((n = recv (self->bus, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
    g_byte_array_append (self->taken, bytes, n);
  g_assert_true (n < 0 && errno == EAGAIN);
}

static GDBusMessage *
pop_message (Line *self)
{
  gssize length = self->taken->len >= 16 ? g_dbus_message_bytes_needed (self->taken->data, self->taken->len, NULL) : -1;
  GDBusMessage *message;

  if (length < 0 || self->taken->len < length)
    return NULL;

  message = g_dbus_message_new_from_blob (self->taken->data, length, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
  g_assert_nonnull (message);
  g_byte_array_remove_range (self->taken, 0, length);
  return message;
}

static gboolean
pop_and_free (Line *self)
{
  g_autoptr (GDBusMessage) message = pop_message (self);

  return message != NULL;
}

static GDBusMessage *
take (Line *self)
{
  GDBusMessage *message;

  wait_until ((take_in (self), message = pop_message (self)) != NULL);
  return message;
}

/* How many messages come before the next one for @name. */
static guint
take_until (Line       *self,
            const char *name)
{
  for (guint n = 0;; n++)
    {
      g_autoptr (GDBusMessage) message = take (self);

      if (g_strcmp0 (g_dbus_message_get_destination (message), name) == 0)
        return n;
    }
}

/* Answers to alice's calls: each comes once, and so many are refusals. */
static void
take_rest (Line *self,
           guint first,
           guint n,
           guint refused)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GDBusMessage) message = take (self);
      gpointer serial = GUINT_TO_POINTER (g_dbus_message_get_reply_serial (message));

      g_assert_cmpstr (g_dbus_message_get_destination (message), ==, ALICE);
      g_assert_true (g_hash_table_add (seen, serial));
      g_assert_cmpuint (GPOINTER_TO_UINT (serial), >=, first);
      if (g_dbus_message_get_message_type (message) != G_DBUS_MESSAGE_TYPE_ERROR)
        continue;
      g_assert_cmpstr (g_dbus_message_get_error_name (message), ==, "org.regiond1.Error.LimitExceeded");
      g_assert_nonnull (strstr (g_dbus_message_get_arg0 (message), "96 unanswered calls"));
      refused--;
    }
  g_assert_cmpuint (refused, ==, 0);
}

static void
test_answers (Line          *line,
              gconstpointer  data)
{
  guint before;

  call (line, ALICE, 1, 90);
  wait_until (line->calls.length == 90);
  answer_all (line);
  call (line, BOB, 1, 1);
  wait_until (line->calls.length == 1);
  answer_all (line);
  before = take_until (line, BOB);
  g_assert_cmpuint (before, <=, AT_ONCE);
  take_rest (line, 1, 90 - before, 0);
}

static void
test_refusals (Line          *line,
               gconstpointer  data)
{
  guint before;

  call (line, ALICE, 1, REGIOND_GUARD_MOST_CALLS + 300);
  wait_until (line->calls.length == REGIOND_GUARD_MOST_CALLS);
  call (line, BOB, 1, 1);
  wait_until (line->calls.length == REGIOND_GUARD_MOST_CALLS + 1);
  g_dbus_method_invocation_return_value (g_queue_pop_tail (&line->calls), NULL);
  before = take_until (line, BOB);
  g_assert_cmpuint (before, <=, AT_ONCE);
  answer_all (line);
  take_rest (line, 1, REGIOND_GUARD_MOST_CALLS + 300 - before, 300 - before);
}

#define FLOODERS 5
#define FLOOD 1000

static gpointer
send_flood (gpointer data)
{
  for (guint i = 0; i < FLOODERS; i++)
    {
      g_autofree char *name = g_strdup_printf (":2.%u", i);

      call (data, name, 1, FLOOD);
    }
  call (data, BOB, 1, 1);
  return NULL;
}

/* A bus that keeps up. */
static gpointer
take_at_once (gpointer data)
{
  Line *self = data;
  struct pollfd polled = { self->bus, POLLIN, 0 };

  while (g_atomic_int_get (&self->eager))
    {
      if (poll (&polled, 1, 1) > 0)
        take_in (self);
    }
  return NULL;
}

/* Bob's call is the last in the line: those before it are read first, and for the
 * most part refused later, though the bus takes what it gets. */
static void
test_reading (Line          *line,
              gconstpointer  data)
{
  guint before = 0, refused = FLOODERS * (FLOOD - REGIOND_GUARD_MOST_CALLS);
  GThread *flood, *bus;

  line->eager = TRUE;
  bus = g_thread_new ("bus", take_at_once, line);
  flood = g_thread_new ("flood", send_flood, line);
  while (line->calls.length < FLOODERS * REGIOND_GUARD_MOST_CALLS + 1)
    g_main_context_iteration (NULL, TRUE);
  g_atomic_int_set (&line->eager, FALSE);
  g_thread_join (bus);
  g_thread_join (flood);
  while (pop_and_free (line))
    before++;
  g_test_message ("%u of %u were refused before", before, refused);
  /* A sanitizer slows down whoever sends the flood, and then there is not always more to read. */
#ifndef __SANITIZE_ADDRESS__
  g_assert_cmpuint (before, <, refused / 4);
#endif
  for (; before < refused; before++)
    g_object_unref (take (line));
}

static void
test_turns (Line          *line,
            gconstpointer  data)
{
  guint left[2] = { 60, 60 };

  call (line, ALICE, 1, 60);
  call (line, CAROL, 1, 60);
  wait_until (line->calls.length == 120);
  answer_all (line);
  for (guint i = 0; i < 120; i++)
    {
      g_autoptr (GDBusMessage) message = take (line);

      left[g_strcmp0 (g_dbus_message_get_destination (message), ALICE) == 0]--;
      g_assert_cmpint (abs ((int) left[0] - (int) left[1]), <=, AT_ONCE);
    }
}

/* What nobody has taken goes with the connection. */
static void
test_end (Line          *line,
          gconstpointer  data)
{
  call (line, ALICE, 1, REGIOND_GUARD_MOST_CALLS + 300);
  wait_until (line->calls.length == REGIOND_GUARD_MOST_CALLS);
  answer_all (line);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/backlog/" name, Line, NULL, line_set_up, func, line_tear_down)
  ADD ("who-calls-once-is-answered-before-who-calls-ninety-times", test_answers);
  ADD ("refusals-wait-for-everybody-else", test_refusals);
  ADD ("to-read-is-more-urgent-than-to-refuse", test_reading);
  ADD ("those-who-wait-have-their-turns", test_turns);
  ADD ("what-is-never-taken-goes-with-the-connection", test_end);
  return g_test_run ();
}
