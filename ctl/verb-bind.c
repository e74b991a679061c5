/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "error.h"
#include "json.h"
#include "options.h"

static GVariant *
build_options (gboolean group,
               gboolean force)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (group)
    g_variant_builder_add (&builder, "{sv}", "group", g_variant_new_boolean (TRUE));
  if (force)
    g_variant_builder_add (&builder, "{sv}", "force", g_variant_new_boolean (TRUE));

  return g_variant_builder_end (&builder);
}

static int
print_json (CtlBus     *bus,
            const char *path,
            GError    **error)
{
  g_autoptr (CtlObjects) objects = ctl_objects_load (bus, error);
  const CtlObject *device = objects == NULL ? NULL : ctl_objects_find_device (objects, path, error);

  if (device == NULL)
    return CTL_STATUS_FAILED;

  ctl_json_print (ctl_json_from_object (device));
  return CTL_STATUS_OK;
}

int
ctl_verb_bind (const CtlVerb *verb,
               int            argc,
               char         **argv,
               GError       **error)
{
  gboolean group = FALSE;
  gboolean force = FALSE;
  const GOptionEntry entries[] = {
    { "group", 0, 0, G_OPTION_ARG_NONE, &group, "And every other device of its IOMMU group", NULL },
    { "force", 0, 0, G_OPTION_ARG_NONE, &force, "Even if the machine depends on it", NULL },
    { NULL }
  };
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (GVariant) reply = NULL;
  const char *path;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  if (bus == NULL)
    return CTL_STATUS_FAILED;

  reply = ctl_bus_call_authorized (bus, CTL_MANAGER_PATH, CTL_MANAGER_INTERFACE, "BindDevice",
                                   g_variant_new ("(s@a{sv})", argv[0], build_options (group, force)),
                                   "(o)", NULL, error);
  if (reply == NULL)
    return CTL_STATUS_FAILED;

  g_variant_get (reply, "(&o)", &path);
  if (ctl_options.json)
    return print_json (bus, path, error);

  printf ("%s\n", path);
  return CTL_STATUS_OK;
}
