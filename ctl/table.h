/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Rows of text in columns, for people. */
typedef struct _CtlTable CtlTable;

typedef enum
{
  CTL_COLUMN_PLAIN = 0,
  CTL_COLUMN_NUMBER = 1 << 0,   /* set to the right */
  CTL_COLUMN_FLEXIBLE = 1 << 1, /* may be cut when the room is short */
} CtlColumnFlags;

CtlTable *ctl_table_new  (void);
void      ctl_table_free (CtlTable *table);

void ctl_table_add_column (CtlTable      *table,
                           const char    *title,
                           CtlColumnFlags flags);

/* Adds one cell; the row is full, and the next begins, after as many as there
 * are columns. What is empty shows as "-", so that every row has all columns. */
void ctl_table_add_cell   (CtlTable   *table,
                           const char *text);
void ctl_table_add_number (CtlTable *table,
                           guint64   number);

/* The lines, with the titles first if @legend. None is wider than @width
 * cells (0: as wide as need be): the widest flexible column is cut first. */
char *ctl_table_format (CtlTable *table,
                        guint     width,
                        gboolean  legend);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlTable, ctl_table_free)
