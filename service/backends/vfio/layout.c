/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/layout.h"

#include "error.h"

#include <sys/stat.h>

/* include/linux/ioport.h, which the kernel's sysfs ABI spells out as numbers. */
#define RESOURCE_IO 0x00000100
#define RESOURCE_MEMORY 0x00000200
#define RESOURCE_PREFETCHABLE 0x00002000
#define RESOURCE_WIDE 0x00100000
#define RESOURCE_UNSET 0x20000000

typedef struct {
  guint64 start;
  guint64 end;
  guint64 flags;
} Resource;

/* A line: three numbers, in hexadecimal with 0x. */
static gboolean
parse_line (const char *line,
            Resource   *resource)
{
  guint64 *const numbers[] = { &resource->start, &resource->end, &resource->flags };
  g_auto (GStrv) words = g_strsplit (line, " ", -1);

  if (g_strv_length (words) != G_N_ELEMENTS (numbers))
    return FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      if (!g_str_has_prefix (words[i], "0x") ||
          !g_ascii_string_to_unsigned (words[i] + 2, 16, 0, G_MAXUINT64, numbers[i], NULL))
        return FALSE;
    }

  return TRUE;
}

/* The first seven lines are the BARs and the ROM, in VFIO's order; what follows
 * are a bridge's windows and what belongs to virtual functions. */
static gboolean
read_resources (RegiondSysfs *sysfs,
                Resource     *resources,
                GError      **error)
{
  g_autofree char *text = regiond_sysfs_read (sysfs, "resource", error);
  g_auto (GStrv) lines = NULL;

  if (text == NULL)
    return FALSE;

  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; i <= VFIO_PCI_ROM_REGION_INDEX; i++)
    {
      if (i >= g_strv_length (lines) || !parse_line (lines[i], &resources[i]))
        {
          g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "Cannot make out line %u of resource of %s",
                       i + 1, regiond_sysfs_get_name (sysfs));
          return FALSE;
        }
    }

  return TRUE;
}

/* A ROM gets its address when it is read. */
static gboolean
is_there (const Resource *resource,
          guint           index)
{
  if (!(resource->flags & (RESOURCE_IO | RESOURCE_MEMORY)) || resource->end <= resource->start)
    return FALSE;
  return index == VFIO_PCI_ROM_REGION_INDEX || !(resource->flags & RESOURCE_UNSET);
}

static RegiondRegion *
make_region (guint       index,
             guint64     size,
             const char *kind)
{
  static const char *const fixed[] = { "rom", "config", "vga" };
  g_autofree char *name = NULL;

  if (index < VFIO_PCI_ROM_REGION_INDEX)
    name = g_strdup_printf ("bar%u", index);
  else if (index <= VFIO_PCI_VGA_REGION_INDEX)
    name = g_strdup (fixed[index - VFIO_PCI_ROM_REGION_INDEX]);
  else
    name = g_strdup_printf ("specific%u", index);
  return regiond_region_new (name, index, size, kind);
}

static void
add_resource (GPtrArray      *regions,
              guint           index,
              const Resource *resource)
{
  const char *kind = resource->flags & RESOURCE_IO ? "io" : "mmio";
  RegiondRegion *region = make_region (index, resource->end - resource->start + 1,
                                       index == VFIO_PCI_ROM_REGION_INDEX ? "rom" : kind);

  region->prefetchable = (resource->flags & RESOURCE_PREFETCHABLE) != 0;
  region->wide = (resource->flags & RESOURCE_WIDE) != 0;
  g_ptr_array_add (regions, region);
}

/* The file is as long as the space that the kernel found. */
static gboolean
add_config (GPtrArray    *regions,
            RegiondSysfs *sysfs,
            GError      **error)
{
  struct stat now;

  if (!regiond_sysfs_stat (sysfs, "config", &now, error))
    return FALSE;

  g_ptr_array_add (regions, make_region (VFIO_PCI_CONFIG_REGION_INDEX, now.st_size, "config"));
  return TRUE;
}

GPtrArray *
regiond_layout_read (RegiondSysfs *sysfs,
                     GError      **error)
{
  g_autoptr (GPtrArray) regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  Resource resources[VFIO_PCI_ROM_REGION_INDEX + 1];

  if (!read_resources (sysfs, resources, error))
    return NULL;

  for (guint i = 0; i < G_N_ELEMENTS (resources); i++)
    {
      if (is_there (&resources[i], i))
        add_resource (regions, i, &resources[i]);
    }

  return add_config (regions, sysfs, error) ? g_steal_pointer (&regions) : NULL;
}

gboolean
regiond_layout_read_start (RegiondSysfs *sysfs,
                           guint         index,
                           guint64      *start,
                           GError      **error)
{
  Resource resources[VFIO_PCI_ROM_REGION_INDEX + 1];

  if (!read_resources (sysfs, resources, error))
    return FALSE;
  if (index >= G_N_ELEMENTS (resources) || !is_there (&resources[index], index))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "Device %s has no region of index %u at an address",
                   regiond_sysfs_get_name (sysfs), index);
      return FALSE;
    }

  *start = resources[index].start;
  return TRUE;
}

static RegiondRegion *
copy_region (const RegiondRegion *region,
             guint64              size)
{
  RegiondRegion *copy = regiond_region_new (region->name, region->index, size, region->kind);

  copy->prefetchable = region->prefetchable;
  copy->wide = region->wide;
  return copy;
}

/* A BAR that sysfs says is not there stays away: nothing tells what it is. */
gboolean
regiond_layout_add (GPtrArray *regions,
                    guint      index,
                    guint64    size)
{
  if (size == 0)
    return FALSE;

  for (guint i = 0; i < regions->len; i++)
    {
      g_autoptr (RegiondRegion) region = regiond_region_ref (g_ptr_array_index (regions, i));

      if (region->index != index)
        continue;
      if (region->size == size)
        return FALSE;

      regiond_region_unref (region);
      g_ptr_array_index (regions, i) = copy_region (region, size);
      return TRUE;
    }

  if (index < VFIO_PCI_VGA_REGION_INDEX || regions->len >= REGIOND_REGION_MOST)
    return FALSE;

  g_ptr_array_add (regions, make_region (index, size, index == VFIO_PCI_VGA_REGION_INDEX ? "vga" : "device-specific"));
  return TRUE;
}

GPtrArray *
regiond_layout_complete (GPtrArray     *regions,
                         RegiondHandle *handle)
{
  g_autoptr (GPtrArray) complete = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  gboolean changed = FALSE;

  for (guint i = 0; i < regions->len; i++)
    g_ptr_array_add (complete, regiond_region_ref (g_ptr_array_index (regions, i)));

  for (guint i = 0; i < regiond_handle_count_regions (handle); i++)
    {
      const struct vfio_region_info *info = regiond_handle_get_region (handle, i, NULL);

      if (info != NULL)
        changed |= regiond_layout_add (complete, i, info->size);
    }

  return changed ? g_steal_pointer (&complete) : g_ptr_array_ref (regions);
}
