/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include "error.h"

CtlOptions ctl_options;

static const GOptionEntry global_entries[] = {
  { "address", 0, 0, G_OPTION_ARG_STRING, &ctl_options.address,
    "Talk to regiond on the bus at ADDRESS, not on the system bus", "ADDRESS" },
  { "json", 0, 0, G_OPTION_ARG_NONE, &ctl_options.json, "Print JSON", NULL },
  { "no-ask-password", 0, 0, G_OPTION_ARG_NONE, &ctl_options.no_ask_password,
    "Never let a password be asked for", NULL },
  { "version", 0, 0, G_OPTION_ARG_NONE, &ctl_options.version, "Print the version and exit", NULL },
  { NULL }
};

GOptionGroup *
ctl_options_get_group (void)
{
  GOptionGroup *group = g_option_group_new ("general", NULL, NULL, NULL, NULL);

  g_option_group_add_entries (group, global_entries);
  return group;
}

static gboolean
check_words (const CtlVerb *verb,
             int            count,
             char         **words,
             GError       **error)
{
  if (count < verb->min_words || count > verb->max_words)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE,
                   "%s: the arguments are: %s %s", verb->name, verb->name, verb->words);
      return FALSE;
    }

  for (int i = 0; i < count; i++)
    if (!g_utf8_validate (words[i], -1, NULL))
      {
        g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "%s: argument %d is not valid UTF-8", verb->name, i + 1);
        return FALSE;
      }

  return TRUE;
}

gboolean
ctl_options_parse (const CtlVerb      *verb,
                   const GOptionEntry *entries,
                   int                *argc,
                   char             ***argv,
                   GError            **error)
{
  g_autofree char *usage = g_strdup_printf ("%s %s", verb->name, verb->words);
  g_autoptr (GOptionContext) context = g_option_context_new (usage);
  GOptionGroup *group = ctl_options_get_group ();

  if (entries != NULL)
    g_option_group_add_entries (group, entries);
  g_option_context_set_main_group (context, group);
  g_option_context_set_summary (context, verb->summary);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;

  /* GOption leaves the -- that ended the options. */
  if (*argc > 1 && g_str_equal ((*argv)[1], "--"))
    {
      (*argc)--;
      (*argv)++;
    }
  (*argc)--;
  (*argv)++;
  return check_words (verb, *argc, *argv, error);
}

/* Cuts the command, what follows the first "--", off @argv. */
static char **
cut_command (int   *argc,
             char **argv)
{
  for (int i = 1; i < *argc; i++)
    if (g_str_equal (argv[i], "--") && argv[i + 1] != NULL)
      {
        *argc = i;
        argv[i] = NULL;
        return argv + i + 1;
      }

  return NULL;
}

gboolean
ctl_options_parse_command (const CtlVerb      *verb,
                           const GOptionEntry *entries,
                           int                *argc,
                           char             ***argv,
                           char             ***command,
                           GError            **error)
{
  *command = cut_command (argc, *argv);
  if (!ctl_options_parse (verb, entries, argc, argv, error))
    return FALSE;
  if (*command != NULL)
    return TRUE;

  g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "%s: the command is missing, after “--”", verb->name);
  return FALSE;
}

CtlBus *
ctl_options_connect (GError **error)
{
  return ctl_bus_connect (ctl_options.address, !ctl_options.no_ask_password, error);
}
