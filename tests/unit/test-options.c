/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "options.h"

#include <string.h>

typedef struct {
  gboolean    exclusive;
  guint32     grace;
  guint64     offset;
  const char *label;
} Known;

static gboolean
read_text (Known      *values,
           GVariant   *dictionary,
           GError    **error)
{
  const RegiondOption known[] = {
    { "exclusive", "b", &values->exclusive },
    { "grace", "u", &values->grace },
    { "label", "s", &values->label },
    { "offset", "t", &values->offset },
  };

  return regiond_options_read (dictionary, known, G_N_ELEMENTS (known), error);
}

static void
test_values (void)
{
  g_autoptr (GVariant) dictionary =
      g_variant_ref_sink (options ("{'exclusive': <true>, 'grace': <uint32 7>, 'label': <'me'>, 'offset': <uint64 9>}"));
  Known values = { FALSE, 0, 0, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_true (read_text (&values, dictionary, &error));
  g_assert_no_error (error);
  g_assert_true (values.exclusive);
  g_assert_cmpuint (values.grace, ==, 7);
  g_assert_cmpuint (values.offset, ==, 9);
  g_assert_cmpstr (values.label, ==, "me");
}

static void
test_absent (void)
{
  g_autoptr (GVariant) dictionary = g_variant_ref_sink (options ("{'grace': <uint32 0>}"));
  Known values = { TRUE, 3, 5, "kept" };
  g_autoptr (GError) error = NULL;

  g_assert_true (read_text (&values, dictionary, &error));
  g_assert_true (values.exclusive);
  g_assert_cmpuint (values.grace, ==, 0);
  g_assert_cmpuint (values.offset, ==, 5);
  g_assert_cmpstr (values.label, ==, "kept");
}

static void
test_unknown (void)
{
  g_autoptr (GVariant) dictionary = g_variant_ref_sink (options ("{'colour': <'red'>}"));
  Known values = { FALSE, 0, 0, NULL };
  g_autoptr (GError) error = NULL, none = NULL;

  g_assert_false (read_text (&values, dictionary, &error));
  assert_error_says (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'colour'", "'exclusive'", "'offset'");

  g_assert_false (regiond_options_read (dictionary, NULL, 0, &none));
  assert_error_says (none, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'colour'", "none");
}

static void
test_type (void)
{
  const char *const wrong[] = { "{'exclusive': <'true'>}", "{'grace': <7>}", "{'label': <true>}",
                                "{'offset': <uint32 1>}", "{'label': <objectpath '/'>}" };

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GVariant) dictionary = g_variant_ref_sink (options (wrong[i]));
      g_autoptr (GVariantIter) iter = g_variant_iter_new (dictionary);
      Known values = { FALSE, 0, 0, NULL };
      g_autoptr (GError) error = NULL;
      const char *name;

      g_assert_true (g_variant_iter_next (iter, "{&sv}", &name, NULL));
      g_assert_false (read_text (&values, dictionary, &error));
      assert_error_says (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, name, "type");
      g_assert_cmpuint (values.grace, ==, 0);
    }
}

static void
test_twice (void)
{
  g_autoptr (GVariant) dictionary = g_variant_ref_sink (options ("{'grace': <uint32 1>, 'grace': <uint32 2>}"));
  Known values = { FALSE, 0, 0, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_false (read_text (&values, dictionary, &error));
  assert_error_says (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "'grace'", "twice");
}

static void
test_long_name (void)
{
  g_autofree char *name = g_strnfill (5000, 'x');
  g_autofree char *text = g_strdup_printf ("{'%s': <1>}", name);
  g_autoptr (GVariant) dictionary = g_variant_ref_sink (options (text));
  Known values = { FALSE, 0, 0, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_false (read_text (&values, dictionary, &error));
  g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
  g_assert_cmpuint (strlen (error->message), <, 300);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/options/each-type-is-read", test_values);
  g_test_add_func ("/options/what-is-absent-keeps-its-default", test_absent);
  g_test_add_func ("/options/unknown-option-is-named", test_unknown);
  g_test_add_func ("/options/another-type-is-named", test_type);
  g_test_add_func ("/options/given-twice-is-refused", test_twice);
  g_test_add_func ("/options/a-long-name-makes-no-long-message", test_long_name);
  return g_test_run ();
}
