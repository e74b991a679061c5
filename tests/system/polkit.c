/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "polkit.h"

#include <glib/gstdio.h>
#include <string.h>

#include "deadline.h"
#include "sandbox.h"

#define NAME "org.freedesktop.PolicyKit1"
#define AUTHORITY "/org/freedesktop/PolicyKit1/Authority"
#define INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_LOG SANDBOX_DIR "/polkitd.log"
#define PROBE "org.regiond1.test.probe"
#define RULES_FILE SANDBOX_RULES "/10-test.rules"
#define POLICY_FILE SANDBOX_ACTIONS "/org.regiond1.policy"
#define PROBE_FILE SANDBOX_ACTIONS "/org.regiond1.test.policy"

/* Every version of rules and actions has a number, which the probe shows. */
static guint rules_version;
static guint actions_version;

typedef struct
{
  GDBusConnection *root;
  const char *witness;
} Probe;

static GVariant *
call (GDBusConnection *root,
      const char *method,
      GVariant *parameters)
{
  return g_dbus_connection_call_sync (root, NAME, AUTHORITY, INTERFACE, method, parameters, NULL,
                                      G_DBUS_CALL_FLAGS_NO_AUTO_START, 2000, NULL, NULL);
}

static gboolean
rules_in_force (gpointer data)
{
  Probe *probe = data;
  g_autofree char *number = g_strdup_printf ("%u", rules_version);
  g_autoptr (GVariant) answer = NULL;
  gboolean authorized = FALSE;
  GVariant *parameters =
    g_variant_new_parsed ("(('system-bus-name', {'name': <%s>}), %s, {'version': %s}, @u 0, '')",
                          probe->witness, PROBE, number);

  answer = call (probe->root, "CheckAuthorization", parameters);
  if (answer)
    g_variant_get (answer, "((bb@a{ss}))", &authorized, NULL, NULL);
  return authorized;
}

static gboolean
actions_in_force (gpointer data)
{
  g_autofree char *number = g_strdup_printf ("version %u", actions_version);
  g_autoptr (GVariant) answer = call (data, "EnumerateActions", g_variant_new ("(s)", "C"));
  g_autoptr (GVariantIter) iter = NULL;
  const char *id, *description;

  if (!answer)
    return FALSE;
  g_variant_get (answer, "(a(ssssssuuua{ss}))", &iter);
  while (g_variant_iter_next (iter, "(&s&sssssuuua{ss})", &id, &description, NULL, NULL, NULL, NULL, NULL, NULL,
                              NULL, NULL))
    if (g_str_equal (id, PROBE))
      return g_str_equal (description, number);
  return FALSE;
}

/*
 * polkitd does not see a change that falls between its reading a folder and its
 * watching it: so the change is made again when it takes long.
 */
static void
write_until (const char *path,
             Condition in_force,
             gpointer data)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  for (guint i = 0; i < 10; i++)
    {
      if (wait_for (in_force, data, 2000))
        return;
      sandbox_write (path, text);
    }
  g_error ("polkitd does not take up %s", path);
}

void
polkit_write_rules (const char *rules)
{
  g_autofree char *text =
    g_strdup_printf ("polkit.addRule(function(action, subject) {"
                     "  if (action.id == '" PROBE "')"
                     "    return action.lookup('version') == '%u' ? polkit.Result.YES : polkit.Result.NO; });\n%s",
                     ++rules_version, rules);

  sandbox_write (RULES_FILE, text);
}

/* To be written last: once polkitd shows it, it shows what was written before. */
static void
write_probe_action (void)
{
  g_autofree char *probe =
    g_strdup_printf ("<policyconfig><action id='" PROBE "'><description>version %u</description>"
                     "<message>A probe</message><defaults><allow_any>no</allow_any>"
                     "<allow_inactive>no</allow_inactive><allow_active>no</allow_active></defaults>"
                     "</action></policyconfig>", ++actions_version);

  sandbox_write (PROBE_FILE, probe);
}

static void
write_actions (const char *implicit)
{
  g_autofree char *path = sandbox_installed ("usr/share/polkit-1/actions/org.regiond1.policy");
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  if (implicit)
    {
      g_autofree char *tag = g_strdup_printf (">%s</allow_", implicit);
      g_autoptr (GRegex) regex = g_regex_new (">[a-z_]+</allow_", 0, 0, NULL);
      g_autofree char *shipped = g_steal_pointer (&text);

      text = g_regex_replace_literal (regex, shipped, -1, 0, tag, 0, NULL);
      g_assert_cmpstr (text, !=, shipped);
    }
  sandbox_write (POLICY_FILE, text);
  write_probe_action ();
}

void
polkit_prepare (void)
{
  polkit_write_rules ("");
  write_actions (NULL);
}

Process *
polkit_start (GDBusConnection *root)
{
  const char *const argv[] = { "/usr/lib/polkit-1/polkitd", NULL };
  Process *polkitd = process_spawn (argv, NULL, NULL, POLKIT_LOG);

  wait_until (actions_in_force, root, 60000, "polkitd");
  return polkitd;
}

void
polkit_set_rules (GDBusConnection *root,
                  const char *witness,
                  const char *rules)
{
  Probe probe = { root, witness };

  polkit_write_rules (rules);
  write_until (RULES_FILE, rules_in_force, &probe);
}

char *
polkit_read_log (void)
{
  char *log = NULL;

  g_assert_true (g_file_get_contents (POLKIT_LOG, &log, NULL, NULL));
  return log;
}

guint
polkit_count_log (const char *word)
{
  g_autofree char *log = polkit_read_log ();
  g_auto (GStrv) parts = g_strsplit (log, word, -1);

  return log[0] != '\0' ? g_strv_length (parts) - 1 : 0;
}

void
polkit_expect_details (gboolean let_in)
{
  g_autofree char *log = polkit_read_log ();
  const char *seen = g_strrstr (log, "DETAIL");

  if (!let_in)
    g_error ("a rule saw something else: %s", seen ? seen : "nothing");
}

void
polkit_set_defaults (GDBusConnection *root,
                     const char *implicit)
{
  write_actions (implicit);
  write_until (PROBE_FILE, actions_in_force, root);
}

void
polkit_forget_actions (GDBusConnection *root)
{
  g_assert_cmpint (g_unlink (POLICY_FILE), ==, 0);
  write_probe_action ();
  write_until (PROBE_FILE, actions_in_force, root);
}
