/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* On a slow machine one look may take all of the time. */
#define PATIENCE_MS 500
#define MIN_LOOKS 4
#define PAUSE_MS 5

/* One look through all processes. */
typedef struct {
  const struct stat *files;
  guint n_files;
  GString *found;    /* what must be the same in the next look: mappings, and how long each thread has run */
  gboolean live;
  gboolean unstable; /* a holder was running */
  gboolean denied;
} Look;

/* The whole file, or NULL: what has gone meanwhile cannot be read, and has nothing mapped. */
static char *
read_of_process (Look *look,
                 const char *folder,
                 const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  char buffer[16 * 1024];
  gssize n = -1;

  while (fd >= 0 && (n = read (fd, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, n);
  if (n < 0 && errno != ENOENT && errno != ESRCH)
    look->denied = TRUE;
  if (fd >= 0)
    close (fd);
  return n == 0 ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}

static gboolean
is_one_of_the_files (Look *look,
                     dev_t device,
                     guint64 inode)
{
  for (guint i = 0; i < look->n_files; i++)
    {
      if (look->files[i].st_dev == device && look->files[i].st_ino == inode)
        return TRUE;
    }
  return FALSE;
}

/* A line of /proc/PID/maps: "start-end permissions offset major:minor inode path". */
static gboolean
line_is_of_the_files (Look *look,
                      const char *line,
                      guint64 *start)
{
  unsigned long first, inode;
  unsigned int major_number, minor_number;

  if (sscanf (line, "%lx-%*x %*s %*x %x:%x %lu", &first, &major_number, &minor_number, &inode) != 4)
    return FALSE;
  *start = first;
  return is_one_of_the_files (look, makedev (major_number, minor_number), inode);
}

static void
probe (Look *look,
       const char *folder,
       guint64 address)
{
  g_autofree char *path = g_build_filename (folder, "mem", NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  char byte;

  if (fd < 0)
    {
      look->denied |= errno != ENOENT && errno != ESRCH;
      return;
    }
  if (pread (fd, &byte, 1, address) == 1)
    look->live = TRUE;
  close (fd);
}

/* Whether there was any of the files in it. */
static gboolean
look_at_maps (Look *look,
              const char *folder,
              const char *maps)
{
  g_auto (GStrv) lines = g_strsplit (maps, "\n", -1);
  gboolean any = FALSE;
  guint64 start;

  for (char **line = lines; *line != NULL; line++)
    {
      if (!line_is_of_the_files (look, *line, &start))
        continue;
      any = TRUE;
      g_string_append_printf (look->found, "%s %s\n", folder, *line);
      probe (look, folder, start);
    }
  return any;
}

/* How long a thread has run and how often; who runs now has run since. */
static void
note_thread (Look *look,
             const char *folder)
{
  g_autofree char *state = read_of_process (look, folder, "stat");
  g_autofree char *run = read_of_process (look, folder, "schedstat");
  const char *after_name = state != NULL ? strrchr (state, ')') : NULL;

  if (after_name == NULL || run == NULL || g_str_has_prefix (after_name, ") R"))
    look->unstable = TRUE;
  else
    g_string_append_printf (look->found, "%s %s\n", folder, run);
}

typedef gboolean (*LookAt) (Look *look, const char *folder);

/* Calls @look_at for each entry that is a number; whether it was TRUE for one. */
static gboolean
for_each_number (Look *look,
                 const char *folder,
                 LookAt look_at)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  gboolean any = FALSE;
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *entry = g_build_filename (folder, name, NULL);

      if (g_ascii_isdigit (*name))
        any |= look_at (look, entry);
    }
  return any;
}

static gboolean
look_at_thread (Look *look,
                const char *folder)
{
  g_autofree char *maps = read_of_process (look, folder, "maps");

  return maps != NULL && look_at_maps (look, folder, maps);
}

static gboolean
look_at_run (Look *look,
             const char *folder)
{
  note_thread (look, folder);
  return TRUE;
}

/* All threads have the same mappings; but the first one has none once it has
 * ended, though others live (ESRCH, or an empty file in older kernels). A thread
 * of the kernel has none. */
static gboolean
look_at_process (Look *look,
                 const char *folder)
{
  g_autofree char *maps = read_of_process (look, folder, "maps");
  g_autofree char *threads = g_build_filename (folder, "task", NULL);

  if (maps == NULL || *maps == '\0' ? for_each_number (look, threads, look_at_thread) : look_at_maps (look, folder, maps))
    for_each_number (look, threads, look_at_run);
  return TRUE;
}

static void
look_around (Look *look)
{
  g_autofree char *first = NULL;

  /* Where others are hidden this one is as well. */
  first = read_of_process (look, "/proc/1", "maps");
  if (first == NULL || !for_each_number (look, "/proc", look_at_process))
    look->denied = TRUE;
}

/* NONE and LIVE are definite; @found is what the look before has found, or NULL. */
static RegiondMappings
look_once (const struct stat *files,
           guint n_files,
           char **found)
{
  Look look = { .files = files, .n_files = n_files, .found = g_string_new (NULL) };
  g_autofree char *before = g_steal_pointer (found);

  look_around (&look);
  *found = g_string_free (look.found, FALSE);
  if (look.live)
    return REGIOND_MAPPINGS_LIVE;
  if (look.denied || look.unstable || g_strcmp0 (before, *found) != 0)
    return REGIOND_MAPPINGS_UNKNOWN;
  return REGIOND_MAPPINGS_NONE;
}

RegiondMappings
regiond_mappings_look (const int *files,
                       guint n_files)
{
  g_autofree struct stat *stats = g_new0 (struct stat, n_files);
  g_autofree char *found = NULL;
  gint64 deadline = g_get_monotonic_time () + PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
  RegiondMappings answer = REGIOND_MAPPINGS_UNKNOWN;

  for (guint i = 0; i < n_files; i++)
    {
      if (fstat (files[i], &stats[i]) < 0)
        return REGIOND_MAPPINGS_UNKNOWN;
    }
  for (guint looks = 0; looks < MIN_LOOKS || g_get_monotonic_time () < deadline; looks++)
    {
      answer = look_once (stats, n_files, &found);
      if (answer != REGIOND_MAPPINGS_UNKNOWN)
        break;
      g_usleep (PAUSE_MS * G_TIME_SPAN_MILLISECOND);
    }
  return answer;
}
