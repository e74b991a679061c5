/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

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

/* polkit answers yes for root without asking a rule: that says nothing of the rules. */
static const char *
get_result (GVariant *explanation,
            guint32   uid)
{
  const char *result = get_string (explanation, "result");

  if (g_str_equal (result, "challenge"))
    return "challenge (a password would do)";
  return uid == 0 && g_str_equal (result, "yes") ? "yes (the super-user is always let in)" : result;
}

static void
print_text (GVariant *explanation,
            guint32   uid)
{
  print_line ("Result", get_result (explanation, uid));
  print_line ("In the way", get_string (explanation, "blocker"));
  print_line ("Mechanism", get_string (explanation, "mechanism"));
  print_line ("Revocation", get_string (explanation, "revocation"));
  print_line ("Action", get_string (explanation, "action"));
  print_details (explanation);
}

/* The user of the client, or our own: as polkit sees them. */
static gboolean
find_uid (CtlBus     *bus,
          const char *client,
          guint32    *uid,
          GError    **error)
{
  GDBusConnection *connection = ctl_bus_get_connection (bus);
  const char *name = client != NULL ? client : g_dbus_connection_get_unique_name (connection);
  g_autoptr (GVariant) reply = NULL;

  reply = g_dbus_connection_call_sync (connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "GetConnectionUnixUser", g_variant_new ("(s)", name),
                                       G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);
  if (reply != NULL)
    g_variant_get (reply, "(u)", uid);
  return reply != NULL;
}

/* Whom a rule is for: the group, or the user @uid. */
static gboolean
find_subject (guint32         uid,
              const char     *group,
              CtlRuleSubject *subject,
              GError        **error)
{
  const struct passwd *entry = group == NULL ? getpwuid (uid) : NULL;

  *subject = (CtlRuleSubject) { entry != NULL ? entry->pw_name : NULL, group };
  if (group != NULL)
    return TRUE;

  if (uid == 0)
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
                 "The super-user is always let in and needs no rule; say for whom it is, by --client or --group");
  else if (entry == NULL)
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "User %u has no name for a rule; give --group", uid);
  return uid != 0 && entry != NULL;
}

static gboolean
print_rule (GVariant   *explanation,
            guint32     uid,
            const char *group,
            GError    **error)
{
  g_autoptr (GVariant) details = g_variant_lookup_value (explanation, "details", G_VARIANT_TYPE ("a{ss}"));
  g_autofree char *rule = NULL;
  CtlRuleSubject subject;

  if (*get_string (explanation, "mechanism") == '\0')
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "No rule would help: %s", get_string (explanation, "blocker"));
      return FALSE;
    }
  if (!find_subject (uid, group, &subject, error))
    return FALSE;

  rule = ctl_rule_make (get_string (explanation, "action"), details, &subject);
  printf ("%s", rule);
  return TRUE;
}

static gboolean
would_be_let_in (GVariant *explanation)
{
  return g_str_equal (get_string (explanation, "result"), "yes") && *get_string (explanation, "blocker") == '\0';
}

static gboolean
check_options (const char *group,
               gboolean    rule,
               GError    **error)
{
  if (group != NULL && !rule)
    g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "explain: --group goes with --rule");
  else if (rule && ctl_options.json)
    g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "explain: A rule is JavaScript; --json does not go with --rule");
  else
    return TRUE;
  return FALSE;
}

/* @name: NULL for none. In a rule for a group that there is not, nobody is. */
static gboolean
check_group (const char *name,
             GError    **error)
{
  errno = 0;
  if (name == NULL || getgrnam (name) != NULL)
    return TRUE;

  g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "There is no group “%s”%s%s", name, errno == 0 ? "" : ": ",
               errno == 0 ? "" : g_strerror (errno));
  return FALSE;
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
  guint32 uid;

  if (!ctl_lease_options_parse (&wanted, verb, entries, &argc, &argv, error) ||
      !check_options (group, rule, error) || (spec = ctl_spec_parse (argv[0], error)) == NULL)
    return CTL_STATUS_USAGE;

  bus = check_group (group, error) ? ctl_options_connect (error) : NULL;
  reply = bus == NULL ? NULL : explain (bus, spec, &wanted, client, error);
  if (reply == NULL || !find_uid (bus, client, &uid, error))
    return CTL_STATUS_FAILED;

  explanation = g_variant_get_child_value (reply, 0);
  if (rule)
    return print_rule (explanation, uid, group, error) ? CTL_STATUS_OK : CTL_STATUS_FAILED;
  if (ctl_options.json)
    ctl_json_print (json_gvariant_serialize (explanation));
  else
    print_text (explanation, uid);
  return would_be_let_in (explanation) ? CTL_STATUS_OK : CTL_STATUS_FAILED;
}
