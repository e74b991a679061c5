/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lease-options.h"

#include "options.h"
#include "window.h"

static gboolean
take_part (CtlLeaseOptions *options,
           const char      *offset,
           const char      *length,
           GError         **error)
{
  CtlRange range;

  if (!ctl_range_parse (offset, length, &range, error))
    return FALSE;

  options->offset = range.offset;
  options->length = length == NULL ? 0 : range.length;
  return TRUE;
}

static guint
count (const GOptionEntry *entries)
{
  guint n = 0;

  while (entries[n].long_name != NULL)
    n++;
  return n;
}

gboolean
ctl_lease_options_parse (CtlLeaseOptions    *options,
                         const CtlVerb      *verb,
                         const GOptionEntry *entries,
                         int                *argc,
                         char             ***argv,
                         GError            **error)
{
  g_autofree char *offset = NULL, *length = NULL;
  const GOptionEntry shared[] = {
    { "exclusive", 0, 0, G_OPTION_ARG_NONE, &options->exclusive, "Keep everybody else off the device", NULL },
    { "length", 0, 0, G_OPTION_ARG_STRING, &length, "Only so many bytes", "LENGTH" },
    { "offset", 0, 0, G_OPTION_ARG_STRING, &offset, "Only from there on", "OFFSET" },
    { "revocation", 0, 0, G_OPTION_ARG_STRING, &options->revocation,
      "Only if the lease can be ended so: immediate, detached or on-close", "KIND" },
  };
  g_autoptr (GArray) all = g_array_new (TRUE, FALSE, sizeof (GOptionEntry));

  g_array_append_vals (all, shared, G_N_ELEMENTS (shared));
  g_array_append_vals (all, entries, count (entries));
  return ctl_options_parse (verb, (const GOptionEntry *) all->data, argc, argv, error) &&
         take_part (options, offset, length, error);
}

void
ctl_lease_options_add (const CtlLeaseOptions *options,
                       GVariantBuilder       *builder)
{
  if (options->exclusive)
    g_variant_builder_add (builder, "{sv}", "exclusive", g_variant_new_boolean (TRUE));
  if (options->label != NULL)
    g_variant_builder_add (builder, "{sv}", "label", g_variant_new_string (options->label));
  if (options->revocation != NULL)
    g_variant_builder_add (builder, "{sv}", "revocation", g_variant_new_string (options->revocation));
  if (options->offset != 0)
    g_variant_builder_add (builder, "{sv}", "offset", g_variant_new_uint64 (options->offset));
  if (options->length != 0)
    g_variant_builder_add (builder, "{sv}", "length", g_variant_new_uint64 (options->length));
  if (options->bind_to != NULL)
    g_variant_builder_add (builder, "{sv}", "bind-to", g_variant_new_handle (0));
}

void
ctl_lease_options_clear (CtlLeaseOptions *options)
{
  g_clear_pointer (&options->label, g_free);
  g_clear_pointer (&options->revocation, g_free);
}
