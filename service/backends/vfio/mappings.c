/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* On a slow machine one look may take all of the time of one that is content with few. */
#define PATIENCE_MS 500
#define MIN_LOOKS 4
#define PAUSE_MS 5

/* What is asked. Reading of a process may wait for as long as that process likes, so
 * it is a thread's own, which may outlive who asks. */
typedef struct {
  struct stat    *files;
  guint           n_files;
  gint64          deadline;
  GMutex          lock;
  GCond           over;
  gboolean        done;
  RegiondMappings answer;
} Question;

/* One look through all processes. */
typedef struct {
  const struct stat *files;
  guint n_files;
  gint64 deadline;
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
  switch (pread (fd, &byte, 1, address))
    {
    case 1:
      look->live = TRUE;
      break;
    case 0: /* its memory has gone with it */
      break;
    default:
      look->denied |= errno != EIO && errno != ESRCH;
    }
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

/* Nobody waits for it any more. */
static gboolean
is_too_late (Look *look)
{
  return g_get_monotonic_time () >= look->deadline;
}

/* Calls @look_at for each entry that is a number; whether it was TRUE for one. */
static gboolean
for_each_number (Look *look,
                 const char *folder,
                 LookAt look_at)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  gboolean any = FALSE;
  const char *name;

  while (dir != NULL && !is_too_late (look) && (name = g_dir_read_name (dir)) != NULL)
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
look_once (const Question *question,
           char          **found)
{
  Look look = { question->files, question->n_files, question->deadline, g_string_new (NULL) };
  g_autofree char *before = g_steal_pointer (found);

  look_around (&look);
  *found = g_string_free (look.found, FALSE);
  if (look.live)
    return REGIOND_MAPPINGS_LIVE;
  if (look.denied || look.unstable || is_too_late (&look) || g_strcmp0 (before, *found) != 0)
    return REGIOND_MAPPINGS_UNKNOWN;
  return REGIOND_MAPPINGS_NONE;
}

static RegiondMappings
find_answer (const Question *question)
{
  g_autofree char *found = NULL;
  gint64 patience = g_get_monotonic_time () + PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
  RegiondMappings answer = REGIOND_MAPPINGS_UNKNOWN;
  gint64 now;

  for (guint looks = 0; (now = g_get_monotonic_time ()) < question->deadline && (looks < MIN_LOOKS || now < patience); looks++)
    {
      answer = look_once (question, &found);
      if (answer != REGIOND_MAPPINGS_UNKNOWN)
        break;
      g_usleep (PAUSE_MS * G_TIME_SPAN_MILLISECOND);
    }
  return answer;
}

static void
question_clear (Question *self)
{
  g_free (self->files);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->over);
}

static void
question_unref (Question *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) question_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Question, question_unref)

static Question *
question_new (const int *files,
              guint      n_files,
              gint64     deadline)
{
  g_autoptr (Question) self = g_atomic_rc_box_new0 (Question);

  self->files = g_new0 (struct stat, n_files);
  self->n_files = n_files;
  self->deadline = deadline;
  self->answer = REGIOND_MAPPINGS_UNKNOWN;
  g_mutex_init (&self->lock);
  g_cond_init (&self->over);
  for (guint i = 0; i < n_files; i++)
    {
      if (fstat (files[i], &self->files[i]) < 0)
        return NULL;
    }
  return g_steal_pointer (&self);
}

static gpointer
work (gpointer data)
{
  g_autoptr (Question) self = data;
  RegiondMappings answer = find_answer (self);

  g_mutex_lock (&self->lock);
  self->answer = answer;
  self->done = TRUE;
  g_cond_signal (&self->over);
  g_mutex_unlock (&self->lock);
  return NULL;
}

RegiondMappings
regiond_mappings_look (const int *files,
                       guint      n_files,
                       gint64     deadline)
{
  g_autoptr (Question) self = question_new (files, n_files, deadline);
  RegiondMappings answer;
  GThread *thread;

  /* Where nothing is claimed nothing is zapped, and nothing has been looked at. */
  if (self == NULL || n_files == 0)
    return REGIOND_MAPPINGS_UNKNOWN;
  thread = g_thread_try_new ("mappings", work, g_atomic_rc_box_acquire (self), NULL);
  if (thread == NULL)
    {
      question_unref (self);
      return REGIOND_MAPPINGS_UNKNOWN;
    }

  g_thread_unref (thread);
  g_mutex_lock (&self->lock);
  while (!self->done && g_cond_wait_until (&self->over, &self->lock, deadline))
    ;
  answer = self->done ? self->answer : REGIOND_MAPPINGS_UNKNOWN;
  g_mutex_unlock (&self->lock);
  return answer;
}
