/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "duration.h"
#include "error.h"
#include "options.h"

#define LEASES_PATH "/org/regiond1/leases/"

static char *
find_lease (const char *word,
            GError    **error)
{
  guint64 number;

  if (g_str_has_prefix (word, LEASES_PATH) && g_variant_is_object_path (word))
    return g_strdup (word);
  if (g_ascii_string_to_unsigned (word, 10, 0, G_MAXUINT64, &number, NULL))
    return g_strdup_printf (LEASES_PATH "%" G_GUINT64_FORMAT, number);

  g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE,
               "“%s” is not the number or the path of a lease; regionctl leases lists them", word);
  return NULL;
}

static GVariant *
build_options (guint32 grace)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (grace > 0)
    g_variant_builder_add (&builder, "{sv}", "grace", g_variant_new_uint32 (grace));

  return g_variant_builder_end (&builder);
}

static gboolean
revoke_lease (const char *path,
              const char *reason,
              guint32     grace,
              GError    **error)
{
  g_autoptr (CtlBus) bus = ctl_options_connect (error);
  g_autoptr (GVariant) reply = NULL;

  if (bus == NULL)
    return FALSE;

  reply = ctl_bus_call_authorized (bus, path, CTL_LEASE_INTERFACE, "Revoke",
                                   g_variant_new ("(s@a{sv})", reason, build_options (grace)),
                                   "()", NULL, error);
  return reply != NULL;
}

int
ctl_verb_revoke (const CtlVerb *verb,
                 int            argc,
                 char         **argv,
                 GError       **error)
{
  g_autofree char *duration = NULL;
  const GOptionEntry entries[] = {
    { "grace", 0, 0, G_OPTION_ARG_STRING, &duration, "Tell the owner so long before", "DURATION" },
    { NULL }
  };
  g_autofree char *path = NULL;
  guint32 grace = 0;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error) ||
      (duration != NULL && !ctl_duration_parse (duration, "--grace", &grace, error)))
    return CTL_STATUS_USAGE;

  path = find_lease (argv[0], error);
  if (path == NULL || !revoke_lease (path, argc > 1 ? argv[1] : "", grace, error))
    return CTL_STATUS_FAILED;

  return CTL_STATUS_OK;
}
