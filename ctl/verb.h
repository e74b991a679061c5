/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct _CtlVerb CtlVerb;

/* argv[0] is the verb. Returns the exit status. With @error set,
 * CTL_STATUS_FAILED stands for the one that fits the error. */
typedef int (*CtlVerbFunc) (const CtlVerb *verb,
                            int            argc,
                            char         **argv,
                            GError       **error);

struct _CtlVerb
{
  const char *name;
  const char *words; /* for the usage line */
  int min_words;
  int max_words;
  const char *summary;
  CtlVerbFunc run;
};

#define CTL_VERB(name) int ctl_verb_##name (const CtlVerb *verb, int argc, char **argv, GError **error)

CTL_VERB (add);
CTL_VERB (attach);
CTL_VERB (bind);
CTL_VERB (dump);
CTL_VERB (exec);
CTL_VERB (explain);
CTL_VERB (leases);
CTL_VERB (list);
CTL_VERB (monitor);
CTL_VERB (open);
CTL_VERB (read);
CTL_VERB (remove);
CTL_VERB (reset);
CTL_VERB (revoke);
CTL_VERB (show);
CTL_VERB (unbind);
CTL_VERB (verify);
CTL_VERB (write);

#undef CTL_VERB
