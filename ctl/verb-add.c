/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "error.h"
#include "options.h"
#include "size.h"

/* NAME=SIZE for each region. */
static GVariant *
parse_regions (char  **words,
               GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(st)"));

  for (char **word = words; *word != NULL; word++)
    {
      const char *equals = strchr (*word, '=');
      g_autofree char *name = NULL;
      guint64 size;

      if (equals == NULL)
        {
          g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "“%s” is not NAME=SIZE", *word);
          return NULL;
        }

      name = g_strndup (*word, equals - *word);
      if (!ctl_size_parse (equals + 1, "SIZE", &size, error))
        return NULL;
      g_variant_builder_add (&builder, "(st)", name, size);
    }

  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static GVariant *
build_options (const char *description,
               gboolean    persist)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (description != NULL)
    g_variant_builder_add (&builder, "{sv}", "description", g_variant_new_string (description));
  if (persist)
    g_variant_builder_add (&builder, "{sv}", "persist", g_variant_new_boolean (TRUE));

  return g_variant_builder_end (&builder);
}

int
ctl_verb_add (const CtlVerb *verb,
              int            argc,
              char         **argv,
              GError       **error)
{
  g_autofree char *description = NULL;
  gboolean persist = FALSE;
  const GOptionEntry entries[] = {
    { "description", 0, 0, G_OPTION_ARG_STRING, &description, "What a person would call it", "TEXT" },
    { "persist", 0, 0, G_OPTION_ARG_NONE, &persist, "Keep the contents from the last close to the next open", NULL },
    { NULL }
  };
  g_autoptr (GVariant) regions = NULL;
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (GVariant) reply = NULL;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error))
    return CTL_STATUS_USAGE;

  regions = parse_regions (argv + 1, error);
  bus = regions == NULL ? NULL : ctl_options_connect (error);
  if (bus == NULL)
    return CTL_STATUS_FAILED;

  reply = ctl_bus_call_authorized (bus, CTL_MANAGER_PATH, CTL_MANAGER_INTERFACE, "AddMemoryDevice",
                                   g_variant_new ("(s@a(st)@a{sv})", argv[0], regions,
                                                  build_options (description, persist)),
                                   "(o)", NULL, error);
  return reply == NULL ? CTL_STATUS_FAILED : CTL_STATUS_OK;
}
