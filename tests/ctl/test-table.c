/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <string.h>

#include "table.h"
#include "text.h"

static CtlTable *
make_table (void)
{
  CtlTable *table = ctl_table_new ();

  ctl_table_add_column (table, "ID", CTL_COLUMN_FLEXIBLE);
  ctl_table_add_column (table, "STATE", CTL_COLUMN_PLAIN);
  ctl_table_add_column (table, "LEASES", CTL_COLUMN_NUMBER);
  ctl_table_add_column (table, "DESCRIPTION", CTL_COLUMN_FLEXIBLE);

  ctl_table_add_cell (table, "shm0");
  ctl_table_add_cell (table, "parked");
  ctl_table_add_number (table, 0);
  ctl_table_add_cell (table, "Sensor ring");

  ctl_table_add_cell (table, "a_rather_long_identifier");
  ctl_table_add_cell (table, "leased");
  ctl_table_add_number (table, 12345);
  ctl_table_add_cell (table, "");
  return table;
}

static void
test_plain (void)
{
  g_autoptr (CtlTable) table = make_table ();
  g_autofree char *text = ctl_table_format (table, 0, TRUE);

  g_assert_cmpstr (text, ==,
                   "ID                        STATE   LEASES  DESCRIPTION\n"
                   "shm0                      parked       0  Sensor ring\n"
                   "a_rather_long_identifier  leased   12345  -\n");
}

static void
test_no_legend (void)
{
  g_autoptr (CtlTable) table = make_table ();
  g_autofree char *text = ctl_table_format (table, 0, FALSE);

  g_assert_cmpstr (text, ==,
                   "shm0                      parked      0  Sensor ring\n"
                   "a_rather_long_identifier  leased  12345  -\n");
}

static void
test_widest_is_cut (void)
{
  g_autoptr (CtlTable) table = make_table ();
  g_autofree char *text = ctl_table_format (table, 40, TRUE);

  g_assert_cmpstr (text, ==,
                   "ID             STATE  LEASES DESCRIPTION\n"
                   "shm0           parked      0 Sensor ring\n"
                   "a_rather_long… leased  12345 -\n");
}

static void
test_any_width_fits (void)
{
  for (guint width = 1; width < 100; width++)
    {
      g_autoptr (CtlTable) table = make_table ();
      g_autofree char *text = ctl_table_format (table, width, TRUE);
      g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

      g_assert_cmpuint (g_strv_length (lines), ==, 4);
      for (guint i = 0; lines[i] != NULL; i++)
        g_assert_cmpuint (ctl_text_get_width (lines[i]), <=, width);
    }
}

static void
test_empty (void)
{
  g_autoptr (CtlTable) table = ctl_table_new ();
  g_autofree char *titles = NULL;
  g_autofree char *nothing = NULL;

  ctl_table_add_column (table, "ID", CTL_COLUMN_PLAIN);
  titles = ctl_table_format (table, 80, TRUE);
  nothing = ctl_table_format (table, 80, FALSE);
  g_assert_cmpstr (titles, ==, "ID\n");
  g_assert_cmpstr (nothing, ==, "");
}

static void
test_hostile_text (void)
{
  g_autofree char *control = ctl_text_clean ("a\033[31mb\nc\td\177");
  g_autofree char *turned = ctl_text_clean ("x\342\200\256y");
  g_autofree char *invalid = ctl_text_clean ("a\377b");

  g_assert_cmpstr (control, ==, "a?[31mb?c?d?");
  g_assert_cmpstr (turned, ==, "x?y");
  g_assert_true (g_utf8_validate (invalid, -1, NULL));
}

static void
test_wide_text (void)
{
  g_autofree char *fits = ctl_text_ellipsize ("日本語", 6);
  g_autofree char *cut = ctl_text_ellipsize ("日本語", 5);
  g_autofree char *narrower = ctl_text_ellipsize ("日本語", 4);
  g_autofree char *nothing = ctl_text_ellipsize ("abc", 0);

  g_assert_cmpstr (fits, ==, "日本語");
  g_assert_cmpstr (cut, ==, "日本…");
  g_assert_cmpstr (narrower, ==, "日…");
  g_assert_cmpstr (nothing, ==, "");
}

int
main (int    argc,
      char **argv)
{
  setlocale (LC_CTYPE, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/table/in-full-without-a-terminal", test_plain);
  g_test_add_func ("/table/no-legend", test_no_legend);
  g_test_add_func ("/table/the-widest-column-is-cut", test_widest_is_cut);
  g_test_add_func ("/table/any-width-fits", test_any_width_fits);
  g_test_add_func ("/table/empty", test_empty);
  g_test_add_func ("/text/hostile", test_hostile_text);
  g_test_add_func ("/text/wide", test_wide_text);
  return g_test_run ();
}
