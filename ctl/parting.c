/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parting.h"

#include "error.h"
#include "options.h"

static GVariant *
build_options (gboolean force)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (force)
    g_variant_builder_add (&builder, "{sv}", "force", g_variant_new_boolean (TRUE));

  return g_variant_builder_end (&builder);
}

int
ctl_parting_run (const CtlVerb *verb,
                 const char    *method,
                 int            argc,
                 char         **argv,
                 GError       **error)
{
  gboolean force = FALSE;
  const GOptionEntry entries[] = {
    { "force", 0, 0, G_OPTION_ARG_NONE, &force, "End the leases on it", NULL },
    { NULL }
  };
  g_autoptr (CtlBus) bus = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GVariant) reply = NULL;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  path = bus == NULL ? NULL : ctl_bus_find_device (bus, argv[0], error);
  if (path == NULL)
    return CTL_STATUS_FAILED;

  reply = ctl_bus_call_authorized (bus, CTL_MANAGER_PATH, CTL_MANAGER_INTERFACE, method,
                                   g_variant_new ("(o@a{sv})", path, build_options (force)),
                                   "()", NULL, error);
  return reply == NULL ? CTL_STATUS_FAILED : CTL_STATUS_OK;
}
