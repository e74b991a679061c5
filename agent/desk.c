/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "desk.h"

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
  GCancellable *gone;
};

static void
on_revoked (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  AgentDesk *desk = data;

  if (reply != NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;

  g_dbus_error_strip_remote_error (error);
  agent_bubble_add (desk->failed, NULL, error->message, 1);
}

/* An administrator's password may be asked for, and that takes its time. */
static void
revoke_lease (const char *lease,
              gpointer    data)
{
  AgentDesk *desk = data;

  g_dbus_connection_call (desk->system, "org.regiond1", lease, "org.regiond1.Lease", "Revoke",
                          g_variant_new ("(sa{sv})", REVOKE_REASON, NULL), NULL,
                          G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION | G_DBUS_CALL_FLAGS_NO_AUTO_START,
                          G_MAXINT, desk->gone, on_revoked, desk);
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
      agent_bubble_remove (desk->got, news->lease, news->text);
      break;
    case AGENT_NEWS_LOST:
      agent_bubble_remove (desk->got, news->lease, news->text);
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
  g_object_unref (desk->gone);
  g_object_unref (desk->system);
  g_free (desk);
}
