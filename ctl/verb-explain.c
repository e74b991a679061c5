/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "error.h"
#include "json.h"
#include "lease-options.h"
#include "options.h"
#include "rule.h"
#include "spec.h"
#include "text.h"

static GVariant *
explain (CtlBus                *bus,
         const CtlSpec         *spec,
         const CtlLeaseOptions *wanted,
         const char            *client,
         GError               **error)
{
  g_autofree char *path = ctl_bus_find_device (bus, spec->device, error);
  GVariantBuilder options;

  if (path == NULL)
    return NULL;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  ctl_lease_options_add (wanted, &options);
  if (client != NULL)
    g_variant_builder_add (&options, "{sv}", "client", g_variant_new_string (client));
  return ctl_bus_call_authorized (bus, CTL_MANAGER_PATH, CTL_MANAGER_INTERFACE, "Explain",
                                  g_variant_new ("(ossa{sv})", path, spec->region, spec->access, &options), "(a{sv})",
                                  NULL, error);
}

static const char *
get_string (GVariant   *explanation,
            const char *key)
{
  const char *value = "";

  g_variant_lookup (explanation, key, "&s", &value);
  return value;
}

static void
print_line (const char *title,
            const char *text)
{
  g_autofree char *clean = ctl_text_clean (text);

  printf ("%*s: %s\n", 12, title, *clean == '\0' ? "-" : clean);
}

static int
compare_lines (gconstpointer a,
               gconstpointer b)
{
  return g_strcmp0 (*(const char *const *) a, *(const char *const *) b);
}

static void
print_details (GVariant *explanation)
{
  g_autoptr (GVariant) details = g_variant_lookup_value (explanation, "details", G_VARIANT_TYPE ("a{ss}"));
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  GVariantIter iter;
  const char *key, *value;

  if (details == NULL)
    return;

  g_variant_iter_init (&iter, details);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value))
    g_ptr_array_add (lines, g_strdup_printf ("%s = %s", key, value));
  g_ptr_array_sort (lines, compare_lines);
  for (guint i = 0; i < lines->len; i++)
    print_line (i == 0 ? "Details" : "", lines->pdata[i]);
}

static void
print_text (GVariant *explanation)
{
  const char *result = get_string (explanation, "result");

  print_line ("Result", g_str_equal (result, "challenge") ? "challenge (a password would do)" : result);
  print_line ("In the way", get_string (explanation, "blocker"));
  print_line ("Mechanism", get_string (explanation, "mechanism"));
  print_line ("Revocation", get_string (explanation, "revocation"));
  print_line ("Action", get_string (explanation, "action"));
  print_details (explanation);
}

/* The user of this process, or of the client. */
static gboolean
find_uid (CtlBus     *bus,
          const char *client,
          guint32    *uid,
          GError    **error)
{
  g_autoptr (GVariant) reply = NULL;

  *uid = getuid ();
  if (client == NULL)
    return TRUE;

  reply = g_dbus_connection_call_sync (ctl_bus_get_connection (bus), "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "GetConnectionUnixUser", g_variant_new ("(s)", client),
                                       G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);
  if (reply != NULL)
    g_variant_get (reply, "(u)", uid);
  return reply != NULL;
}

static gboolean
print_rule (CtlBus     *bus,
            GVariant   *explanation,
            const char *client,
            const char *group,
            GError    **error)
{
  g_autoptr (GVariant) details = g_variant_lookup_value (explanation, "details", G_VARIANT_TYPE ("a{ss}"));
  CtlRuleSubject subject = { NULL, group };
  g_autofree char *rule = NULL;
  struct passwd *entry;
  guint32 uid;

  if (*get_string (explanation, "mechanism") == '\0')
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "No rule would help: %s", get_string (explanation, "blocker"));
      return FALSE;
    }
  if (!find_uid (bus, client, &uid, error))
    return FALSE;

  entry = getpwuid (uid);
  if (group == NULL && entry == NULL)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "User %u has no name for a rule; give --group", uid);
      return FALSE;
    }

  subject.user = entry != NULL ? entry->pw_name : NULL;
  rule = ctl_rule_make (get_string (explanation, "action"), details, &subject);
  printf ("%s", rule);
  return TRUE;
}

static gboolean
would_be_let_in (GVariant *explanation)
{
  return g_str_equal (get_string (explanation, "result"), "yes") && *get_string (explanation, "blocker") == '\0';
}

int
ctl_verb_explain (const CtlVerb *verb,
                  int            argc,
                  char         **argv,
                  GError       **error)
{
  g_auto (CtlLeaseOptions) wanted = { 0 };
  g_autofree char *client = NULL, *group = NULL;
  gboolean rule = FALSE;
  const GOptionEntry entries[] = {
    { "client", 0, 0, G_OPTION_ARG_STRING, &client, "What would happen to the one with this bus name", "NAME" },
    { "rule", 0, 0, G_OPTION_ARG_NONE, &rule, "Print a polkit rule that allows this to the user", NULL },
    { "group", 0, 0, G_OPTION_ARG_STRING, &group, "With --rule: to this group", "GROUP" },
    { NULL }
  };
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (CtlSpec) spec = NULL;
  g_autoptr (GVariant) reply = NULL, explanation = NULL;

  if (!ctl_lease_options_parse (&wanted, verb, entries, &argc, &argv, error) ||
      (spec = ctl_spec_parse (argv[0], error)) == NULL)
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  reply = bus == NULL ? NULL : explain (bus, spec, &wanted, client, error);
  if (reply == NULL)
    return CTL_STATUS_FAILED;

  explanation = g_variant_get_child_value (reply, 0);
  if (rule)
    return print_rule (bus, explanation, client, group, error) ? CTL_STATUS_OK : CTL_STATUS_FAILED;
  if (ctl_options.json)
    ctl_json_print (json_gvariant_serialize (explanation));
  else
    print_text (explanation);
  return would_be_let_in (explanation) ? CTL_STATUS_OK : CTL_STATUS_FAILED;
}
