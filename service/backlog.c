/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backlog.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

/* The bus is behind when so much is in the socket, as the kernel counts it: a
 * short message is some 1 KiB. And regiond is, when so much is on its way to it. */
#define UNREAD_MOST 4096

/* How much is sent then, and when to look again. */
#define BATCH 4
#define PAUSE_MS 2

/* Of one name's. More of its calls than that get their answer at once. */
#define REFUSED_MOST 1024

struct _RegiondBacklog {
  GWeakRef    connection;
  int         fd;       /* the connection's socket, or -1 */
  GHashTable *lines;    /* name -> Line */
  GQueue      turns;    /* Line; the next one first */
  GHashTable *released; /* messages on their way through the connection's queue */
  GSource    *pause;    /* NULL: nothing waits */
};

/* What waits for one name; there is none where nothing does. */
typedef struct {
  char   *name;
  GQueue  answers; /* GDBusMessage */
  GArray *refused; /* Refused; the order is nobody's concern */
} Line;

typedef struct {
  guint32               serial;
  const RegiondRefusal *refusal;
} Refused;

static void
line_free (Line *self)
{
  g_queue_clear_full (&self->answers, g_object_unref);
  g_array_unref (self->refused);
  g_free (self->name);
  g_free (self);
}

static int
find_socket (GDBusConnection *connection)
{
  GIOStream *stream = g_dbus_connection_get_stream (connection);

  if (!G_IS_SOCKET_CONNECTION (stream))
    return -1;

  return g_socket_get_fd (g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)));
}

RegiondBacklog *
regiond_backlog_new (GDBusConnection *connection)
{
  RegiondBacklog *self = g_atomic_rc_box_new0 (RegiondBacklog);

  g_weak_ref_init (&self->connection, connection);
  self->fd = find_socket (connection);
  self->lines = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) line_free);
  self->released = g_hash_table_new (NULL, NULL);
  g_queue_init (&self->turns);
  return self;
}

static void
clear (RegiondBacklog *self)
{
  g_queue_clear (&self->turns);
  g_hash_table_unref (self->lines);
  g_hash_table_unref (self->released);
  g_weak_ref_clear (&self->connection);
}

static void
release_reference (gpointer self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

void
regiond_backlog_free (RegiondBacklog *self)
{
  if (self->pause != NULL)
    g_source_destroy (self->pause);
  g_clear_pointer (&self->pause, g_source_unref);
  release_reference (self);
}

static gboolean
has_much (RegiondBacklog *self,
          gulong          request)
{
  int bytes = 0;

  return self->fd >= 0 && ioctl (self->fd, request, &bytes) == 0 && bytes > UNREAD_MOST;
}

static gboolean
is_bus_behind (RegiondBacklog *self)
{
  return g_hash_table_size (self->released) > 0 || has_much (self, SIOCOUTQ);
}

/* To read is more urgent than to answer those who can wait: somebody's call is
 * behind what they have sent. */
static gboolean
is_behind (RegiondBacklog *self)
{
  return is_bus_behind (self) || has_much (self, FIONREAD);
}

gboolean
regiond_backlog_is_needed (RegiondBacklog *self)
{
  return self->turns.length > 0 || is_behind (self);
}

static GDBusMessage *
make_refusal (const char           *name,
              guint32               serial,
              const RegiondRefusal *refusal)
{
  GDBusMessage *message = g_dbus_message_new ();

  g_dbus_message_set_message_type (message, G_DBUS_MESSAGE_TYPE_ERROR);
  g_dbus_message_set_flags (message, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
  g_dbus_message_set_destination (message, name);
  g_dbus_message_set_reply_serial (message, serial);
  g_dbus_message_set_error_name (message, refusal->error);
  g_dbus_message_set_body (message, g_variant_new ("(s)", refusal->why));
  return message;
}

static GDBusMessage *
take_one (Line *line)
{
  Refused last;

  if (!g_queue_is_empty (&line->answers))
    return g_queue_pop_head (&line->answers);

  last = g_array_index (line->refused, Refused, line->refused->len - 1);
  g_array_set_size (line->refused, line->refused->len - 1);
  return make_refusal (line->name, last.serial, last.refusal);
}

/* One of the line whose turn it is. */
static GDBusMessage *
take_next (RegiondBacklog *self)
{
  Line *line = g_queue_pop_head (&self->turns);
  GDBusMessage *message = take_one (line);

  if (g_queue_is_empty (&line->answers) && line->refused->len == 0)
    g_hash_table_remove (self->lines, line->name);
  else
    g_queue_push_tail (&self->turns, line);
  return message;
}

/* One that has been sent before has its number already. */
static void
send (RegiondBacklog  *self,
      GDBusConnection *connection,
      GDBusMessage    *message)
{
  GDBusSendMessageFlags flags = g_dbus_message_get_locked (message) ? G_DBUS_SEND_MESSAGE_FLAGS_PRESERVE_SERIAL
                                                                    : G_DBUS_SEND_MESSAGE_FLAGS_NONE;

  if (g_dbus_connection_send_message (connection, message, flags, NULL, NULL))
    g_hash_table_add (self->released, message);
}

static void
release (RegiondBacklog *self)
{
  g_autoptr (GDBusConnection) connection = g_weak_ref_get (&self->connection);

  for (guint i = 0; connection != NULL && i < BATCH && !g_queue_is_empty (&self->turns); i++)
    {
      g_autoptr (GDBusMessage) message = take_next (self);

      send (self, connection, message);
    }
}

static gboolean
on_pause_over (gpointer data)
{
  RegiondBacklog *self = data;

  /* However much there is to read: those who wait get something. */
  if (!is_bus_behind (self))
    release (self);
  if (!g_queue_is_empty (&self->turns))
    return G_SOURCE_CONTINUE;

  g_clear_pointer (&self->pause, g_source_unref);
  return G_SOURCE_REMOVE;
}

/* GDBus's thread has a context of its own. */
static void
look_later (RegiondBacklog *self)
{
  if (self->pause != NULL)
    return;

  self->pause = g_timeout_source_new (PAUSE_MS);
  g_source_set_callback (self->pause, on_pause_over, g_atomic_rc_box_acquire (self), release_reference);
  g_source_attach (self->pause, g_main_context_get_thread_default ());
}

static Line *
get_line (RegiondBacklog *self,
          const char     *name)
{
  Line *line = g_hash_table_lookup (self->lines, name);

  if (line != NULL)
    return line;

  line = g_new0 (Line, 1);
  line->name = g_strdup (name);
  g_queue_init (&line->answers);
  line->refused = g_array_new (FALSE, FALSE, sizeof (Refused));
  g_hash_table_insert (self->lines, line->name, line);
  g_queue_push_tail (&self->turns, line);
  look_later (self);
  return line;
}

void
regiond_backlog_hold (RegiondBacklog *self,
                      GDBusMessage   *answer)
{
  g_queue_push_tail (&get_line (self, g_dbus_message_get_destination (answer))->answers, answer);
}

gboolean
regiond_backlog_has_released (RegiondBacklog *self,
                              GDBusMessage   *message)
{
  if (!g_hash_table_remove (self->released, message))
    return FALSE;

  if (!g_queue_is_empty (&self->turns) && !is_behind (self))
    release (self);
  return TRUE;
}

void
regiond_backlog_refuse (RegiondBacklog       *self,
                        const char           *name,
                        guint32               serial,
                        const RegiondRefusal *refusal)
{
  Line *line = g_hash_table_lookup (self->lines, name);
  const Refused refused = { serial, refusal };

  if (!regiond_backlog_is_needed (self) || (line != NULL && line->refused->len >= REFUSED_MOST))
    {
      g_autoptr (GDBusConnection) connection = g_weak_ref_get (&self->connection);
      g_autoptr (GDBusMessage) message = make_refusal (name, serial, refusal);

      if (connection != NULL)
        g_dbus_connection_send_message (connection, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
    }
  else
    g_array_append_val (get_line (self, name)->refused, refused);
}
