/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bubble.h"

#include <stdlib.h>
#include <string.h>

#include "notice.h"

#define GATHER_MS 200
#define PAUSE_MS 2000
#define MOST_LINES 3

#define ACTION "revoke-"

typedef struct
{
  char *key;
  char *text;
  guint count;
  guint shown; /* with which showing for the first time; 0: not yet */
} Entry;

struct _AgentBubble
{
  GDBusConnection *session;
  AgentBubbleKind kind;
  AgentBubbleFunc func;
  gpointer data;
  guint subscription;
  guint watch;

  GPtrArray *entries; /* the newest last */
  guint dropped;      /* for which there is no line any more, and no entry */
  guint dropped_new;  /* of them, those that have not been shown */
  guint32 number;     /* of the notification; 0: none is shown */
  guint showing;      /* how often something was shown */
  gboolean busy;      /* it is being shown */
  gboolean changed;   /* since */
  gint64 next;        /* not before (monotonic µs) */
  guint timer;
  GCancellable *gone; /* cancelled: nobody is there to hear of it */
};

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->key);
  g_free (entry->text);
  g_free (entry);
}

static guint
count_all (AgentBubble *bubble)
{
  guint count = bubble->dropped;

  for (guint i = 0; i < bubble->entries->len; i++)
    count += ((Entry *) g_ptr_array_index (bubble->entries, i))->count;
  return count;
}

/* The newest lines, and how many others there are. */
static char *
build_body (AgentBubble *bubble,
            guint        count)
{
  GString *body = g_string_new (NULL);
  guint n = MIN (bubble->entries->len, MOST_LINES);

  for (guint i = bubble->entries->len - n; i < bubble->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (bubble->entries, i);

      g_string_append_printf (body, "%s%s", body->len > 0 ? "\n" : "", entry->text);
    }
  if (count > n)
    g_string_append_printf (body, "\nand %u more", count - n);
  return g_string_free (body, FALSE);
}

static void schedule (AgentBubble *bubble);

/* What was shown is not shown any more. What is being shown in its place has its lines,
 * too: whether that stands is known when it is answered. */
static void
forget_shown (AgentBubble *bubble)
{
  if (bubble->busy)
    return;

  bubble->number = 0;
  bubble->dropped = bubble->dropped_new;
  for (guint i = bubble->entries->len; i-- > 0;)
    if (((Entry *) g_ptr_array_index (bubble->entries, i))->shown != 0)
      g_ptr_array_remove_index (bubble->entries, i);
}

typedef struct
{
  AgentBubble *bubble;
  GCancellable *gone;
} Showing;

static void
on_shown (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  g_autofree Showing *showing = data;
  g_autoptr (GCancellable) gone = showing->gone;
  g_autoptr (GError) error = NULL;
  AgentBubble *bubble = showing->bubble;
  guint32 number = agent_notice_show_finish (result, &error);

  if (g_cancellable_is_cancelled (gone))
    return;

  bubble->busy = FALSE;
  bubble->number = number;
  if (number == 0)
    {
      g_message ("What happens to regions is shown to nobody: %s", error == NULL ? "no answer" : error->message);
      forget_shown (bubble);
    }
  if (bubble->changed)
    schedule (bubble);
}

static void
mark_shown (AgentBubble *bubble)
{
  bubble->showing++;
  bubble->dropped_new = 0;
  for (guint i = 0; i < bubble->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (bubble->entries, i);

      if (entry->shown == 0)
        entry->shown = bubble->showing;
    }
}

static guint
count_keys (AgentBubble *bubble)
{
  guint count = 0;

  for (guint i = 0; i < bubble->entries->len; i++)
    count += ((Entry *) g_ptr_array_index (bubble->entries, i))->key != NULL;
  return count;
}

static void
show (AgentBubble *bubble)
{
  guint count = count_all (bubble), keys = count_keys (bubble);
  g_autofree char *many = g_strdup_printf ("%u %s", count, bubble->kind.many);
  g_autofree char *body = build_body (bubble, count);
  g_autofree char *action = NULL;
  AgentNotice notice = {
    .replaces = bubble->number,
    .summary = count == 1 ? bubble->kind.one : many,
    .body = body,
    .label = keys == 1 ? bubble->kind.label : bubble->kind.label_many,
    .urgency = bubble->kind.urgency,
  };
  Showing *showing = g_new (Showing, 1);

  mark_shown (bubble);
  action = g_strdup_printf (ACTION "%u", bubble->showing);
  if (keys > 0 && bubble->kind.label != NULL)
    notice.action = action;
  bubble->busy = TRUE;
  bubble->changed = FALSE;
  bubble->next = g_get_monotonic_time () + PAUSE_MS * G_GINT64_CONSTANT (1000);
  *showing = (Showing){ bubble, g_object_ref (bubble->gone) };
  agent_notice_show (bubble->session, &notice, on_shown, showing);
}

static gboolean
on_time (gpointer data)
{
  AgentBubble *bubble = data;

  bubble->timer = 0;
  if (bubble->entries->len > 0)
    show (bubble);
  else if (bubble->number != 0)
    {
      agent_notice_close (bubble->session, bubble->number);
      bubble->number = 0;
    }
  return G_SOURCE_REMOVE;
}

/* A moment, for what comes together; and in its time. */
static void
schedule (AgentBubble *bubble)
{
  gint64 wait = (bubble->next - g_get_monotonic_time ()) / 1000;

  bubble->changed = TRUE;
  if (bubble->timer == 0 && !bubble->busy)
    bubble->timer = g_timeout_add (MAX (wait, GATHER_MS), on_time, bubble);
}

/* Who presses a button has read what was shown with it, not what has come since. */
static void
act (AgentBubble *bubble,
     guint        showing)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < bubble->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (bubble->entries, i);

      if (entry->key != NULL && entry->shown != 0 && entry->shown <= showing)
        g_ptr_array_add (keys, g_strdup (entry->key));
    }
  for (guint i = 0; i < keys->len; i++)
    bubble->func (g_ptr_array_index (keys, i), bubble->data);
}

static void
on_signal (GDBusConnection *session,
           const char      *sender,
           const char      *path,
           const char      *interface,
           const char      *signal,
           GVariant        *parameters,
           gpointer         data)
{
  AgentBubble *bubble = data;
  const char *action;
  guint32 number;

  if (g_str_equal (signal, "NotificationClosed") && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(uu)")))
    {
      g_variant_get (parameters, "(uu)", &number, NULL);
      if (number == bubble->number && number != 0)
        forget_shown (bubble);
    }
  else if (g_str_equal (signal, "ActionInvoked") && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(us)")))
    {
      g_variant_get (parameters, "(u&s)", &number, &action);
      if (number == bubble->number && number != 0 && g_str_has_prefix (action, ACTION))
        act (bubble, strtoul (action + strlen (ACTION), NULL, 10));
    }
}

/* What the notification service has shown went with it. */
static void
on_vanished (GDBusConnection *session,
             const char      *name,
             gpointer         data)
{
  forget_shown (data);
}

AgentBubble *
agent_bubble_new (GDBusConnection       *session,
                  const AgentBubbleKind *kind,
                  AgentBubbleFunc        func,
                  gpointer               data)
{
  AgentBubble *bubble = g_new0 (AgentBubble, 1);

  bubble->session = g_object_ref (session);
  bubble->kind = *kind;
  bubble->func = func;
  bubble->data = data;
  bubble->entries = g_ptr_array_new_with_free_func (entry_free);
  bubble->gone = g_cancellable_new ();
  bubble->subscription = g_dbus_connection_signal_subscribe (session, AGENT_NOTIFICATIONS, AGENT_NOTIFICATIONS, NULL,
                                                             AGENT_NOTIFICATIONS_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                             on_signal, bubble, NULL);
  bubble->watch = g_bus_watch_name_on_connection (session, AGENT_NOTIFICATIONS, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
                                                  on_vanished, bubble, NULL);
  return bubble;
}

void
agent_bubble_free (AgentBubble *bubble)
{
  g_cancellable_cancel (bubble->gone);
  g_object_unref (bubble->gone);
  g_clear_handle_id (&bubble->timer, g_source_remove);
  g_bus_unwatch_name (bubble->watch);
  g_dbus_connection_signal_unsubscribe (bubble->session, bubble->subscription);
  g_ptr_array_unref (bubble->entries);
  g_object_unref (bubble->session);
  g_free (bubble);
}

/* What has no key is only counted when there is no line for it any more. */
static void
drop_oldest (AgentBubble *bubble)
{
  guint keyless = bubble->entries->len - count_keys (bubble);
  guint i = 0;
  Entry *oldest;

  if (keyless <= MOST_LINES)
    return;

  while (((Entry *) g_ptr_array_index (bubble->entries, i))->key != NULL)
    i++;
  oldest = g_ptr_array_index (bubble->entries, i);
  bubble->dropped += oldest->count;
  bubble->dropped_new += oldest->shown == 0 ? oldest->count : 0;
  g_ptr_array_remove_index (bubble->entries, i);
}

void
agent_bubble_add (AgentBubble *bubble,
                  const char  *key,
                  const char  *text,
                  guint        count)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->key = g_strdup (key);
  entry->text = g_strdup (text);
  entry->count = count;
  g_ptr_array_add (bubble->entries, entry);
  drop_oldest (bubble);
  schedule (bubble);
}

void
agent_bubble_remove (AgentBubble *bubble,
                     const char  *key,
                     const char  *past)
{
  for (guint i = 0; i < bubble->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (bubble->entries, i);

      if (g_strcmp0 (entry->key, key) != 0)
        continue;

      if (entry->shown != 0)
        g_ptr_array_remove_index (bubble->entries, i);
      else
        {
          g_clear_pointer (&entry->key, g_free);
          g_free (entry->text);
          entry->text = g_strdup (past);
          drop_oldest (bubble);
        }
      schedule (bubble);
      return;
    }
}

guint
agent_bubble_count_entries (AgentBubble *bubble)
{
  return bubble->entries->len;
}
