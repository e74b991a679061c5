/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "answer.h"

#include <string.h>

static void
test_reading (void)
{
  static const struct {
    gboolean      authorized, challenge, remembered;
    RegiondAnswer answer;
  } cases[] = {
    { TRUE, FALSE, FALSE, REGIOND_ANSWER_YES },
    { FALSE, TRUE, FALSE, REGIOND_ANSWER_CHALLENGE },
    { TRUE, FALSE, TRUE, REGIOND_ANSWER_REMEMBERED },
    { FALSE, FALSE, FALSE, REGIOND_ANSWER_NO },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PolkitDetails) details = polkit_details_new ();
      g_autoptr (PolkitAuthorizationResult) result = NULL;

      if (cases[i].remembered)
        polkit_details_insert (details, "polkit.temporary_authorization_id", "tmpauthz1");
      result = polkit_authorization_result_new (cases[i].authorized, cases[i].challenge, details);
      g_assert_cmpint (regiond_answer_read (result), ==, cases[i].answer);
    }
}

static void
expect_error (RegiondAnswer answer,
              gboolean      interactive,
              GQuark        domain,
              int           code,
              const char   *word)
{
  RegiondQuestion question = { .action = "org.regiond1.read-region", .purpose = (char *) "open it",
                               .interactive = interactive };
  g_autoptr (GError) error = regiond_answer_make_error (answer, &question);

  assert_error_says (error, domain, code, "open it", "org.regiond1.read-region", word);
}

static void
test_errors (void)
{
  expect_error (REGIOND_ANSWER_NO, FALSE, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "refuses");
  expect_error (REGIOND_ANSWER_NO, TRUE, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "refuses");
  expect_error (REGIOND_ANSWER_REMEMBERED, FALSE, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "_keep");
  expect_error (REGIOND_ANSWER_CHALLENGE, TRUE, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED, "dismissed");
  expect_error (REGIOND_ANSWER_CHALLENGE, FALSE, REGIOND_ERROR, REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                "--interactive");
}

static void
add_tests (void)
{
  g_test_add_func ("/answer/what-polkit-has-said", test_reading);
  g_test_add_func ("/answer/why-it-is-no-permission", test_errors);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
