/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <unistd.h>

#define BARS 6

/* A RegiondKernel. */
static int known;

/* The main thread's. */
static RegiondKernelFunc listener;
static gpointer listener_data;

RegiondKernel
regiond_kernel_try (int      fd,
                    gboolean claimed)
{
  gsize page = sysconf (_SC_PAGESIZE);
  gpointer start = mmap (NULL, page, PROT_READ, MAP_SHARED, fd, 0);

  if (start == MAP_FAILED)
    return errno == EPERM ? REGIOND_KERNEL_LOCKED : errno == EINVAL ? REGIOND_KERNEL_STRICT : REGIOND_KERNEL_UNKNOWN;

  munmap (start, page);
  return claimed ? REGIOND_KERNEL_LAX : REGIOND_KERNEL_UNKNOWN;
}

static RegiondKernel
try_bar (const char *device,
         guint       index)
{
  g_autofree char *path = g_strdup_printf ("%s/resource%u", device, index);
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  RegiondKernel shown;

  if (fd < 0)
    return REGIOND_KERNEL_UNKNOWN;

  shown = regiond_kernel_try (fd, FALSE);
  close (fd);
  return shown;
}

static gboolean
is_memory (const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 3);

  /* IORESOURCE_MEM, linux/ioport.h */
  return g_strv_length (words) == 3 && g_ascii_strtoull (words[2], NULL, 16) & 0x200;
}

/* I/O ports are no matter of this. */
static RegiondKernel
try_device (const char *device)
{
  g_autofree char *driver = g_build_filename (device, "driver", NULL);
  g_autofree char *path = g_build_filename (device, "resource", NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  RegiondKernel shown = REGIOND_KERNEL_UNKNOWN;

  if (!g_file_test (driver, G_FILE_TEST_EXISTS) || !g_file_get_contents (path, &text, NULL, NULL))
    return REGIOND_KERNEL_UNKNOWN;

  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; i < BARS && lines[i] != NULL && shown == REGIOND_KERNEL_UNKNOWN; i++)
    {
      if (is_memory (lines[i]))
        shown = try_bar (device, i);
    }
  return shown;
}

RegiondKernel
regiond_kernel_probe (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  RegiondKernel shown = REGIOND_KERNEL_UNKNOWN;
  const char *name;

  while (dir != NULL && shown == REGIOND_KERNEL_UNKNOWN && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *device = g_build_filename (folder, name, NULL);

      shown = try_device (device);
    }
  return shown;
}

RegiondKernel
regiond_kernel_get (void)
{
  static gsize once = 0;

  if (g_once_init_enter (&once))
    {
      regiond_kernel_learn (regiond_kernel_probe ("/sys/bus/pci/devices"));
      g_once_init_leave (&once, 1);
    }

  return g_atomic_int_get (&known);
}

void
regiond_kernel_listen (RegiondKernelFunc func,
                       gpointer          data)
{
  listener = func;
  listener_data = data;
}

static gboolean
tell (gpointer data)
{
  if (listener != NULL)
    listener (listener_data);
  return G_SOURCE_REMOVE;
}

/* What has been seen of a device of ours is better than what was guessed; that
 * there was nothing to be seen is no news. */
void
regiond_kernel_learn (RegiondKernel shown)
{
  if (shown != REGIOND_KERNEL_UNKNOWN && g_atomic_int_get (&known) != (int) shown)
    {
      g_atomic_int_set (&known, shown);
      g_idle_add_full (G_PRIORITY_DEFAULT, tell, NULL, NULL);
      if (shown == REGIOND_KERNEL_LAX)
        g_message ("this kernel takes no mapping of a BAR from its holder (CONFIG_IO_STRICT_DEVMEM is not set): "
                   "leases of BARs that are mapped end only with the holder's close or death");
    }
}
