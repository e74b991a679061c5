/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include "text.h"

#define GAP 2

typedef struct
{
  char *title;
  CtlColumnFlags flags;
} Column;

struct _CtlTable
{
  GArray *columns;
  GPtrArray *cells;
};

static void
column_clear (gpointer data)
{
  Column *column = data;

  g_free (column->title);
}

CtlTable *
ctl_table_new (void)
{
  CtlTable *table = g_new0 (CtlTable, 1);

  table->columns = g_array_new (FALSE, FALSE, sizeof (Column));
  g_array_set_clear_func (table->columns, column_clear);
  table->cells = g_ptr_array_new_with_free_func (g_free);
  return table;
}

void
ctl_table_free (CtlTable *table)
{
  g_array_unref (table->columns);
  g_ptr_array_unref (table->cells);
  g_free (table);
}

void
ctl_table_add_column (CtlTable      *table,
                      const char    *title,
                      CtlColumnFlags flags)
{
  Column column = { g_strdup (title), flags };

  g_assert (table->cells->len == 0);
  g_array_append_val (table->columns, column);
}

void
ctl_table_add_cell (CtlTable   *table,
                    const char *text)
{
  gboolean empty = text == NULL || *text == '\0';

  g_ptr_array_add (table->cells, empty ? g_strdup ("-") : ctl_text_clean (text));
}

void
ctl_table_add_number (CtlTable *table,
                      guint64   number)
{
  g_ptr_array_add (table->cells, g_strdup_printf ("%" G_GUINT64_FORMAT, number));
}

static const Column *
get_column (CtlTable *table,
            guint     index)
{
  return &g_array_index (table->columns, Column, index);
}

static guint *
measure_columns (CtlTable *table,
                 gboolean  legend)
{
  guint *widths = g_new0 (guint, table->columns->len);

  for (guint i = 0; legend && i < table->columns->len; i++)
    widths[i] = ctl_text_get_width (get_column (table, i)->title);

  for (guint i = 0; i < table->cells->len; i++)
    {
      guint *width = &widths[i % table->columns->len];

      *width = MAX (*width, ctl_text_get_width (g_ptr_array_index (table->cells, i)));
    }

  return widths;
}

static guint
add_up (CtlTable    *table,
        const guint *widths,
        guint        gap)
{
  guint total = gap * (table->columns->len - 1);

  for (guint i = 0; i < table->columns->len; i++)
    total += widths[i];

  return total;
}

/* Takes one cell from the widest flexible column; FALSE when none has any. */
static gboolean
narrow_widest (CtlTable *table,
               guint    *widths)
{
  guint *widest = NULL;

  for (guint i = 0; i < table->columns->len; i++)
    if ((get_column (table, i)->flags & CTL_COLUMN_FLEXIBLE) &&
        widths[i] > 1 && (widest == NULL || widths[i] > *widest))
      widest = &widths[i];

  if (widest == NULL)
    return FALSE;

  (*widest)--;
  return TRUE;
}

static void
append_cell (GString       *line,
             const char    *text,
             guint          width,
             CtlColumnFlags flags)
{
  g_autofree char *cut = ctl_text_ellipsize (text, width);
  int padding = width - ctl_text_get_width (cut);

  if (flags & CTL_COLUMN_NUMBER)
    g_string_append_printf (line, "%*s%s", padding, "", cut);
  else
    g_string_append_printf (line, "%s%*s", cut, padding, "");
}

static void
append_row (CtlTable    *table,
            GString     *text,
            guint        row, /* 0: the titles */
            const guint *widths,
            guint        gap,
            guint        width)
{
  g_autoptr (GString) line = g_string_new (NULL);
  g_autofree char *cut = NULL;

  for (guint i = 0; i < table->columns->len; i++)
    {
      const Column *column = get_column (table, i);
      guint cell = (row - 1) * table->columns->len + i;

      if (i > 0)
        g_string_append_printf (line, "%*s", gap, "");
      append_cell (line, row == 0 ? column->title : g_ptr_array_index (table->cells, cell),
                   widths[i], column->flags);
    }

  g_strchomp (line->str);
  /* With nothing flexible left to take from, the line itself is cut. */
  cut = width == 0 ? g_strdup (line->str) : ctl_text_ellipsize (line->str, width);
  g_string_append_printf (text, "%s\n", cut);
}

char *
ctl_table_format (CtlTable *table,
                  guint     width,
                  gboolean  legend)
{
  g_autofree guint *widths = measure_columns (table, legend);
  GString *text = g_string_new (NULL);
  guint rows = table->cells->len / table->columns->len;
  guint gap = GAP;

  g_assert (table->cells->len % table->columns->len == 0);

  if (width != 0 && add_up (table, widths, gap) > width)
    gap = 1;
  while (width != 0 && add_up (table, widths, gap) > width)
    if (!narrow_widest (table, widths))
      break;

  for (guint row = legend ? 0 : 1; row <= rows; row++)
    append_row (table, text, row, widths, gap, width);

  return g_string_free (text, FALSE);
}
