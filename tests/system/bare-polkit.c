/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bare-polkit.h"

typedef struct
{
  GDBusConnection *bus;
  const char *subject;
  guint left;
  guint open;
} Questions;

static void ask_next (Questions *questions);

static void
on_answer (GObject *source,
           GAsyncResult *result,
           gpointer data)
{
  Questions *questions = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = g_dbus_connection_call_finish (questions->bus, result, &error);

  g_assert_no_error (error);
  questions->open--;
  ask_next (questions);
}

static void
ask_next (Questions *questions)
{
  g_autofree char *label = g_strdup_printf ("%u", questions->left);
  GVariant *question;

  if (questions->left == 0)
    return;
  questions->left--;
  questions->open++;
  question = g_variant_new_parsed ("(('system-bus-name', {'name': <%s>}), 'org.regiond1.read-region',"
                                   " {'device': 'loose', 'backend': 'memory', 'description': '', 'region': 'bar2',"
                                   " 'region_kind': 'memory', 'access': 'rm', 'offset': '0', 'length': '65536',"
                                   " 'exclusive': 'false', 'mechanism': 'memfd', 'revocation': 'on-close',"
                                   " 'label': %s, 'proof': ''}, @u 0, '')", questions->subject, label);
  g_dbus_connection_call (questions->bus, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                          "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization", question, NULL, 0, -1, NULL,
                          on_answer, questions);
}

double
bare_polkit_measure (GDBusConnection *root,
                     const char *subject,
                     guint count)
{
  Questions questions = { root, subject, count, 0 };
  gint64 start = g_get_monotonic_time ();

  ask_next (&questions);
  ask_next (&questions);
  while (questions.open > 0)
    g_main_context_iteration (NULL, TRUE);
  return (g_get_monotonic_time () - start) / 1000.0;
}
