/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "desk.h"

#include <string.h>

#include "bubble.h"
#include "leases.h"

#define REVOKE_REASON "asked for at the desktop"

static const AgentBubbleKind got = { "Region in use", "regions in use", "Revoke", "Revoke all", 0 };
static const AgentBubbleKind lost = { "Region lost", "regions lost", NULL, NULL, 1 };
static const AgentBubbleKind refused = { "Region refused", "regions refused", NULL, NULL, 0 };
static const AgentBubbleKind failed = { "Region not revoked", "regions not revoked", NULL, NULL, 1 };

struct _AgentDesk
{
  GDBusConnection *system;
  AgentBubble *got;
  AgentBubble *lost;
  AgentBubble *refused;
  AgentBubble *failed;
  AgentLeases *leases;
  GQueue revokes;    /* object paths: of the first one the answer is awaited */
  gboolean declined; /* one of them was not allowed */
  GCancellable *gone;
};

static void revoke_next (AgentDesk *desk);

static void
on_revoked (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  AgentDesk *desk = data;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;

  g_free (g_queue_pop_head (&desk->revokes));
  if (reply == NULL)
    {
      desk->declined |= g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED);
      g_dbus_error_strip_remote_error (error);
      agent_bubble_add (desk->failed, NULL, error->message, 1);
    }
  revoke_next (desk);
}

/* An administrator's password may be asked for, and that takes its time. Who does not give it
 * is not asked about the rest. */
static void
revoke_next (AgentDesk *desk)
{
  const char *lease = g_queue_peek_head (&desk->revokes);
  GDBusCallFlags flags = G_DBUS_CALL_FLAGS_NO_AUTO_START;

  if (lease == NULL)
    {
      desk->declined = FALSE;
      return;
    }

  if (!desk->declined)
    flags |= G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION;
  g_dbus_connection_call (desk->system, "org.regiond1", lease, "org.regiond1.Lease", "Revoke",
                          g_variant_new ("(sa{sv})", REVOKE_REASON, NULL), NULL, flags, G_MAXINT, desk->gone,
                          on_revoked, desk);
}

/* NULL: it is not to be revoked. */
static GList *
find_revoke (AgentDesk  *desk,
             const char *lease)
{
  return g_queue_find_custom (&desk->revokes, lease, (GCompareFunc) strcmp);
}

/* One after the other: the service takes so many calls of one connection, and a person one prompt. */
static void
revoke_lease (const char *lease,
              gpointer    data)
{
  AgentDesk *desk = data;

  if (find_revoke (desk, lease) != NULL)
    return;

  g_queue_push_tail (&desk->revokes, g_strdup (lease));
  if (desk->revokes.length == 1)
    revoke_next (desk);
}

/* It has ended. */
static void
forget_lease (AgentDesk       *desk,
              const AgentNews *news)
{
  GList *revoke = find_revoke (desk, news->lease);

  agent_bubble_remove (desk->got, news->lease, news->text);
  if (revoke == NULL || revoke == desk->revokes.head)
    return;

  g_free (revoke->data);
  g_queue_delete_link (&desk->revokes, revoke);
}

static void
on_news (const AgentNews *news,
         gpointer         data)
{
  AgentDesk *desk = data;

  switch (news->kind)
    {
    case AGENT_NEWS_GOT:
      agent_bubble_add (desk->got, news->lease, news->text, news->count);
      break;
    case AGENT_NEWS_LEFT:
      forget_lease (desk, news);
      break;
    case AGENT_NEWS_LOST:
      forget_lease (desk, news);
      agent_bubble_add (desk->lost, NULL, news->text, news->count);
      break;
    case AGENT_NEWS_REFUSED:
      agent_bubble_add (desk->refused, NULL, news->text, news->count);
      break;
    default:
      g_assert_not_reached ();
    }
}

AgentDesk *
agent_desk_new (GDBusConnection *system,
                GDBusConnection *session,
                guint32          uid)
{
  AgentDesk *desk = g_new (AgentDesk, 1);

  *desk = (AgentDesk){
    .revokes = G_QUEUE_INIT,
    .system = g_object_ref (system),
    .got = agent_bubble_new (session, &got, revoke_lease, desk),
    .lost = agent_bubble_new (session, &lost, NULL, NULL),
    .refused = agent_bubble_new (session, &refused, NULL, NULL),
    .failed = agent_bubble_new (session, &failed, NULL, NULL),
    .gone = g_cancellable_new (),
  };
  desk->leases = agent_leases_new (system, uid, on_news, desk);
  return desk;
}

void
agent_desk_free (AgentDesk *desk)
{
  g_cancellable_cancel (desk->gone);
  agent_leases_free (desk->leases);
  agent_bubble_free (desk->got);
  agent_bubble_free (desk->lost);
  agent_bubble_free (desk->refused);
  agent_bubble_free (desk->failed);
  g_queue_clear_full (&desk->revokes, g_free);
  g_object_unref (desk->gone);
  g_object_unref (desk->system);
  g_free (desk);
}
