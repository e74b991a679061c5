/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <unistd.h>

gboolean
regiond_command_switch (RegiondSysfs *sysfs,
                        guint16       on,
                        guint16       off)
{
  int fd = regiond_sysfs_open (sysfs, "config", O_RDWR);
  guint16 command;
  gboolean done;
  int errsv;

  if (fd < 0)
    return FALSE;

  done = pread (fd, &command, sizeof command, PCI_COMMAND) == sizeof command;
  command = GUINT16_TO_LE ((GUINT16_FROM_LE (command) | on) & ~off);
  done = done && pwrite (fd, &command, sizeof command, PCI_COMMAND) == sizeof command;
  errsv = errno;
  close (fd);
  errno = errsv;
  return done;
}
