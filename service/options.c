/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include "text.h"

static const RegiondOption *
find_option (const RegiondOption *known,
             gsize                n_known,
             const char          *name)
{
  for (gsize i = 0; i < n_known; i++)
    {
      if (g_str_equal (known[i].name, name))
        return &known[i];
    }

  return NULL;
}

static void
set_unknown (GError             **error,
             const char          *name,
             const RegiondOption *known,
             gsize                n_known)
{
  g_autoptr (GString) names = g_string_new (NULL);
  g_autofree char *quoted = regiond_text_quote (name);

  for (gsize i = 0; i < n_known; i++)
    g_string_append_printf (names, "%s'%s'", i > 0 ? ", " : "", known[i].name);

  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
               "Unknown option %s; this method knows %s", quoted, n_known > 0 ? names->str : "none");
}

gboolean
regiond_options_read (GVariant            *options,
                      const RegiondOption *known,
                      gsize                n_known,
                      GError             **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GVariantIter iter;
  const char *name;
  GVariant *child;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &child))
    {
      g_autoptr (GVariant) value = child;
      const RegiondOption *option = find_option (known, n_known, name);

      if (option == NULL)
        {
          set_unknown (error, name, known, n_known);
          return FALSE;
        }
      if (!g_variant_is_of_type (value, G_VARIANT_TYPE (option->type)))
        {
          g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                       "Option '%s' has the type '%.32s'; it takes '%s'", name,
                       g_variant_get_type_string (value), option->type);
          return FALSE;
        }
      if (!g_hash_table_add (seen, (gpointer) name))
        {
          g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "Option '%s' is given twice", name);
          return FALSE;
        }

      /* "&s" leaves the string in the dictionary, which outlives the call. */
      g_variant_get (value, option->type[0] == 's' ? "&s" : option->type, option->value);
    }

  return TRUE;
}
