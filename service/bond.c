/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bond.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* F_GETFL of a pidfd that is a thread's (PIDFD_THREAD, Linux 6.9). */
#define A_THREADS O_EXCL

struct _RegiondBonds {
  int   set;
  guint source;
};

struct _RegiondBond {
  int             pidfd;
  guint32         pid;
  guint32         uid;
  guint64         start;
  char           *unit;
  RegiondBonds   *bonds; /* NULL: it is not watched, or no more */
  RegiondBondFunc func;
  gpointer        data;
};

/* One at a time: what is done about it may free others. */
static gboolean
on_ready (int          set,
          GIOCondition condition,
          gpointer     data)
{
  struct epoll_event event;
  RegiondBond *bond;

  if (epoll_wait (set, &event, 1, 0) != 1)
    return G_SOURCE_CONTINUE;

  bond = event.data.ptr;
  epoll_ctl (set, EPOLL_CTL_DEL, bond->pidfd, NULL);
  bond->bonds = NULL;
  bond->func (bond->data);
  return G_SOURCE_CONTINUE;
}

RegiondBonds *
regiond_bonds_new (GError **error)
{
  RegiondBonds *self;
  int set = epoll_create1 (EPOLL_CLOEXEC);

  if (set < 0)
    {
      regiond_error_set_errno (error, errno, "Cannot watch over processes");
      return NULL;
    }

  self = g_new (RegiondBonds, 1);
  *self = (RegiondBonds){ set, g_unix_fd_add (set, G_IO_IN, on_ready, NULL) };
  return self;
}

void
regiond_bonds_free (RegiondBonds *self)
{
  g_source_remove (self->source);
  close (self->set);
  g_free (self);
}

/* The kernel's name of the file. Those of files that somebody has made begin with "/". */
gboolean
regiond_bond_is_pidfd (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree char *link = g_file_read_link (path, NULL);

  return link != NULL && (g_str_equal (link, "anon_inode:[pidfd]") || g_str_has_prefix (link, "pidfd:["));
}

/* What follows the line's beginning @key in a file of /proc; NULL where there is none. */
static char *
read_line (const char *path,
           const char *key)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;

  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    {
      if (g_str_has_prefix (*line, key))
        return g_strdup (g_strchug (*line + strlen (key)));
    }
  return NULL;
}

/* pidfd_open(2): -1 once the process has been reaped; 0 where the namespace of this /proc does
 * not know it. */
static gboolean
read_pid (RegiondBond *self,
          GError     **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", self->pidfd);
  g_autofree char *number = read_line (path, "Pid:");
  gint64 pid = number != NULL ? g_ascii_strtoll (number, NULL, 10) : 0;

  if (pid < 0)
    {
      g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                           "The process of the pidfd 'bind-to' has ended; open it for one that lives");
      return FALSE;
    }
  if (pid == 0)
    {
      g_set_error_literal (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                           "The pidfd 'bind-to' is of a process that has no number in regiond's PID namespace; "
                           "bind to one that has");
      return FALSE;
    }

  self->pid = pid;
  return TRUE;
}

/* The 22nd field; the second may have blanks and parentheses in it. */
static gboolean
read_start (RegiondBond *self)
{
  g_autofree char *path = g_strdup_printf ("/proc/%u/stat", self->pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) fields = NULL;
  const char *rest;

  if (!g_file_get_contents (path, &text, NULL, NULL) || (rest = strrchr (text, ')')) == NULL)
    return FALSE;

  fields = g_strsplit (rest, " ", -1);
  if (g_strv_length (fields) < 21)
    return FALSE;

  self->start = g_ascii_strtoull (fields[20], NULL, 10);
  return TRUE;
}

static gboolean
read_uid (RegiondBond *self,
          guint32     *uid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%u/status", self->pid);
  g_autofree char *uids = read_line (path, "Uid:");

  if (uids == NULL)
    return FALSE;

  *uid = g_ascii_strtoull (uids, NULL, 10);
  return TRUE;
}

static char *
read_unit (RegiondBond *self)
{
  g_autofree char *path = g_strdup_printf ("/proc/%u/cgroup", self->pid);
  g_autofree char *text = NULL;

  g_file_get_contents (path, &text, NULL, NULL);
  return regiond_bond_find_unit (text != NULL ? text : "");
}

/* NUMBER:CONTROLLERS:PATH, a line for each hierarchy (cgroups(7)): the service manager's own, or
 * that which is for everything. A path has whatever names users like. */
static char *
find_path (const char *cgroups)
{
  g_auto (GStrv) lines = g_strsplit (cgroups, "\n", -1);
  char *unified = NULL;

  for (char **line = lines; *line != NULL; line++)
    {
      g_auto (GStrv) fields = g_strsplit (*line, ":", 3);

      if (g_strv_length (fields) < 3)
        continue;
      if (g_str_equal (fields[1], "name=systemd"))
        {
          g_free (unified);
          return g_strdup (fields[2]);
        }
      if (g_str_equal (fields[0], "0") && fields[1][0] == '\0' && unified == NULL)
        unified = g_strdup (fields[2]);
    }
  return unified != NULL ? unified : g_strdup ("");
}

/* What is below slices is a unit, or nobody of the service manager's. */
char *
regiond_bond_find_unit (const char *cgroups)
{
  g_autofree char *path = find_path (cgroups);
  g_auto (GStrv) elements = g_strsplit (path, "/", -1);
  char **element = elements;

  while (*element != NULL && (*element[0] == '\0' || g_str_has_suffix (*element, ".slice")))
    element++;
  if (*element != NULL && (g_str_has_suffix (*element, ".service") || g_str_has_suffix (*element, ".scope")))
    return g_strdup (*element);
  return g_strdup ("");
}

/* Readable is that it has ended (pidfd_open(2)), whether it has been waited for or not. */
static gboolean
has_ended (RegiondBond *self)
{
  struct pollfd state = { .fd = self->pidfd, .events = POLLIN };

  return TEMP_FAILURE_RETRY (poll (&state, 1, 0)) != 0;
}

static gboolean
check_kind (int      fd,
            GError **error)
{
  const char *objection = NULL;

  if (!regiond_bond_is_pidfd (fd))
    objection = "is no pidfd; pidfd_open(2) makes one";
  else if (fcntl (fd, F_GETFL) & A_THREADS)
    objection = "is a thread's; bind to the process";
  if (objection == NULL)
    return TRUE;

  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "The descriptor 'bind-to' %s", objection);
  return FALSE;
}

/* By its number, which was its own all the time if it has not ended after that. */
static gboolean
read_process (RegiondBond *self,
              GError     **error)
{
  gboolean read = read_start (self) && read_uid (self, &self->uid);

  self->unit = read_unit (self);
  if (has_ended (self))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                   "Process %u of the pidfd 'bind-to' has ended; open it for one that lives", self->pid);
      return FALSE;
    }
  if (!read)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED,
                 "Whose process %u is cannot be read from /proc; regiond needs CAP_SYS_PTRACE where /proc hides processes",
                 self->pid);
  return read;
}

RegiondBond *
regiond_bond_new (int      pidfd,
                  GError **error)
{
  g_autoptr (RegiondBond) self = NULL;

  if (!check_kind (pidfd, error))
    return NULL;

  self = g_new0 (RegiondBond, 1);
  self->pidfd = fcntl (pidfd, F_DUPFD_CLOEXEC, 3);
  if (self->pidfd < 0)
    {
      regiond_error_set_errno (error, errno, "Cannot keep the pidfd");
      return NULL;
    }
  if (!read_pid (self, error) || !read_process (self, error))
    return NULL;

  return g_steal_pointer (&self);
}

void
regiond_bond_free (RegiondBond *self)
{
  if (self->bonds != NULL)
    epoll_ctl (self->bonds->set, EPOLL_CTL_DEL, self->pidfd, NULL);
  if (self->pidfd >= 0)
    close (self->pidfd);
  g_free (self->unit);
  g_free (self);
}

guint32
regiond_bond_get_pid (RegiondBond *self)
{
  return self->pid;
}

guint32
regiond_bond_get_uid (RegiondBond *self)
{
  return self->uid;
}

gboolean
regiond_bond_check (RegiondBond *self,
                    GError     **error)
{
  g_autofree char *unit = read_unit (self);
  guint32 uid = 0;
  gboolean same = read_uid (self, &uid) && uid == self->uid && g_str_equal (unit, self->unit);

  if (has_ended (self))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "Process %u, which the lease was to be tied to, has ended",
                 self->pid);
  else if (!same)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
                 "Process %u, which the lease was to be tied to, has changed: it was user %u's, in unit '%s', when it was "
                 "asked for, and is user %u's, in '%s'; call again", self->pid, self->uid, self->unit, uid, unit);
  else
    return TRUE;

  return FALSE;
}

void
regiond_bond_add_details (RegiondBond     *self,
                          RegiondQuestion *question)
{
  g_autofree char *pid = g_strdup_printf ("%u", self->pid);
  g_autofree char *uid = g_strdup_printf ("%u", self->uid);

  regiond_question_add (question, "target_pid", pid);
  regiond_question_add (question, "target_uid", uid);
  regiond_question_add (question, "target_unit", self->unit);
}

PolkitSubject *
regiond_bond_make_subject (RegiondBond *self)
{
  return polkit_unix_process_new_for_owner (self->pid, self->start, self->uid);
}

gboolean
regiond_bond_watch (RegiondBond    *self,
                    RegiondBonds   *bonds,
                    RegiondBondFunc func,
                    gpointer        data,
                    GError        **error)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = self };

  if (epoll_ctl (bonds->set, EPOLL_CTL_ADD, self->pidfd, &event) < 0)
    {
      regiond_error_set_errno (error, errno, "Cannot watch over the process (fs.epoll.max_user_watches)");
      return FALSE;
    }

  self->bonds = bonds;
  self->func = func;
  self->data = data;
  return TRUE;
}
