/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/tidings.h"
#include "fixture.h"

static GString *story;
static GThread *main_thread;

static void
on_changed (GObject *owner)
{
  g_assert_true (g_thread_self () == main_thread);
  g_string_append (story, "changed ");
}

static void
on_failed (GObject      *owner,
           const GError *failure)
{
  g_assert_true (g_thread_self () == main_thread);
  g_string_append_printf (story, "failed (%s) ", failure->message);
}

static void
on_leaving (GObject *owner)
{
  g_string_append (story, "leaving ");
}

static const RegiondTidingsEvents events = { on_changed, on_failed, on_leaving };

static gpointer
find_out (gpointer tidings)
{
  regiond_tidings_post_changed (tidings);
  regiond_tidings_post_failure (tidings, g_error_new_literal (REGIOND_ERROR, REGIOND_ERROR_FAILED, "broken"));
  return NULL;
}

static void
test_told (void)
{
  g_autoptr (GObject) owner = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (RegiondTidings) tidings = regiond_tidings_new (owner, &events);

  g_string_truncate (story, 0);
  g_thread_join (g_thread_new ("finder", find_out, tidings));
  g_assert_cmpstr (story->str, ==, "");
  wait_until (g_str_equal (story->str, "changed failed (broken) "));
  regiond_tidings_tell_leaving (tidings);
  g_assert_cmpstr (story->str, ==, "changed failed (broken) leaving ");
}

/* What is still to be told outlives who told it, and whom. */
static void
test_nobody (void)
{
  GObject *owner = g_object_new (G_TYPE_OBJECT, NULL);
  RegiondTidings *tidings = regiond_tidings_new (owner, &events);

  g_string_truncate (story, 0);
  find_out (tidings);
  g_object_unref (owner);
  regiond_tidings_tell_leaving (tidings);
  regiond_tidings_unref (tidings);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpstr (story->str, ==, "");
}

int
main (int   argc,
      char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  main_thread = g_thread_self ();
  story = g_string_new (NULL);
  g_test_add_func ("/tidings/the-owner-hears-of-it-on-the-main-thread", test_told);
  g_test_add_func ("/tidings/who-is-not-there-any-more-hears-nothing", test_nobody);
  status = g_test_run ();
  g_string_free (story, TRUE);
  return status;
}
