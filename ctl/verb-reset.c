/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "options.h"

int
ctl_verb_reset (const CtlVerb *verb,
                int            argc,
                char         **argv,
                GError       **error)
{
  g_autoptr (CtlBus) bus = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GVariant) reply = NULL;

  if (!ctl_options_parse (verb, NULL, &argc, &argv, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  path = bus == NULL ? NULL : ctl_bus_find_device (bus, argv[0], error);
  if (path == NULL)
    return CTL_STATUS_FAILED;

  reply = ctl_bus_call_authorized (bus, path, CTL_DEVICE_INTERFACE, "Reset",
                                   g_variant_new ("(a{sv})", NULL), "()", NULL, error);
  return reply == NULL ? CTL_STATUS_FAILED : CTL_STATUS_OK;
}
