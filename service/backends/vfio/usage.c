/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/usage.h"

#include "error.h"

#include <stdlib.h>

/* How deep md upon dm upon … is followed. */
#define DEPTH_MOST 16

typedef struct {
  const char *root;
  const char *address;
  char       *folder; /* of the device, without links, and a slash */
} Usage;

static gboolean
is_ours (Usage      *self,
         const char *path)
{
  g_autofree char *real = realpath (path, NULL);

  return real != NULL && g_str_has_prefix (real, self->folder);
}

/* Calls @func for each path in a folder, until one is TRUE. */
typedef gboolean (*FoundFunc) (Usage *self, const char *path, gpointer data);

static gboolean
find_in (Usage      *self,
         const char *folder,
         FoundFunc   func,
         gpointer    data)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (func (self, path, data))
        return TRUE;
    }

  return FALSE;
}

static gboolean
says (const char *folder,
      const char *name,
      const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *contents = NULL;

  return g_file_get_contents (path, &contents, NULL, NULL) && g_str_equal (g_strstrip (contents), text);
}

/* Block devices. */

static gboolean
is_controller (Usage      *self,
               const char *path,
               gpointer    data)
{
  return is_ours (self, path);
}

static gboolean is_carried (Usage *self, const char *path, gpointer depth);

/* The disks that it is made of, and a partition's disk. */
static gboolean
is_carried_below (Usage      *self,
                  const char *real,
                  guint       depth)
{
  g_autofree char *slaves = g_build_filename (real, "slaves", NULL);
  g_autofree char *partition = g_build_filename (real, "partition", NULL);
  g_autofree char *parent = g_path_get_dirname (real);
  gpointer next = GUINT_TO_POINTER (depth + 1);

  if (find_in (self, slaves, is_carried, next))
    return TRUE;
  if (g_file_test (partition, G_FILE_TEST_EXISTS))
    return is_carried (self, parent, next);

  /* A disk that NVMe has several ways to belongs to none of the controllers:
   * they are beside it. */
  return strstr (parent, "/nvme-subsystem/") != NULL && find_in (self, parent, is_controller, NULL);
}

/* Whether the block device in sysfs at @path is on this PCI device. */
static gboolean
is_carried (Usage      *self,
            const char *path,
            gpointer    depth)
{
  g_autofree char *real = realpath (path, NULL);

  if (real == NULL || GPOINTER_TO_UINT (depth) > DEPTH_MOST)
    return FALSE;
  return g_str_has_prefix (real, self->folder) || is_carried_below (self, real, GPOINTER_TO_UINT (depth));
}

static gboolean
is_carried_block (Usage      *self,
                  const char *name)
{
  g_autofree char *path = g_build_filename (self->root, "/sys/class/block", name, NULL);

  return is_carried (self, path, NULL);
}

static gboolean
refuse (Usage      *self,
        const char *what,
        const char *advice,
        GError    **error)
{
  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
               "%s is not taken from its driver: %s; %s, or give the option 'force' (regionctl bind --force)",
               self->address, what, advice);
  return FALSE;
}

/* Of "/dev/mapper/x" the name that sysfs has: "dm-0". */
static char *
get_block_name (const char *node)
{
  g_autofree char *real = realpath (node, NULL);

  return g_path_get_basename (real != NULL ? real : node);
}

/* One line of mountinfo, proc_pid_mountinfo(5): the fifth word is where, the third the
 * device, and the second after a lone hyphen what. A file system of several
 * devices has a number of its own there (0:42). */
static gboolean
check_mount (Usage      *self,
             const char *line,
             GError    **error)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  g_autofree char *block = NULL, *where = NULL, *what = NULL;
  guint n = g_strv_length (words), hyphen = 5;

  while (hyphen < n && !g_str_equal (words[hyphen], "-"))
    hyphen++;
  if (hyphen + 2 >= n)
    return TRUE;

  block = g_build_filename (self->root, "/sys/dev/block", words[2], NULL);
  if (!is_carried (self, block, NULL))
    {
      g_autofree char *name = get_block_name (words[hyphen + 2]);

      if (!g_str_has_prefix (words[hyphen + 2], "/dev/") || !is_carried_block (self, name))
        return TRUE;
    }

  where = g_strcompress (words[4]);
  what = g_strdup_printf ("it carries the file system that is mounted on %s", where);
  return refuse (self, what, "unmount that first", error);
}

static gboolean
check_swap (Usage      *self,
            const char *line,
            GError    **error)
{
  g_auto (GStrv) words = g_strsplit_set (line, " \t", 2);
  g_autofree char *name = words[0] != NULL ? get_block_name (words[0]) : NULL;

  if (name == NULL || !g_str_has_prefix (words[0], "/dev/") || !is_carried_block (self, name))
    return TRUE;
  return refuse (self, "it carries swap", "switch that off first (swapoff)", error);
}

typedef gboolean (*LineFunc) (Usage *self, const char *line, GError **error);

/* What cannot be read is in the way: nobody knows what depends on the device. */
static gboolean
check_lines (Usage      *self,
             const char *name,
             LineFunc    func,
             GError    **error)
{
  g_autofree char *path = g_build_filename (self->root, name, NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  /* A kernel without swap has no such file; one without mounts there is none. */
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return func == check_swap || refuse (self, "it cannot be seen what is mounted", "look at that yourself", error);

  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    {
      if (!func (self, *line, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
is_carried_entry (Usage      *self,
                  const char *path,
                  gpointer    data)
{
  g_autofree char *name = g_path_get_basename (path);

  return is_carried_block (self, name);
}

static gboolean
has_carried_device (Usage      *self,
                    const char *path,
                    gpointer    data)
{
  g_autofree char *devices = g_build_filename (path, "devices", NULL);

  return find_in (self, devices, is_carried_entry, NULL);
}

/* What is mounted in another mount namespace mountinfo does not tell; some file
 * systems list all that they have, by the device. */
static gboolean
check_file_systems (Usage   *self,
                    GError **error)
{
  static const char *const lists[] = { "/sys/fs/ext4", "/sys/fs/xfs", "/sys/fs/f2fs" };
  g_autofree char *btrfs = g_build_filename (self->root, "/sys/fs/btrfs", NULL);
  gboolean carried = find_in (self, btrfs, has_carried_device, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (lists) && !carried; i++)
    {
      g_autofree char *path = g_build_filename (self->root, lists[i], NULL);

      carried = find_in (self, path, is_carried_entry, NULL);
    }

  return !carried || refuse (self, "it carries a file system that is mounted somewhere (a container?)",
                             "unmount that first", error);
}

/* Consoles. */

static gboolean
is_console (Usage      *self,
            const char *path,
            gpointer    data)
{
  return says (path, "console", "Y") && is_ours (self, path);
}

static gboolean
is_bound_console (Usage      *self,
                  const char *path,
                  gpointer    data)
{
  g_autofree char *name = g_build_filename (path, "name", NULL);
  g_autofree char *text = NULL;

  return says (path, "bind", "1") && g_file_get_contents (name, &text, NULL, NULL) && strstr (text, "dummy") == NULL;
}

static gboolean
check_console (Usage   *self,
               GError **error)
{
  g_autofree char *ttys = g_build_filename (self->root, "/sys/class/tty", NULL);
  g_autofree char *screens = g_build_filename (self->root, "/sys/class/vtconsole", NULL);

  if (find_in (self, ttys, is_console, NULL))
    return refuse (self, "it is a serial port that the kernel has as its console", "take that off (console=)", error);
  if (says (self->folder, "boot_vga", "1") && find_in (self, screens, is_bound_console, NULL))
    return refuse (self, "it is the graphics card of the console", "be sure of another way into the machine", error);
  return TRUE;
}

/* Network. */

static gboolean
is_up (const char *path)
{
  return says (path, "operstate", "up") || (says (path, "operstate", "unknown") && says (path, "carrier", "1"));
}

static gboolean
is_our_link (Usage      *self,
             const char *path,
             gpointer    data)
{
  return is_ours (self, path) && is_up (path);
}

/* One that is made of others (a bridge) has no device. */
static gboolean
is_other_link (Usage      *self,
               const char *path,
               gpointer    data)
{
  g_autofree char *device = g_build_filename (path, "device", NULL);

  return g_file_test (device, G_FILE_TEST_EXISTS) && !is_ours (self, path) && is_up (path);
}

static gboolean
check_network (Usage   *self,
               GError **error)
{
  g_autofree char *links = g_build_filename (self->root, "/sys/class/net", NULL);

  if (!find_in (self, links, is_our_link, NULL) || find_in (self, links, is_other_link, NULL))
    return TRUE;
  return refuse (self, "it is the only network link of the machine that is up", "be sure of another way into it", error);
}

gboolean
regiond_usage_check (RegiondSysfs *sysfs,
                     const char   *root,
                     GError      **error)
{
  g_autofree char *real = realpath (regiond_sysfs_get_folder (sysfs), NULL);
  g_autofree char *folder = g_strconcat (real != NULL ? real : "", "/", NULL);
  Usage self = { root, regiond_sysfs_get_name (sysfs), folder };

  if (real == NULL)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "There is no PCI device at %s any more", self.address);
      return FALSE;
    }
  return check_lines (&self, "/proc/self/mountinfo", check_mount, error) &&
         check_lines (&self, "/proc/swaps", check_swap, error) && check_file_systems (&self, error) &&
         check_console (&self, error) && check_network (&self, error);
}
