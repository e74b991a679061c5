/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/loans.h"
#include "fixture.h"
#include "sysfs-tree.h"
#include "witnessed.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define ADDRESS "0000:00:10.0"

/* A device with one BAR, and the folder of a record. */
typedef struct {
  SysfsTree tree;
  char     *folder;
  char     *path; /* the device's file */
} Place;

static Place
place_set_up (const char *resource)
{
  Place self;

  self.tree = sysfs_tree_set_up ();
  sysfs_tree_put (&self.tree, "resource", resource, -1);
  self.folder = g_build_filename (self.tree.top, "run", NULL);
  self.path = g_build_filename (self.folder, "lent", ADDRESS, NULL);
  return self;
}

static void
place_clear (Place *self)
{
  sysfs_tree_clear (&self->tree);
  g_free (self->folder);
  g_free (self->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Place, place_clear)

#define BAR "0x00000000fe000000 0x00000000fe003fff 0x0000000000040200\n"
#define IO_BAR "0x000000000000c000 0x000000000000c0ff 0x0000000000040101\n"
#define NONE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

static RegiondLoans *
load (Place *self)
{
  g_autoptr (GError) error = NULL;
  RegiondLoans *loans = regiond_loans_new (self->folder, &error);

  g_assert_no_error (error);
  return loans;
}

static void
put (Place      *self,
     const char *address,
     const char *text)
{
  g_autofree char *folder = g_build_filename (self->folder, "lent", NULL);
  g_autofree char *path = g_build_filename (folder, address, NULL);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
assert_lists (RegiondLoans *loans,
              const char   *address)
{
  g_auto (GStrv) list = regiond_loans_list (loans);

  g_assert_cmpstr (list[0], ==, address);
}

static void
test_remembered (void)
{
  g_auto (Place) place = place_set_up (BAR);
  g_autoptr (RegiondLoans) loans = NULL, later = NULL;
  g_autoptr (GArray) nothing = NULL, left = NULL;
  g_autoptr (GError) error = NULL;
  RegiondWitness witness;
  int fd;

  if (witnessed_skip ())
    return;

  loans = load (&place);
  nothing = regiond_loans_place (loans, place.tree.sysfs);
  g_assert_cmpuint (nothing->len, ==, 0);
  assert_lists (loans, NULL);

  fd = witnessed_open (&witness);
  g_assert_true (regiond_loans_lend (loans, ADDRESS, witness.keyring, &error));
  assert_lists (loans, ADDRESS);

  later = load (&place);
  assert_lists (later, ADDRESS);
  left = regiond_loans_place (later, place.tree.sysfs);
  g_assert_cmpuint (left->len, ==, 1);
  g_assert_cmpint (g_array_index (left, gint32, 0), ==, witness.keyring);

  close (fd);
  wait_until (regiond_witness_is_gone (&witness));
  assert_lists (later, NULL);
  g_assert_false (g_file_test (place.path, G_FILE_TEST_EXISTS));
}

static void
test_forgotten (void)
{
  g_auto (Place) place = place_set_up (BAR);
  g_autoptr (RegiondLoans) loans = load (&place);
  g_autoptr (RegiondLoans) later = NULL;

  g_assert_true (regiond_loans_lend (loans, ADDRESS, 0, NULL));
  g_assert_true (g_file_test (place.path, G_FILE_TEST_EXISTS));
  regiond_loans_forget (loans, ADDRESS);
  g_assert_false (g_file_test (place.path, G_FILE_TEST_EXISTS));
  later = load (&place);
  assert_lists (later, NULL);
}

/* A mapping outlives the removal of its device and reaches the next one there. */
static void
test_same_place (void)
{
  g_auto (Place) place = place_set_up (NONE IO_BAR BAR);
  g_autoptr (RegiondLoans) loans = NULL, later = NULL;
  g_autoptr (GArray) left = NULL, again = NULL;

  put (&place, "0000:03:00.0", "range 0xfe003000 0xfe004fff\nserial 0\n");
  put (&place, "0000:04:00.0", "range 0xfe004000 0xfe004fff\nserial 0\n");
  put (&place, "0000:05:00.0", "range 0xc000 0xc0ff\nserial 0\n");
  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*lent/0000:0*");
  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*lent/0000:0*");
  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*lent/0000:0*");
  loans = load (&place);
  g_test_assert_expected_messages ();

  left = regiond_loans_place (loans, place.tree.sysfs);
  g_assert_cmpuint (left->len, ==, 1);
  again = regiond_loans_place (loans, place.tree.sysfs);
  g_assert_cmpuint (again->len, ==, 1);
  g_assert_true (g_file_test (place.path, G_FILE_TEST_EXISTS));

  regiond_loans_forget (loans, ADDRESS);
  assert_lists (loans, "0000:04:00.0");
}

static void
test_broken (void)
{
  static const char *const broken[] = {
    "", "serial 12", "serial twelve\n", "serial 1 2\n", "range 0x1000\n", "range 0x2000 0x1000\nserial -1\n", "\n",
    "range 0x1000 0x1fff\n", "serial 99999999999\n", "lent\nserial 0\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (broken); i++)
    {
      g_auto (Place) place = place_set_up (BAR);
      g_autoptr (RegiondLoans) loans = NULL;
      g_autoptr (GArray) left = NULL;
      gboolean unknown = FALSE;

      put (&place, ADDRESS, broken[i]);
      g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*lent/" ADDRESS "*removed*");
      loans = load (&place);
      g_test_assert_expected_messages ();
      left = regiond_loans_place (loans, place.tree.sysfs);
      for (guint j = 0; j < left->len; j++)
        unknown = unknown || g_array_index (left, gint32, j) == 0;
      g_assert_true (unknown);
    }
}

static void
test_half_written (void)
{
  g_auto (Place) place = place_set_up (BAR);
  g_autofree char *path = NULL;
  g_autoptr (RegiondLoans) loans = NULL;

  put (&place, ADDRESS ".X1Y2Z3", "ser");
  path = g_strconcat (place.path, ".X1Y2Z3", NULL);
  loans = load (&place);
  assert_lists (loans, NULL);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
test_unwritable (void)
{
  g_auto (Place) place = place_set_up (BAR);
  g_autoptr (RegiondLoans) loans = load (&place);
  g_autofree char *folder = g_path_get_dirname (place.path);
  g_autoptr (GError) error = NULL, none = NULL;

  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_assert_false (regiond_loans_lend (loans, ADDRESS, 12, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, place.path);

  g_assert_true (g_file_set_contents (folder, "", 0, NULL));
  g_assert_null (regiond_loans_new (place.folder, &none));
  assert_error_says (none, REGIOND_ERROR, REGIOND_ERROR_FAILED, folder);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loans/what-is-lent-is-known-to-the-next-regiond", test_remembered);
  g_test_add_func ("/loans/what-is-returned-is-forgotten", test_forgotten);
  g_test_add_func ("/loans/a-device-at-the-same-place-takes-them-over", test_same_place);
  g_test_add_func ("/loans/a-broken-file-is-a-loan-of-which-nothing-is-known", test_broken);
  g_test_add_func ("/loans/what-was-being-written-was-not-lent", test_half_written);
  g_test_add_func ("/loans/what-cannot-be-written-is-not-lent", test_unwritable);
  return g_test_run ();
}
