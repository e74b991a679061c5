/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "duration.h"
#include "error.h"
#include "json.h"
#include "options.h"

static GVariant *
verify (const char *device,
        guint32     timeout,
        GError    **error)
{
  g_autoptr (CtlBus) bus = ctl_options_connect (error);
  g_autofree char *path = NULL;
  GVariantBuilder options;

  path = bus == NULL ? NULL : ctl_bus_find_device (bus, device, error);
  if (path == NULL)
    return NULL;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  if (timeout > 0)
    g_variant_builder_add (&options, "{sv}", "timeout", g_variant_new_uint32 (timeout));
  /* Nothing to be authorized, but it waits. */
  return ctl_bus_call_patiently (bus, path, CTL_DEVICE_INTERFACE, "Verify",
                                 g_variant_new ("(a{sv})", &options), "(ba{sv})", error);
}

static void
print_json (gboolean  released,
            GVariant *evidence)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_object_set_boolean_member (object, "released", released);
  json_object_set_member (object, "evidence", json_gvariant_serialize (evidence));
  json_node_take_object (node, object);
  ctl_json_print (node);
}

static void
print_text (gboolean  released,
            GVariant *evidence)
{
  g_autofree const char **proofs = NULL;
  g_autofree const char **leases = NULL;
  g_autofree char *joined = NULL;
  guint32 references = 0;

  g_variant_lookup (evidence, "references", "u", &references);
  if (g_variant_lookup (evidence, "proofs", "^a&s", &proofs))
    joined = g_strjoinv (", ", (char **) proofs);

  printf ("%s, as known by %s\n", released ? "Everything is released" : "Something is left",
          joined == NULL || *joined == '\0' ? "nothing to prove" : joined);
  if (references > 0)
    printf ("References left: %u\n", references);
  if (g_variant_lookup (evidence, "leases", "^a&o", &leases))
    for (guint i = 0; leases[i] != NULL; i++)
      printf ("Left by lease: %s\n", ctl_path_get_name (leases[i]));
}

int
ctl_verb_verify (const CtlVerb *verb,
                 int            argc,
                 char         **argv,
                 GError       **error)
{
  g_autofree char *duration = NULL;
  const GOptionEntry entries[] = {
    { "timeout", 0, 0, G_OPTION_ARG_STRING, &duration, "Wait for it so long", "DURATION" },
    { NULL }
  };
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) evidence = NULL;
  gboolean released;
  guint32 timeout = 0;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error) ||
      (duration != NULL && !ctl_duration_parse (duration, "--timeout", &timeout, error)))
    return CTL_STATUS_USAGE;

  reply = verify (argv[0], timeout, error);
  if (reply == NULL)
    return CTL_STATUS_FAILED;

  g_variant_get (reply, "(b@a{sv})", &released, &evidence);
  if (ctl_options.json)
    print_json (released, evidence);
  else
    print_text (released, evidence);
  return released ? CTL_STATUS_OK : CTL_STATUS_FAILED;
}
