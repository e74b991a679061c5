/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/loans.h"

#include "backends/vfio/address.h"
#include "error.h"
#include "mechanisms/witness.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdio.h>

#define FOLDER "lent"

/* Of a line of sysfs `resource`: linux/ioport.h, which user space does not get. */
#define IORESOURCE_MEM 0x200
#define BARS 6

typedef struct {
  guint64 first; /* bus addresses, both inclusive */
  guint64 last;
} Range;

/* Of one device. */
typedef struct {
  GArray *ranges;  /* Range */
  GArray *serials; /* gint32 */
} Loan;

struct _RegiondLoans {
  GMutex      lock;
  char       *folder;
  GHashTable *loans; /* address -> Loan */
};

static Loan *
loan_new (void)
{
  Loan *self = g_new (Loan, 1);

  self->ranges = g_array_new (FALSE, FALSE, sizeof (Range));
  self->serials = g_array_new (FALSE, FALSE, sizeof (gint32));
  return self;
}

static void
loan_free (Loan *self)
{
  g_array_unref (self->ranges);
  g_array_unref (self->serials);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Loan, loan_free)

static void
add_serial (Loan  *self,
            gint32 serial)
{
  for (guint i = 0; i < self->serials->len; i++)
    {
      if (g_array_index (self->serials, gint32, i) == serial)
        return;
    }
  g_array_append_val (self->serials, serial);
}

static void
add_ranges (Loan   *self,
            GArray *ranges)
{
  for (guint i = 0; i < ranges->len; i++)
    {
      Range *range = &g_array_index (ranges, Range, i);
      gboolean known = FALSE;

      for (guint j = 0; j < self->ranges->len && !known; j++)
        known = memcmp (&g_array_index (self->ranges, Range, j), range, sizeof *range) == 0;
      if (!known)
        g_array_append_val (self->ranges, *range);
    }
}

static gboolean
overlaps (Loan   *self,
          GArray *ranges)
{
  for (guint i = 0; i < self->ranges->len; i++)
    {
      Range *mine = &g_array_index (self->ranges, Range, i);

      for (guint j = 0; j < ranges->len; j++)
        {
          Range *other = &g_array_index (ranges, Range, j);

          if (mine->first <= other->last && other->first <= mine->last)
            return TRUE;
        }
    }

  return FALSE;
}

/* Drops what has proved to be gone. */
static void
prune (Loan *self)
{
  for (guint i = self->serials->len; i > 0; i--)
    {
      RegiondWitness witness = { g_array_index (self->serials, gint32, i - 1) };

      if (regiond_witness_is_gone (&witness))
        g_array_remove_index_fast (self->serials, i - 1);
    }
}

/* A line is one of two; anything else is FALSE. */
static gboolean
parse_line (Loan       *self,
            const char *line)
{
  Range range;
  gint64 serial;
  char rest;

  if (sscanf (line, "range 0x%" SCNx64 " 0x%" SCNx64 "%c", &range.first, &range.last, &rest) == 2)
    {
      g_array_append_val (self->ranges, range);
      return range.first <= range.last;
    }
  if (sscanf (line, "serial %" SCNd64 "%c", &serial, &rest) == 1)
    {
      add_serial (self, serial);
      return serial >= 0 && serial <= G_MAXINT32;
    }
  return FALSE;
}

static Loan *
parse (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint n = g_strv_length (lines);
  Loan *self = loan_new ();
  gboolean sound = n > 0 && lines[n - 1][0] == '\0';

  for (guint i = 0; i + 1 < n; i++)
    sound = parse_line (self, lines[i]) && sound;

  if (!sound || self->serials->len == 0)
    add_serial (self, 0);
  return self;
}

static char *
get_path (RegiondLoans *self,
          const char   *address)
{
  return g_build_filename (self->folder, address, NULL);
}

static void
load_one (RegiondLoans *self,
          const char   *address)
{
  g_autofree char *path = get_path (self, address);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  Loan *loan;

  if (!g_file_get_contents (path, &text, NULL, &error))
    g_warning ("%s", error->message);

  loan = parse (text != NULL ? text : "");
  g_hash_table_insert (self->loans, g_strdup (address), loan);
  for (guint i = 0; i < loan->serials->len; i++)
    {
      if (g_array_index (loan->serials, gint32, i) == 0)
        g_warning ("%s: it cannot be known what is left of what was lent of %s before regiond was started. It is claimed, "
                   "and none of it can be mapped, until this file has been removed and regiond started again; see "
                   "regiond(8), After a crash", path, address);
    }
}

static gboolean
load_all (RegiondLoans *self,
          GError      **error)
{
  g_autoptr (GDir) dir = g_dir_open (self->folder, 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = get_path (self, name);
      RegiondAddress address;

      /* Being written when regiond died: what it would have recorded has not
       * been handed out. */
      if (!regiond_address_parse (name, &address))
        g_unlink (path);
      else
        load_one (self, name);
    }
  return TRUE;
}

RegiondLoans *
regiond_loans_new (const char *folder,
                   GError    **error)
{
  g_autoptr (RegiondLoans) self = g_atomic_rc_box_new0 (RegiondLoans);
  g_autofree char *what = NULL;
  g_autoptr (GError) reason = NULL;

  g_mutex_init (&self->lock);
  self->folder = g_build_filename (folder, FOLDER, NULL);
  self->loans = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) loan_free);
  what = g_strdup_printf ("%s, where is written what is lent, cannot be made", self->folder);
  if (g_mkdir_with_parents (self->folder, 0700) != 0)
    {
      regiond_error_set_errno (error, errno, what);
      return NULL;
    }
  if (!load_all (self, &reason))
    {
      g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, reason->message);
      return NULL;
    }
  return g_steal_pointer (&self);
}

RegiondLoans *
regiond_loans_ref (RegiondLoans *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondLoans *self)
{
  g_hash_table_unref (self->loans);
  g_mutex_clear (&self->lock);
  g_free (self->folder);
}

void
regiond_loans_unref (RegiondLoans *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

static Loan *
get_loan (RegiondLoans *self,
          const char   *address)
{
  Loan *loan = g_hash_table_lookup (self->loans, address);

  if (loan == NULL)
    {
      loan = loan_new ();
      g_hash_table_insert (self->loans, g_strdup (address), loan);
    }
  return loan;
}

static void
remove_file (RegiondLoans *self,
             const char   *address)
{
  g_autofree char *path = get_path (self, address);

  if (g_unlink (path) != 0 && errno != ENOENT)
    g_warning ("%s cannot be removed: %s; after a crash the device would be claimed in vain", path, g_strerror (errno));
}

/* The file as a whole or not at all; one without loans is none. */
static gboolean
write_file (RegiondLoans *self,
            const char   *address,
            Loan         *loan,
            GError      **error)
{
  g_autofree char *path = get_path (self, address);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) reason = NULL;
  g_autofree char *what = g_strdup_printf ("%s, what is lent, cannot be written", path);

  for (guint i = 0; i < loan->ranges->len; i++)
    {
      Range *range = &g_array_index (loan->ranges, Range, i);

      g_string_append_printf (text, "range 0x%" PRIx64 " 0x%" PRIx64 "\n", range->first, range->last);
    }
  for (guint i = 0; i < loan->serials->len; i++)
    g_string_append_printf (text, "serial %" PRId32 "\n", g_array_index (loan->serials, gint32, i));

  if (g_file_set_contents_full (path, text->str, text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &reason))
    return TRUE;

  g_set_error (error, REGIOND_ERROR,
               g_error_matches (reason, G_FILE_ERROR, G_FILE_ERROR_NOSPC) ? REGIOND_ERROR_LIMIT_EXCEEDED : REGIOND_ERROR_FAILED,
               "%s: %s", what, reason->message);
  return FALSE;
}

/* What is left of @other, which was there before, is @loan's from now on. */
static void
take_over (Loan *loan,
           Loan *other)
{
  add_ranges (loan, other->ranges);
  for (guint i = 0; i < other->serials->len; i++)
    add_serial (loan, g_array_index (other->serials, gint32, i));
}

/* Takes over what others have left at the same place; their files may go once
 * this one's is written, which is the first then. */
static void
take_over_all (RegiondLoans *self,
               const char   *address,
               Loan         *loan,
               GArray       *ranges)
{
  g_autoptr (GPtrArray) taken = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  GHashTableIter iter;
  gpointer key, other;

  g_hash_table_iter_init (&iter, self->loans);
  while (g_hash_table_iter_next (&iter, &key, &other))
    {
      if (other == loan || !overlaps (other, ranges))
        continue;
      prune (other);
      if (((Loan *) other)->serials->len == 0)
        continue;
      take_over (loan, other);
      g_ptr_array_add (taken, g_strdup (key));
    }
  if (taken->len == 0)
    return;

  if (!write_file (self, address, loan, &error))
    {
      g_warning ("%s", error->message);
      return;
    }
  for (guint i = 0; i < taken->len; i++)
    {
      remove_file (self, g_ptr_array_index (taken, i));
      g_hash_table_remove (self->loans, g_ptr_array_index (taken, i));
    }
}

/* Where the memory BARs lie: lines 0 to 5 of `resource`. */
static GArray *
read_ranges (RegiondSysfs *sysfs)
{
  GArray *ranges = g_array_new (FALSE, FALSE, sizeof (Range));
  g_autofree char *text = regiond_sysfs_read (sysfs, "resource", NULL);
  g_auto (GStrv) lines = g_strsplit (text != NULL ? text : "", "\n", -1);

  for (guint i = 0; lines[i] != NULL && i < BARS; i++)
    {
      Range range;
      guint64 flags;

      if (sscanf (lines[i], "0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64, &range.first, &range.last, &flags) == 3 &&
          (flags & IORESOURCE_MEM) != 0 && range.first < range.last)
        g_array_append_val (ranges, range);
    }

  return ranges;
}

GArray *
regiond_loans_place (RegiondLoans *self,
                     RegiondSysfs *sysfs)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  const char *address = regiond_sysfs_get_name (sysfs);
  g_autoptr (GArray) ranges = read_ranges (sysfs);
  Loan *loan = get_loan (self, address);

  prune (loan);
  if (loan->serials->len == 0)
    {
      g_array_set_size (loan->ranges, 0);
      remove_file (self, address);
    }
  take_over_all (self, address, loan, ranges);
  add_ranges (loan, ranges);
  return g_array_copy (loan->serials);
}

gboolean
regiond_loans_lend (RegiondLoans *self,
                    const char   *address,
                    gint32        serial,
                    GError      **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  Loan *loan = get_loan (self, address);

  prune (loan);
  add_serial (loan, serial);
  return write_file (self, address, loan, error);
}

void
regiond_loans_forget (RegiondLoans *self,
                      const char   *address)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  Loan *loan = g_hash_table_lookup (self->loans, address);

  if (loan == NULL || loan->serials->len == 0)
    return;

  g_array_set_size (loan->serials, 0);
  remove_file (self, address);
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

char **
regiond_loans_list (RegiondLoans *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, self->loans);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      Loan *loan = value;
      gboolean lent = loan->serials->len > 0;

      prune (loan);
      if (loan->serials->len > 0)
        g_ptr_array_add (addresses, g_strdup (key));
      else if (lent)
        {
          g_message ("Nothing is left of what was lent of device %s", (char *) key);
          remove_file (self, key);
        }
    }

  g_ptr_array_sort (addresses, compare);
  g_ptr_array_add (addresses, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&addresses), FALSE);
}
