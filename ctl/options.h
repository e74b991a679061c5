/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus.h"
#include "verb.h"

/* The options that every verb has, before or after its name. */
typedef struct
{
  char *address;
  gboolean json;
  gboolean no_ask_password;
  gboolean version;
} CtlOptions;

extern CtlOptions ctl_options;

/* A group of them for a context, which takes it. */
GOptionGroup *ctl_options_get_group (void);

/* Takes @verb's options out of *@argv and leaves its words, without the verb
 * itself: as many as the verb says, each of them valid UTF-8. @entries may be
 * NULL. A usage error otherwise. --help is answered here. */
gboolean ctl_options_parse (const CtlVerb      *verb,
                            const GOptionEntry *entries,
                            int                *argc,
                            char             ***argv,
                            GError            **error);

/* The same for a verb that runs a command: *@command is what follows the first "--", which has
 * to be there. */
gboolean ctl_options_parse_command (const CtlVerb      *verb,
                                    const GOptionEntry *entries,
                                    int                *argc,
                                    char             ***argv,
                                    char             ***command,
                                    GError            **error);

/* The bus that the options name. */
CtlBus *ctl_options_connect (GError **error);
