/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parting.h"

int
ctl_verb_unbind (const CtlVerb *verb,
                 int            argc,
                 char         **argv,
                 GError       **error)
{
  return ctl_parting_run (verb, "UnbindDevice", argc, argv, error);
}
