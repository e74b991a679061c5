/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"
#include "json.h"
#include "options.h"
#include "view.h"

int
ctl_verb_list (const CtlVerb *verb,
               int            argc,
               char         **argv,
               GError       **error)
{
  gboolean no_legend = FALSE;
  const GOptionEntry entries[] = {
    { "no-legend", 0, 0, G_OPTION_ARG_NONE, &no_legend, "Leave out the titles of the columns", NULL },
    { NULL }
  };
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (CtlObjects) objects = NULL;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  objects = bus == NULL ? NULL : ctl_objects_load (bus, error);
  if (objects == NULL)
    return CTL_STATUS_FAILED;

  if (ctl_options.json)
    ctl_json_print (ctl_json_from_objects (objects->devices));
  else
    ctl_view_print_devices (objects->devices, !no_legend);

  return CTL_STATUS_OK;
}
