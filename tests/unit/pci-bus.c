/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pci-bus.h"

#include "sysfs-tree.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

/* One file that is written to. */
typedef struct {
  char *driver; /* NULL: drivers_probe */
  gboolean unbinds;
  int   fd;
} Pipe;

static void
pipe_free (Pipe *self)
{
  close (self->fd);
  g_free (self->driver);
  g_free (self);
}

static char *
get_path (PciBus     *self,
          const char *name)
{
  return g_build_filename (self->sysfs, "bus/pci", name, NULL);
}

static void
make_parent (const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
}

void
pci_bus_put (PciBus     *self,
             const char *path,
             const char *text)
{
  g_autofree char *whole = g_build_filename (self->top, path, NULL);

  make_parent (whole);
  g_assert_true (g_file_set_contents (whole, text, -1, NULL));
}

void
pci_bus_link (PciBus     *self,
              const char *path,
              const char *target)
{
  g_autofree char *whole = g_build_filename (self->top, path, NULL);
  g_autofree char *to = g_build_filename (self->top, target, NULL);

  make_parent (whole);
  g_assert_cmpint (symlink (to, whole), ==, 0);
}

static void
add_pipe (PciBus     *self,
          const char *name,
          const char *driver,
          gboolean    unbinds)
{
  g_autofree char *path = get_path (self, name);
  Pipe *pipe = g_new (Pipe, 1);

  make_parent (path);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  *pipe = (Pipe){ g_strdup (driver), unbinds, open (path, O_RDWR | O_NONBLOCK | O_CLOEXEC) };
  g_assert_cmpint (pipe->fd, >=, 0);
  g_ptr_array_add (self->pipes, pipe);
}

void
pci_bus_init (PciBus *self)
{
  self->top = g_dir_make_tmp ("regiond-pci-XXXXXX", NULL);
  self->sysfs = g_build_filename (self->top, "sys", NULL);
  self->state = g_build_filename (self->top, "run", NULL);
  self->native = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->refuses = NULL;
  self->kernel = NULL;
  self->pipes = g_ptr_array_new_with_free_func ((GDestroyNotify) pipe_free);
  g_assert_cmpint (pipe (self->stop), ==, 0);
  add_pipe (self, "drivers_probe", NULL, FALSE);
}

void
pci_bus_add_driver (PciBus     *self,
                    const char *name)
{
  g_autofree char *bind = g_strdup_printf ("drivers/%s/bind", name);
  g_autofree char *unbind = g_strdup_printf ("drivers/%s/unbind", name);

  add_pipe (self, bind, name, FALSE);
  add_pipe (self, unbind, name, TRUE);
}

static void
set_driver (PciBus     *self,
            const char *address,
            const char *driver)
{
  g_autofree char *link = g_build_filename (self->sysfs, "bus/pci/devices", address, "driver", NULL);
  g_autofree char *to = g_build_filename (self->sysfs, "bus/pci/drivers", driver, NULL);

  g_unlink (link);
  if (driver != NULL)
    g_assert_cmpint (symlink (to, link), ==, 0);
}

void
pci_bus_add_device (PciBus     *self,
                    const char *address,
                    const char *class,
                    const char *driver,
                    int         group)
{
  const struct {
    const char *name, *text;
  } files[] = {
    { "vendor", "0xfffe\n" },          { "device", "0x0001\n" }, { "subsystem_vendor", "0x0000\n" },
    { "subsystem_device", "0x0000\n" }, { "class", class },       { "driver_override", "(null)\n" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename ("sys/bus/pci/devices", address, files[i].name, NULL);

      pci_bus_put (self, path, files[i].text);
    }

  if (driver != NULL)
    {
      g_hash_table_insert (self->native, g_strdup (address), g_strdup (driver));
      set_driver (self, address, driver);
    }
  if (group >= 0)
    {
      g_autofree char *folder = g_strdup_printf ("sys/kernel/iommu_groups/%d", group);
      g_autofree char *member = g_build_filename (folder, "devices", address, NULL);
      g_autofree char *link = g_build_filename ("sys/bus/pci/devices", address, "iommu_group", NULL);

      pci_bus_put (self, member, "");
      pci_bus_link (self, link, folder);
    }
}

/* Of what is written only the first line counts, as with the kernel's. */
static char *
take_override (PciBus     *self,
               const char *address)
{
  g_autofree char *path = g_build_filename (self->sysfs, "bus/pci/devices", address, "driver_override", NULL);
  char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  text[strcspn (text, "\n")] = '\0';
  if (g_str_equal (text, "(null)"))
    text[0] = '\0';
  return text;
}

static void
probe (PciBus     *self,
       const char *address)
{
  g_autofree char *override = take_override (self, address);
  g_autofree char *current = pci_bus_get_driver (self, address);
  const char *driver = override[0] != '\0' ? override : g_hash_table_lookup (self->native, address);

  if (current[0] == '\0' && driver != NULL && !(g_str_equal (driver, "vfio-pci") && g_strcmp0 (self->refuses, address) == 0))
    set_driver (self, address, driver);
}

static void
handle (PciBus *self,
        Pipe   *pipe)
{
  char address[64] = "";
  gssize length = read (pipe->fd, address, sizeof address - 1);
  g_autofree char *override = NULL;

  g_assert_cmpint (length, >, 0);
  override = take_override (self, address);
  if (pipe->unbinds)
    set_driver (self, address, NULL);
  else if (pipe->driver == NULL)
    probe (self, address);
  else if (g_strcmp0 (g_hash_table_lookup (self->native, address), pipe->driver) == 0 ||
           g_str_equal (override, pipe->driver))
    set_driver (self, address, pipe->driver);
}

static gpointer
be_the_kernel (gpointer data)
{
  PciBus *self = data;
  g_autofree struct pollfd *fds = g_new0 (struct pollfd, self->pipes->len + 1);
  guint n = self->pipes->len;

  for (guint i = 0; i < n; i++)
    fds[i] = (struct pollfd){ ((Pipe *) g_ptr_array_index (self->pipes, i))->fd, POLLIN, 0 };
  fds[n] = (struct pollfd){ self->stop[0], POLLIN, 0 };

  while (poll (fds, n + 1, -1) > 0 && fds[n].revents == 0)
    {
      for (guint i = 0; i < n; i++)
        {
          if (fds[i].revents != 0)
            handle (self, g_ptr_array_index (self->pipes, i));
        }
    }
  return NULL;
}

void
pci_bus_run (PciBus *self)
{
  self->kernel = g_thread_new ("kernel", be_the_kernel, self);
}

char *
pci_bus_get_driver (PciBus     *self,
                    const char *address)
{
  g_autofree char *link = g_build_filename (self->sysfs, "bus/pci/devices", address, "driver", NULL);
  g_autofree char *target = g_file_read_link (link, NULL);

  return target != NULL ? g_path_get_basename (target) : g_strdup ("");
}

void
pci_bus_clear (PciBus *self)
{
  g_assert_cmpint (write (self->stop[1], "", 1), ==, 1);
  if (self->kernel != NULL)
    g_thread_join (self->kernel);
  close (self->stop[0]);
  close (self->stop[1]);
  g_ptr_array_unref (self->pipes);
  g_hash_table_unref (self->native);
  sysfs_tree_wipe (self->top);
  g_free (self->state);
  g_free (self->sysfs);
  g_free (self->top);
}
