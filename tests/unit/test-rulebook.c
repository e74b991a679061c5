/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "rulebook.h"

#include <glib/gstdio.h>
#include <unistd.h>

/* Two folders, of which the second is not there at first. */
typedef struct {
  RegiondWatch    *watch;
  RegiondRulebook *rulebook;
  char            *base;
  char            *folders[3];
  guint            edits;
} Book;

static void
on_edited (gpointer data)
{
  ((Book *) data)->edits++;
}

static Book *
book_new (void)
{
  Book *self = g_new0 (Book, 1);

  self->base = g_dir_make_tmp ("rulebook-XXXXXX", NULL);
  self->folders[0] = g_build_filename (self->base, "rules.d", NULL);
  self->folders[1] = g_build_filename (self->base, "actions", NULL);
  g_assert_cmpint (g_mkdir (self->folders[0], 0700), ==, 0);
  self->watch = regiond_watch_new (NULL);
  self->rulebook = regiond_rulebook_new (self->watch, (const char *const *) self->folders, on_edited, self);
  return self;
}

static void
remove_folder (const char *folder)
{
  g_autofree char *file = g_build_filename (folder, "10-test.rules", NULL);

  g_unlink (file);
  g_rmdir (folder);
}

static void
book_free (Book *self)
{
  regiond_rulebook_free (self->rulebook);
  regiond_watch_unref (self->watch);
  for (guint i = 0; i < 2; i++)
    {
      remove_folder (self->folders[i]);
      g_free (self->folders[i]);
    }
  g_rmdir (self->base);
  g_free (self->base);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Book, book_free)

/* Written in place; and as an editor does, who writes another file and renames it. */
static void
edit (Book    *self,
      guint    folder,
      gboolean in_place)
{
  g_autofree char *path = g_build_filename (self->folders[folder], "10-test.rules", NULL);
  FILE *file;

  if (!in_place)
    {
      g_assert_true (g_file_set_contents (path, "", 0, NULL));
      return;
    }
  file = fopen (path, "w");
  g_assert_nonnull (file);
  fputs ("polkit.addRule(0);", file);
  fclose (file);
}

static void
test_edits (void)
{
  g_autoptr (Book) book = book_new ();
  g_autofree char *path = g_build_filename (book->folders[0], "10-test.rules", NULL);

  g_assert_false (regiond_rulebook_is_edited (book->rulebook));
  edit (book, 0, FALSE);
  wait_until (book->edits > 0);
  g_assert_true (regiond_rulebook_is_edited (book->rulebook));

  book->edits = 0;
  edit (book, 0, TRUE);
  wait_until (book->edits > 0);

  while (g_main_context_iteration (NULL, FALSE))
    ;
  book->edits = 0;
  g_assert_cmpint (g_unlink (path), ==, 0);
  wait_until (book->edits > 0);
}

static void
test_reading (void)
{
  g_autoptr (Book) book = book_new ();
  g_autofree char *path = g_build_filename (book->folders[0], "10-test.rules", NULL);
  g_autofree char *text = NULL;

  edit (book, 0, FALSE);
  wait_until (book->edits > 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  book->edits = 0;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));

  /* What comes before in the kernel's queue would have been told by then. */
  edit (book, 0, TRUE);
  wait_until (book->edits > 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (book->edits, <=, 3);
}

/* FRESH_US. */
static void
test_old (void)
{
  g_autoptr (Book) book = book_new ();

  edit (book, 0, FALSE);
  wait_until (book->edits > 0);
  wait_until (!regiond_rulebook_is_edited (book->rulebook));
}

static void
test_new_folder (void)
{
  g_autoptr (Book) book = book_new ();

  g_assert_false (regiond_rulebook_is_edited (book->rulebook));
  g_assert_cmpint (g_mkdir (book->folders[1], 0700), ==, 0);
  g_assert_true (regiond_rulebook_is_edited (book->rulebook));
  edit (book, 1, FALSE);
  wait_until (book->edits > 0);
}

/* Another one is there in its place. */
static void
test_replaced_folder (void)
{
  g_autoptr (Book) book = book_new ();
  g_autofree char *aside = g_build_filename (book->base, "aside", NULL);

  g_assert_cmpint (g_rename (book->folders[0], aside), ==, 0);
  g_assert_cmpint (g_mkdir (book->folders[0], 0700), ==, 0);
  g_assert_true (regiond_rulebook_is_edited (book->rulebook));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  book->edits = 0;
  edit (book, 0, FALSE);
  wait_until (book->edits > 0);
  g_rmdir (aside);
}

/* It cannot be told, so it may be an edit, always. */
static void
test_hidden_folder (void)
{
  g_autoptr (Book) book = NULL;
  g_autoptr (RegiondRulebook) rulebook = NULL;

  if (geteuid () != 0)
    {
      g_test_skip ("needs another user");
      return;
    }

  book = book_new ();
  g_assert_cmpint (g_chmod (book->base, 0755), ==, 0);
  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*rules.d*");
  g_assert_cmpint (seteuid (65534), ==, 0);
  rulebook = regiond_rulebook_new (book->watch, (const char *const *) book->folders, on_edited, book);
  g_assert_true (regiond_rulebook_is_edited (rulebook));
  g_assert_cmpint (seteuid (0), ==, 0);
  g_test_assert_expected_messages ();

  /* Now it can. */
  g_assert_true (regiond_rulebook_is_edited (rulebook));
  wait_until (!regiond_rulebook_is_edited (rulebook));
}

static void
add_tests (void)
{
  g_test_add_func ("/rulebook/every-kind-of-edit-is-seen", test_edits);
  g_test_add_func ("/rulebook/who-only-reads-is-not", test_reading);
  g_test_add_func ("/rulebook/an-edit-gets-old", test_old);
  g_test_add_func ("/rulebook/a-folder-may-come-later", test_new_folder);
  g_test_add_func ("/rulebook/a-folder-may-be-replaced", test_replaced_folder);
  g_test_add_func ("/rulebook/what-cannot-be-watched-may-always-be-edited", test_hidden_folder);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
