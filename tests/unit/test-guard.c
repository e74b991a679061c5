/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "guard.h"

#include <fcntl.h>
#include <errno.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

/* A guarded connection in this process, whose one object counts what reaches it. */
#define OBJECT "/org/regiond1/counter"
#define INTERFACE "org.regiond1.test.Counter"

static const char interface_xml[] =
    "<node><interface name='" INTERFACE "'><method name='Count'><arg type='s' direction='in'/></method>"
    "<method name='Verify'/></interface></node>";

typedef struct {
  Fixture         *fixture;
  GDBusConnection *service;
  GDBusConnection *client;
  guint            object;
  guint            counted;
  int              fds; /* that have come with calls */
  GQueue          *kept;   /* invocations that are answered later; NULL: at once */
  int              answers; /* that have come to the client, on GDBus's thread */
  int              errors; /* that have come to the client, on GDBus's thread */
  GAsyncQueue     *listings; /* that were handed over; not answered */
  RegiondStrays   *strays;
  RegiondClients  *clients;
  RegiondProofs   *proofs;
} Guarded;

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
  Guarded *self = data;

  GUnixFDList *list = g_dbus_message_get_unix_fd_list (g_dbus_method_invocation_get_message (invocation));

  self->counted++;
  self->fds += list != NULL ? g_unix_fd_list_get_length (list) : 0;
  if (self->kept != NULL)
    g_queue_push_tail (self->kept, invocation);
  else
    g_dbus_method_invocation_return_value (invocation, NULL);
}

static const GDBusInterfaceVTable vtable = { .method_call = on_call };

static GDBusMessage *
count_errors (GDBusConnection *connection,
              GDBusMessage    *message,
              gboolean         incoming,
              gpointer         data)
{
  if (incoming && g_dbus_message_get_message_type (message) == G_DBUS_MESSAGE_TYPE_METHOD_RETURN)
    g_atomic_int_inc (&((Guarded *) data)->answers);
  if (incoming && g_dbus_message_get_message_type (message) == G_DBUS_MESSAGE_TYPE_ERROR)
    g_atomic_int_inc (&((Guarded *) data)->errors);
  return message;
}

static void
on_vanished (gpointer lease)
{
  g_assert_not_reached ();
}

static void
take_listing (gpointer      data,
              GDBusMessage *call)
{
  g_async_queue_push (data, call);
}

static void
guarded_set_up (Guarded       *self,
                gconstpointer  data)
{
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (interface_xml, NULL);
  g_autoptr (GError) error = NULL;

  *self = (Guarded){ .fixture = fixture_new () };
  self->service = fixture_connect (self->fixture);
  self->client = fixture_connect (self->fixture);
  self->listings = g_async_queue_new_full (g_object_unref);
  self->strays = regiond_strays_new ();
  self->clients = regiond_clients_new (self->service, on_vanished);
  self->proofs = regiond_proofs_new (1000);
  regiond_strays_start (self->strays, self->clients, self->proofs);
  regiond_guard_calls (self->service, self->strays, take_listing, g_async_queue_ref (self->listings),
                       (GDestroyNotify) g_async_queue_unref);
  self->object = g_dbus_connection_register_object (self->service, OBJECT, node->interfaces[0], &vtable, self, NULL,
                                                    &error);
  g_assert_no_error (error);
  g_dbus_connection_add_filter (self->client, count_errors, self, NULL);
}

static void
guarded_tear_down (Guarded       *self,
                   gconstpointer  data)
{
  g_dbus_connection_unregister_object (self->service, self->object);
  client_leave (self->client);
  client_leave (self->service);
  g_async_queue_unref (self->listings);
  regiond_strays_stop (self->strays);
  regiond_strays_unref (self->strays);
  regiond_clients_free (self->clients);
  regiond_proofs_free (self->proofs);
  fixture_free (self->fixture);
}

static GDBusMessage *
make_call (Guarded    *self,
           const char *path,
           gsize       length)
{
  GDBusMessage *message = g_dbus_message_new_method_call (g_dbus_connection_get_unique_name (self->service), path,
                                                          INTERFACE, "Count");

  g_dbus_message_set_body (message, g_variant_new ("(@s)", g_variant_new_take_string (g_strnfill (length, 'x'))));
  return message;
}

typedef struct {
  gboolean      done;
  GDBusMessage *reply;
} Answer;

static void
on_answer (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  Answer *answer = data;
  g_autoptr (GError) error = NULL;

  answer->reply = g_dbus_connection_send_message_with_reply_finish (G_DBUS_CONNECTION (source), result, &error);
  g_assert_no_error (error);
  answer->done = TRUE;
}

/* The error of the call's answer, or NULL. */
static GError *
call (Guarded    *self,
      const char *path,
      gsize       length)
{
  g_autoptr (GDBusMessage) message = make_call (self, path, length);
  Answer answer = { FALSE, NULL };
  GError *error = NULL;

  g_dbus_connection_send_message_with_reply (self->client, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, G_MAXINT, NULL,
                                             NULL, on_answer, &answer);
  wait_until (answer.done);
  g_dbus_message_to_gerror (answer.reply, &error);
  g_object_unref (answer.reply);
  return error;
}

static char *
make_path (gsize length)
{
  char *path = g_strnfill (length, 'p');

  path[0] = '/';
  return path;
}

static void
test_ordinary (Guarded       *guarded,
               gconstpointer  data)
{
  g_autoptr (GError) error = call (guarded, OBJECT, 1000);

  g_assert_no_error (error);
  g_assert_cmpuint (guarded->counted, ==, 1);
}

static void
test_long_path (Guarded       *guarded,
                gconstpointer  data)
{
  g_autofree char *endless = make_path (2000), *longest = make_path (1024);
  g_autoptr (GError) refused = call (guarded, endless, 1);
  g_autoptr (GError) unknown = NULL, error = NULL;

  assert_error_says (refused, G_DBUS_ERROR, G_DBUS_ERROR_LIMITS_EXCEEDED, "too long", "1024");
  g_assert_null (strstr (refused->message, "ppp"));

  /* As long as may be: nobody's fault but that there is nothing. */
  unknown = call (guarded, longest, 1);
  g_assert_error (unknown, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
  error = call (guarded, OBJECT, 1);
  g_assert_no_error (error);
}

static void
test_long_arguments (Guarded       *guarded,
                     gconstpointer  data)
{
  g_autoptr (GError) refused = call (guarded, OBJECT, 100 * 1024);
  g_autoptr (GError) error = NULL;

  assert_error_says (refused, G_DBUS_ERROR, G_DBUS_ERROR_LIMITS_EXCEEDED, "too long", "65536");
  g_assert_cmpuint (guarded->counted, ==, 0);
  error = call (guarded, OBJECT, 60 * 1024);
  g_assert_no_error (error);
  g_assert_cmpuint (guarded->counted, ==, 1);
}

static void
test_no_reply (Guarded       *guarded,
               gconstpointer  data)
{
  g_autoptr (GDBusMessage) message = make_call (guarded, OBJECT, 100 * 1024);
  g_autoptr (GError) error = NULL;

  g_dbus_message_set_flags (message, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
  g_assert_true (g_dbus_connection_send_message (guarded->client, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL));

  /* Messages keep their order: an error would have come before this answer. */
  error = call (guarded, OBJECT, 1);
  g_assert_no_error (error);
  g_assert_cmpuint (guarded->counted, ==, 1);
  g_assert_cmpint (g_atomic_int_get (&guarded->errors), ==, 0);
}

static void
send (Guarded         *self,
      GDBusConnection *client,
      gboolean         mute)
{
  g_autoptr (GDBusMessage) message = make_call (self, OBJECT, 1);

  if (mute)
    g_dbus_message_set_flags (message, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
  g_assert_true (g_dbus_connection_send_message (client, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL));
}

static void
answer_kept (Guarded *self,
             guint    most)
{
  for (guint i = 0; i < most && !g_queue_is_empty (self->kept); i++)
    g_dbus_method_invocation_return_value (g_queue_pop_head (self->kept), NULL);
}

/* @data: whether they want no answer. */
static void
test_flood (Guarded       *guarded,
            gconstpointer  data)
{
  gboolean mute = GPOINTER_TO_INT (data);
  g_autoptr (GQueue) kept = g_queue_new ();
  g_autoptr (GError) error = NULL, none = NULL;
  GDBusConnection *other;

  guarded->kept = kept;
  for (guint i = 0; i < REGIOND_GUARD_MOST_CALLS; i++)
    send (guarded, guarded->client, mute);
  wait_until (guarded->counted == REGIOND_GUARD_MOST_CALLS);

  /* One more reaches nobody. */
  error = call (guarded, OBJECT, 1);
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "96");
  send (guarded, guarded->client, TRUE);
  g_clear_error (&error);
  error = call (guarded, OBJECT, 1);
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpuint (guarded->counted, ==, REGIOND_GUARD_MOST_CALLS);

  /* Others have nothing to do with it. */
  other = fixture_connect (guarded->fixture);
  g_dbus_connection_add_filter (other, count_errors, guarded, NULL);
  send (guarded, other, FALSE);
  wait_until (guarded->counted == REGIOND_GUARD_MOST_CALLS + 1);

  /* As many more as are answered: all of them are when the one that is answered last is. */
  answer_kept (guarded, 3);
  g_dbus_method_invocation_return_value (g_queue_pop_tail (kept), NULL);
  wait_until (g_atomic_int_get (&guarded->answers) == (mute ? 1 : 4));
  for (guint i = 0; i < 3; i++)
    send (guarded, guarded->client, mute);
  wait_until (guarded->counted == REGIOND_GUARD_MOST_CALLS + 4);
  answer_kept (guarded, G_MAXUINT);
  guarded->kept = NULL;
  none = call (guarded, OBJECT, 1);
  g_assert_no_error (none);
  g_assert_cmpint (g_atomic_int_get (&guarded->answers), ==, mute ? 2 : REGIOND_GUARD_MOST_CALLS + 5);
  client_leave (other);
}

/* Answered, and what it was answered with. */
static GError *
ask (Guarded         *self,
     GDBusConnection *client,
     const char      *method)
{
  g_autoptr (GDBusMessage) message = g_dbus_message_new_method_call (
      g_dbus_connection_get_unique_name (self->service), OBJECT, INTERFACE, method);
  Answer answer = { FALSE, NULL };
  GError *error = NULL;

  g_dbus_connection_send_message_with_reply (client, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, G_MAXINT, NULL, NULL,
                                             on_answer, &answer);
  wait_until (answer.done);
  g_dbus_message_to_gerror (answer.reply, &error);
  g_object_unref (answer.reply);
  return error;
}

/* One that is kept, and whose answer goes to nobody. */
static void
ask_kept (Guarded         *self,
          GDBusConnection *client,
          const char      *method,
          guint            serial)
{
  g_autoptr (GDBusMessage) message = g_dbus_message_new_method_call (
      g_dbus_connection_get_unique_name (self->service), OBJECT, INTERFACE, method);

  g_dbus_message_set_flags (message, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
  if (serial != 0)
    g_dbus_message_set_serial (message, serial);
  g_assert_true (g_dbus_connection_send_message (client, message,
                                                 serial != 0 ? G_DBUS_SEND_MESSAGE_FLAGS_PRESERVE_SERIAL
                                                             : G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL));
}

static GDBusMessage *
make_listing (Guarded    *self,
              const char *path,
              const char *interface)
{
  return g_dbus_message_new_method_call (g_dbus_connection_get_unique_name (self->service), path, interface,
                                         "GetManagedObjects");
}

/* It is expected to be refused, or not to be known. */
static GError *
ask_listing (Guarded      *self,
             GDBusMessage *taken)
{
  g_autoptr (GDBusMessage) message = taken;
  Answer answer = { FALSE, NULL };
  GError *error = NULL;

  g_dbus_connection_send_message_with_reply (self->client, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, G_MAXINT, NULL,
                                             NULL, on_answer, &answer);
  wait_until (answer.done);
  g_dbus_message_to_gerror (answer.reply, &error);
  g_object_unref (answer.reply);
  return error;
}

/* To be handed over; nobody waits for the answer. */
static void
send_listing (Guarded      *self,
              GDBusMessage *taken)
{
  g_autoptr (GDBusMessage) message = taken;

  g_assert_true (g_dbus_connection_send_message (self->client, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL));
}

static void
answer_listing (Guarded *self)
{
  g_autoptr (GDBusMessage) call = g_async_queue_pop (self->listings);
  g_autoptr (GDBusMessage) reply = g_dbus_message_new_method_reply (call);

  g_assert_cmpstr (g_dbus_message_get_sender (call), ==, g_dbus_connection_get_unique_name (self->client));
  g_assert_true (g_dbus_connection_send_message (self->service, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL));
}

#define MANAGER "org.freedesktop.DBus.ObjectManager"

static void
test_listings (Guarded       *guarded,
               gconstpointer  data)
{
  g_autoptr (GError) second = NULL, again = NULL, other = NULL;

  send_listing (guarded, make_listing (guarded, MANAGER_PATH, MANAGER));
  second = ask_listing (guarded, make_listing (guarded, MANAGER_PATH, MANAGER));
  assert_error_says (second, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "this connection", "try again");
  other = call (guarded, OBJECT, 1);
  g_assert_no_error (other);

  /* When it has its answer it may ask again, and leave out the interface. */
  answer_listing (guarded);
  send_listing (guarded, make_listing (guarded, MANAGER_PATH, NULL));
  answer_listing (guarded);
  again = call (guarded, OBJECT, 1);
  g_assert_no_error (again);
  g_assert_cmpint (g_async_queue_length (guarded->listings), ==, 0);
}

/* What only looks like it is the bus library's to refuse, and one that wants no
 * answer is nobody's work. */
static void
test_no_listings (Guarded       *guarded,
                  gconstpointer  data)
{
  g_autoptr (GError) path = ask_listing (guarded, make_listing (guarded, OBJECT, MANAGER));
  g_autoptr (GDBusMessage) mute = NULL;
  g_autoptr (GError) interface = NULL, arguments = NULL, none = NULL;
  GDBusMessage *more;

  g_assert_error (path, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
  interface = ask_listing (guarded, make_listing (guarded, MANAGER_PATH, INTERFACE));
  g_assert_error (interface, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
  more = make_listing (guarded, MANAGER_PATH, MANAGER);
  g_dbus_message_set_body (more, g_variant_new ("(s)", "all"));
  arguments = ask_listing (guarded, more);
  g_assert_nonnull (arguments);
  mute = make_listing (guarded, MANAGER_PATH, MANAGER);
  g_dbus_message_set_flags (mute, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
  send_listing (guarded, g_steal_pointer (&mute));
  none = call (guarded, OBJECT, 1);
  g_assert_no_error (none);
  g_assert_cmpint (g_async_queue_length (guarded->listings), ==, 0);
}

static void
test_verifies (Guarded       *guarded,
               gconstpointer  data)
{
  g_autoptr (GQueue) kept = g_queue_new ();
  g_autoptr (GError) ninth = NULL, again = NULL, none = NULL;

  guarded->kept = kept;
  for (guint i = 0; i < REGIOND_GUARD_MOST_VERIFIES; i++)
    ask_kept (guarded, guarded->client, "Verify", 0);
  wait_until (guarded->counted == REGIOND_GUARD_MOST_VERIFIES);
  ninth = ask (guarded, guarded->client, "Verify");
  assert_error_says (ninth, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "8", "try again");
  again = ask (guarded, guarded->client, "Verify");
  g_assert_error (again, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpuint (guarded->counted, ==, REGIOND_GUARD_MOST_VERIFIES);
  answer_kept (guarded, 1);
  guarded->kept = NULL;
  none = ask (guarded, guarded->client, "Verify");
  g_assert_no_error (none);
  guarded->kept = kept;
  answer_kept (guarded, G_MAXUINT);
}

static void
test_same_serial (Guarded       *guarded,
                  gconstpointer  data)
{
  g_autoptr (GQueue) kept = g_queue_new ();
  guint same = 0;
  g_autoptr (GError) error = NULL;

  guarded->kept = kept;
  for (guint i = 0; i < 20; i++)
    ask_kept (guarded, guarded->client, "Verify", 1000000);
  for (guint i = 1; i < REGIOND_GUARD_MOST_VERIFIES; i++)
    ask_kept (guarded, guarded->client, "Verify", 0);
  error = ask (guarded, guarded->client, "Verify");
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpuint (guarded->counted, ==, REGIOND_GUARD_MOST_VERIFIES);
  for (GList *link = kept->head; link != NULL; link = link->next)
    same += g_dbus_message_get_serial (g_dbus_method_invocation_get_message (link->data)) == 1000000;
  g_assert_cmpuint (same, ==, 1);
  answer_kept (guarded, G_MAXUINT);
}

/* Sends the client's message, which is taken, with one end of a pipe; the other one is returned. */
static int
send_with_pipe (Guarded      *self,
                GDBusMessage *message)
{
  g_autoptr (GDBusMessage) taken = message;
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  g_autoptr (GError) error = NULL;
  int ends[2];

  g_assert_true (g_unix_open_pipe (ends, FD_CLOEXEC, NULL));
  g_assert_true (g_unix_set_fd_nonblocking (ends[0], TRUE, NULL));
  g_unix_fd_list_append (list, ends[1], &error);
  g_assert_no_error (error);
  close (ends[1]);
  g_dbus_message_set_destination (taken, g_dbus_connection_get_unique_name (self->service));
  g_dbus_message_set_unix_fd_list (taken, list);
  g_dbus_connection_send_message (self->client, taken, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, &error);
  g_assert_no_error (error);
  return ends[0];
}

/* Takes @end. */
static void
wait_nobody_has_the_other (int end)
{
  char byte;

  wait_until (read (end, &byte, 1) == 0);
  close (end);
}

static void
test_fds (Guarded       *guarded,
          gconstpointer  data)
{
  g_autoptr (GQueue) kept = g_queue_new ();
  int end;

  guarded->kept = kept;
  end = send_with_pipe (guarded, make_call (guarded, OBJECT, 1));
  wait_until (guarded->counted == 1);
  g_assert_cmpint (guarded->fds, ==, 0);
  /* The call still waits. */
  wait_nobody_has_the_other (end);
  answer_kept (guarded, G_MAXUINT);
}

/* Where strays are left open whoever lets go of the message has not closed what came with it. Takes @end. */
static void
check_strayed (Guarded *self,
               int      end)
{
  g_autoptr (GError) error = ask (self, self->client, "Verify");
  char byte;

  g_assert_no_error (error);
  g_assert_cmpint (read (end, &byte, 1), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  close (end);
}

/* OpenRegion and AttachLease have until the answer to take theirs. */
static void
test_left_fds (Guarded       *guarded,
               gconstpointer  data)
{
  int end;

  regiond_strays_stop (guarded->strays);
  end = send_with_pipe (guarded, g_dbus_message_new_method_call (NULL, OBJECT, INTERFACE, "OpenRegion"));
  /* There is no such method: nobody has even looked at it. */
  wait_until (g_atomic_int_get (&guarded->errors) == 1);
  check_strayed (guarded, end);
}

static void
test_signal_with_fds (Guarded       *guarded,
                      gconstpointer  data)
{
  regiond_strays_stop (guarded->strays);
  check_strayed (guarded, send_with_pipe (guarded, g_dbus_message_new_signal (OBJECT, INTERFACE, "Gift")));
}

static void
test_served (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *endless = make_path (2000), *text = g_strnfill (100 * 1024, 'x');
  g_autoptr (GError) path = NULL, arguments = NULL;

  g_assert_null (client_call (f->person, endless, "Device", "Verify", NULL, &path));
  g_assert_error (path, G_DBUS_ERROR, G_DBUS_ERROR_LIMITS_EXCEEDED);
  g_assert_null (client_call (f->person, SHM0, "Device", "Verify", g_variant_new ("(s)", text), &arguments));
  g_assert_error (arguments, G_DBUS_ERROR, G_DBUS_ERROR_LIMITS_EXCEEDED);
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
add_tests (void)
{
#define ADD_WITH(name, data, func) g_test_add ("/guard/" name, Guarded, data, guarded_set_up, func, guarded_tear_down)
#define ADD(name, func) ADD_WITH (name, NULL, func)
  ADD ("an-ordinary-call-is-answered", test_ordinary);
  ADD ("a-long-path-is-turned-away-unrepeated", test_long_path);
  ADD ("long-arguments-reach-nobody", test_long_arguments);
  ADD ("who-wants-no-answer-gets-none", test_no_reply);
  ADD_WITH ("one-more-call-than-may-be-unanswered-reaches-nobody", GINT_TO_POINTER (FALSE), test_flood);
  ADD_WITH ("calls-that-want-no-answer-count-as-well", GINT_TO_POINTER (TRUE), test_flood);
  ADD ("a-connection-has-one-list-of-everything", test_listings);
  ADD ("what-is-no-list-of-everything-goes-its-way", test_no_listings);
  ADD ("a-connection-has-few-verifications", test_verifies);
  ADD ("a-serial-taken-twice-outwits-nobody", test_same_serial);
  ADD ("descriptors-that-nobody-takes-are-closed", test_fds);
  ADD ("descriptors-that-come-with-a-signal-are-strays", test_signal_with_fds);
  ADD ("descriptors-that-are-left-are-strays-once-there-is-an-answer", test_left_fds);
  g_test_add_func ("/guard/the-service-is-guarded", test_served);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
