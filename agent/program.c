/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "program.h"

#include "text.h"

char *
agent_program_describe (guint32 pid)
{
  g_autofree char *link = g_strdup_printf ("/proc/%u/exe", pid);
  g_autofree char *path = g_file_read_link (link, NULL);
  g_autofree char *name = path == NULL ? NULL : g_path_get_basename (path);
  g_autofree char *clean = name == NULL ? NULL : ctl_text_clean (name);

  return clean == NULL ? g_strdup_printf ("Process %u", pid) : g_strdup_printf ("%s (process %u)", clean, pid);
}
