/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "region.h"

#include "text.h"

#include <unistd.h>

#define NAME_MOST 32

static gboolean
name_is_valid (const char *name)
{
  gsize length = strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

  return g_ascii_isalpha (name[0]) && name[length] == '\0' && length <= NAME_MOST;
}

RegiondRegion *
regiond_region_new (const char *name,
                    guint       index,
                    guint64     size,
                    const char *kind)
{
  RegiondRegion *self = g_atomic_rc_box_new0 (RegiondRegion);

  self->name = g_strdup (name);
  self->index = index;
  self->size = size;
  self->kind = g_strdup (kind);
  return self;
}

RegiondRegion *
regiond_region_new_memory (const char *name,
                           guint       index,
                           guint64     size,
                           GError    **error)
{
  guint64 page = sysconf (_SC_PAGESIZE);

  if (!name_is_valid (name))
    {
      g_autofree char *quoted = regiond_text_quote (name);

      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "%s cannot be a region's name: a letter and at most 31 more letters, digits, '_', '.' or '-'",
                   quoted);
      return NULL;
    }
  if (size == 0 || size % page != 0 || size > G_MAXINT64)
    {
      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "Region %s cannot have %" G_GUINT64_FORMAT " bytes: the size must be a multiple of the page size, "
                   "%" G_GUINT64_FORMAT ", more than 0 and below 2^63", name, size, page);
      return NULL;
    }

  return regiond_region_new (name, index, size, "memory");
}

RegiondRegion *
regiond_region_ref (RegiondRegion *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondRegion *self)
{
  g_free (self->name);
  g_free (self->kind);
}

void
regiond_region_unref (RegiondRegion *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

RegiondRegion *
regiond_region_find (GPtrArray  *regions,
                     const char *name)
{
  for (guint i = 0; i < regions->len; i++)
    {
      RegiondRegion *region = g_ptr_array_index (regions, i);

      if (g_str_equal (region->name, name))
        return region;
    }

  return NULL;
}

gboolean
regiond_region_check_set (GPtrArray *regions,
                          GError   **error)
{
  if (regions->len == 0)
    {
      g_set_error_literal (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "A device needs at least one region");
      return FALSE;
    }

  if (regions->len > REGIOND_REGION_MOST)
    {
      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "A device has at most %d regions, not %u",
                   REGIOND_REGION_MOST, regions->len);
      return FALSE;
    }

  for (guint i = 0; i < regions->len; i++)
    {
      RegiondRegion *region = g_ptr_array_index (regions, i);

      if (regiond_region_find (regions, region->name) != region)
        {
          g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "Region %s is given twice", region->name);
          return FALSE;
        }
    }

  return TRUE;
}

gboolean
regiond_region_takes_memory (RegiondRegion *self)
{
  return g_str_equal (self->kind, "memory") || g_str_equal (self->kind, "rom");
}

static guint64
add_up (GPtrArray *regions,
        gboolean   memory_only)
{
  guint64 total = 0;

  for (guint i = 0; i < regions->len; i++)
    {
      RegiondRegion *region = g_ptr_array_index (regions, i);

      if ((!memory_only || regiond_region_takes_memory (region)) && !g_uint64_checked_add (&total, total, region->size))
        return G_MAXUINT64;
    }

  return total;
}

guint64
regiond_region_total_size (GPtrArray *regions)
{
  return add_up (regions, FALSE);
}

guint64
regiond_region_total_memory (GPtrArray *regions)
{
  return add_up (regions, TRUE);
}
