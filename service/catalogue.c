/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "catalogue.h"

typedef struct {
  const char       *most; /* access */
  RegiondRevocation best;
  GPtrArray        *mechanisms; /* names */
} Offer;

static void
find_offer (RegiondBackend *backend,
            RegiondRegion  *region,
            Offer          *offer)
{
  static const struct {
    const char   *text;
    RegiondAccess access;
  } offers[] = {
    { "rwm", REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE | REGIOND_ACCESS_MAP },
    { "rm", REGIOND_ACCESS_READ | REGIOND_ACCESS_MAP },
    { "rw", REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE },
    { "r", REGIOND_ACCESS_READ },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (offers); i++)
    {
      RegiondMechanism mechanism = regiond_backend_find_mechanism (backend, region, offers[i].access, NULL);
      const char *name = regiond_mechanism_to_string (mechanism);

      if (mechanism == REGIOND_MECHANISM_NONE)
        continue;
      if (offer->most[0] == '\0')
        {
          offer->most = offers[i].text;
          offer->best = regiond_backend_get_revocation (backend, mechanism);
        }
      if (!g_ptr_array_find_with_equal_func (offer->mechanisms, name, g_str_equal, NULL))
        g_ptr_array_add (offer->mechanisms, (gpointer) name);
    }
}

static GVariant *
describe_region (RegiondBackend *backend,
                 RegiondRegion  *region)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_autoptr (GPtrArray) mechanisms = g_ptr_array_new ();
  Offer offer = { "", REGIOND_REVOCATION_ON_CLOSE, mechanisms };

  find_offer (backend, region, &offer);
  g_variant_builder_add (&builder, "{sv}", "index", g_variant_new_uint32 (region->index));
  g_variant_builder_add (&builder, "{sv}", "size", g_variant_new_uint64 (region->size));
  g_variant_builder_add (&builder, "{sv}", "kind", g_variant_new_string (region->kind));
  if (g_str_equal (region->kind, "mmio"))
    {
      g_variant_builder_add (&builder, "{sv}", "prefetchable", g_variant_new_boolean (region->prefetchable));
      g_variant_builder_add (&builder, "{sv}", "64-bit", g_variant_new_boolean (region->wide));
    }
  g_variant_builder_add (&builder, "{sv}", "access", g_variant_new_string (offer.most));
  g_variant_builder_add (&builder, "{sv}", "mechanisms",
                         g_variant_new_strv ((const char *const *) mechanisms->pdata, mechanisms->len));
  g_variant_builder_add (&builder, "{sv}", "revocation", g_variant_new_string (regiond_revocation_to_string (offer.best)));
  return g_variant_builder_end (&builder);
}

GVariant *
regiond_catalogue_describe (RegiondBackend *backend,
                            GPtrArray      *regions)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{sa{sv}}"));

  for (guint i = 0; i < regions->len; i++)
    {
      RegiondRegion *region = g_ptr_array_index (regions, i);

      g_variant_builder_add (&builder, "{s@a{sv}}", region->name, describe_region (backend, region));
    }
  return g_variant_builder_end (&builder);
}
