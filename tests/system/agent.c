/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent.h"

#include <string.h>

#include "bus.h"
#include "sandbox.h"

#define OBJECT "/org/regiond1/test/Agent"
#define POLKIT "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority", \
               "org.freedesktop.PolicyKit1.Authority"

static const char interface_xml[] =
  "<node><interface name='org.freedesktop.PolicyKit1.AuthenticationAgent'>"
  "<method name='BeginAuthentication'>"
  "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='s' direction='in'/>"
  "<arg type='a{ss}' direction='in'/><arg type='s' direction='in'/><arg type='a(sa{sv})' direction='in'/>"
  "</method>"
  "<method name='CancelAuthentication'><arg type='s' direction='in'/></method>"
  "</interface></node>";

/* It runs in a thread: the test itself waits in calls. */
struct Agent
{
  GPid subject;
  AgentAnswer answer;
  GThread *thread;
  GMainContext *context;
  GMainLoop *loop;
  GMutex lock;
  GCond ready;
  gboolean running;
  char *message;
  guint count;
  guint withdrawn;
};

static guint64
start_time_of (GPid pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) fields = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  fields = g_strsplit (strrchr (text, ')') + 2, " ", -1);
  return g_ascii_strtoull (fields[19], NULL, 10);
}

static void
say_yes (GDBusConnection *connection,
         const char *cookie)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = NULL;
  GVariant *parameters =
    g_variant_new_parsed ("(@u 0, %s, ('unix-user', {'uid': <%u>}))", cookie, (guint) UID_ADMIN);

  answer = g_dbus_connection_call_sync (connection, POLKIT, "AuthenticationAgentResponse2", parameters, NULL, 0,
                                        5000, NULL, &error);
  g_assert_no_error (error);
}

static void
note_prompt (Agent *agent,
             const char *message)
{
  g_mutex_lock (&agent->lock);
  g_free (agent->message);
  agent->message = g_strdup (message);
  agent->count++;
  g_mutex_unlock (&agent->lock);
}

static void
on_call (GDBusConnection *connection,
         const char *sender,
         const char *path,
         const char *interface,
         const char *method,
         GVariant *parameters,
         GDBusMethodInvocation *invocation,
         gpointer data)
{
  Agent *agent = data;
  const char *message, *cookie;

  if (!g_str_equal (method, "BeginAuthentication"))
    {
      g_mutex_lock (&agent->lock);
      agent->withdrawn++;
      g_mutex_unlock (&agent->lock);
      g_dbus_method_invocation_return_value (invocation, NULL);
      return;
    }
  g_variant_get (parameters, "(&s&s&s@a{ss}&s@a(sa{sv}))", NULL, &message, NULL, NULL, &cookie, NULL);
  note_prompt (agent, message);
  switch (agent->answer)
    {
    case AGENT_YES:
      say_yes (connection, cookie);
      g_dbus_method_invocation_return_value (invocation, NULL);
      break;
    case AGENT_CANCEL:
      g_dbus_method_invocation_return_dbus_error (invocation, "org.freedesktop.PolicyKit1.Error.Cancelled", "No");
      break;
    case AGENT_SILENT:
      g_object_unref (invocation);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
register_agent (GDBusConnection *connection,
                Agent *agent)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = NULL;
  GVariant *parameters =
    g_variant_new_parsed ("(('unix-process', {'pid': <%u>, 'start-time': <%t>}), 'C', %s)", (guint) agent->subject,
                          start_time_of (agent->subject), OBJECT);

  answer = g_dbus_connection_call_sync (connection, POLKIT, "RegisterAuthenticationAgent", parameters, NULL, 0,
                                        5000, NULL, &error);
  g_assert_no_error (error);
}

static gpointer
run (gpointer data)
{
  Agent *agent = data;
  const GDBusInterfaceVTable vtable = { .method_call = on_call };
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (interface_xml, NULL);
  g_autoptr (GDBusConnection) connection = NULL;

  g_main_context_push_thread_default (agent->context);
  connection = bus_connect ();
  g_assert_nonnull (connection);
  g_dbus_connection_register_object (connection, OBJECT, node->interfaces[0], &vtable, agent, NULL, NULL);
  register_agent (connection, agent);

  g_mutex_lock (&agent->lock);
  agent->running = TRUE;
  g_cond_signal (&agent->ready);
  g_mutex_unlock (&agent->lock);
  g_main_loop_run (agent->loop);

  g_dbus_connection_close_sync (connection, NULL, NULL);
  g_main_context_pop_thread_default (agent->context);
  return NULL;
}

Agent *
agent_start (GPid subject,
             AgentAnswer answer)
{
  Agent *agent = g_new0 (Agent, 1);

  agent->subject = subject;
  agent->answer = answer;
  agent->context = g_main_context_new ();
  agent->loop = g_main_loop_new (agent->context, FALSE);
  agent->thread = g_thread_new ("agent", run, agent);
  g_mutex_lock (&agent->lock);
  while (!agent->running)
    g_cond_wait (&agent->ready, &agent->lock);
  g_mutex_unlock (&agent->lock);
  return agent;
}

char *
agent_get_message (Agent *agent)
{
  char *message;

  g_mutex_lock (&agent->lock);
  message = g_strdup (agent->message);
  g_mutex_unlock (&agent->lock);
  return message;
}

static guint
get_count (Agent *agent,
           guint *where)
{
  guint count;

  g_mutex_lock (&agent->lock);
  count = *where;
  g_mutex_unlock (&agent->lock);
  return count;
}

guint
agent_count (Agent *agent)
{
  return get_count (agent, &agent->count);
}

guint
agent_count_withdrawn (Agent *agent)
{
  return get_count (agent, &agent->withdrawn);
}

static gboolean
quit (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

void
agent_free (Agent *agent)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_callback (source, quit, agent->loop, NULL);
  g_source_attach (source, agent->context);
  g_thread_join (agent->thread);
  g_main_loop_unref (agent->loop);
  g_main_context_unref (agent->context);
  g_free (agent->message);
  g_free (agent);
}
