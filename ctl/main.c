/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <locale.h>
#include <stdio.h>

#include "error.h"
#include "options.h"
#include "verb.h"

static const CtlVerb verbs[] = {
  { "list", "", 0, 0, "Show the devices", ctl_verb_list },
  { "show", "DEVICE", 1, 1, "Show everything about a device", ctl_verb_show },
  { "open", "DEVICE REGION [ACCESS]", 2, 3, "Hold a lease until the input ends", ctl_verb_open },
  { "read", "DEVICE REGION [OFFSET [LENGTH]]", 2, 4, "Write a region's bytes to the output", ctl_verb_read },
  { "write", "DEVICE REGION [OFFSET]", 2, 3, "Write the input to a region", ctl_verb_write },
  { "dump", "DEVICE REGION [OFFSET [LENGTH]]", 2, 4, "Show a region's bytes, or save them", ctl_verb_dump },
  { "exec", "DEVICE:REGION:ACCESS[=NAME]… -- COMMAND [ARGUMENT…]", 1, G_MAXINT,
    "Run a command with regions as its file descriptors", ctl_verb_exec },
  { "attach", "FD[:ACCESS][=NAME]… -- COMMAND [ARGUMENT…]", 1, G_MAXINT,
    "Run a command with leases of its own on regions that were passed on", ctl_verb_attach },
  { "leases", "[DEVICE]", 0, 1, "Show the leases", ctl_verb_leases },
  { "revoke", "LEASE [REASON]", 1, 2, "End somebody's lease", ctl_verb_revoke },
  { "reset", "DEVICE", 1, 1, "Reset a device", ctl_verb_reset },
  { "verify", "DEVICE", 1, 1, "Tell whether nothing of ended leases is left", ctl_verb_verify },
  { "explain", "DEVICE:REGION:ACCESS", 1, 1, "Tell whether a region could be opened, and why", ctl_verb_explain },
  { "add", "ID NAME=SIZE…", 2, G_MAXINT, "Make a device of shared memory", ctl_verb_add },
  { "remove", "DEVICE", 1, 1, "Take a device of shared memory away", ctl_verb_remove },
  { "bind", "ADDRESS", 1, 1, "Take a PCI device from its driver, to be lent", ctl_verb_bind },
  { "unbind", "DEVICE", 1, 1, "Give a PCI device back to its driver", ctl_verb_unbind },
  { "monitor", "", 0, 0, "Follow devices and leases", ctl_verb_monitor },
};

static char *
describe_verbs (void)
{
  GString *text = g_string_new ("Verbs:\n");

  for (gsize i = 0; i < G_N_ELEMENTS (verbs); i++)
    g_string_append_printf (text, "  %-10s %s\n", verbs[i].name, verbs[i].summary);

  g_string_append (text, "\n“regionctl VERB --help” tells more, regionctl(1) everything.");
  return g_string_free (text, FALSE);
}

static gboolean
parse_globals (int     *argc,
               char  ***argv,
               GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("VERB …");
  g_autofree char *description = describe_verbs ();

  g_option_context_set_main_group (context, ctl_options_get_group ());
  g_option_context_set_summary (context, "Leases of device regions, from regiond.");
  g_option_context_set_description (context, description);
  /* What comes after the verb is the verb's. */
  g_option_context_set_strict_posix (context, TRUE);
  return g_option_context_parse (context, argc, argv, error);
}

static const CtlVerb *
find_verb (const char *name,
           GError    **error)
{
  for (gsize i = 0; name != NULL && i < G_N_ELEMENTS (verbs); i++)
    if (g_str_equal (name, verbs[i].name))
      return &verbs[i];

  if (name == NULL)
    g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "A verb is missing; regionctl --help lists them");
  else
    g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "There is no verb “%s”; regionctl --help lists them", name);
  return NULL;
}

static int
run (int      argc,
     char   **argv,
     GError **error)
{
  const CtlVerb *verb;

  if (!parse_globals (&argc, &argv, error))
    return CTL_STATUS_USAGE;

  if (ctl_options.version)
    {
      printf ("regionctl " REGIOND_VERSION "\n");
      return CTL_STATUS_OK;
    }

  verb = find_verb (argv[1], error);
  if (verb == NULL)
    return CTL_STATUS_USAGE;

  return verb->run (verb, argc - 1, argv + 1, error);
}

static int
report (const GError *error,
        int           status)
{
  fprintf (stderr, "regionctl: %s\n", error->message);
  return status == CTL_STATUS_FAILED ? ctl_error_get_status (error) : status;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  /* Characters as the terminal wants them, but no translations: scripts read this. */
  setlocale (LC_CTYPE, "");
  g_set_prgname ("regionctl");

  status = run (argc, argv, &error);
  if (error != NULL)
    status = report (error, status);

  if (fflush (stdout) != 0 || ferror (stdout))
    {
      perror ("regionctl: output");
      return CTL_STATUS_FAILED;
    }

  return status;
}
