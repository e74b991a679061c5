/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "error.h"

void
ctl_user_free (CtlUser *user)
{
  g_free (user->name);
  g_free (user->home);
  g_free (user->shell);
  g_free (user->groups);
  g_free (user);
}

static void
find_groups (CtlUser *user)
{
  int room = 16;

  do
    {
      user->groups = g_renew (gid_t, user->groups, room);
      user->n_groups = room;
      room *= 2;
    }
  while (getgrouplist (user->name, user->gid, user->groups, &user->n_groups) == -1);
}

CtlUser *
ctl_user_find (const char *name,
               GError    **error)
{
  const struct passwd *entry;
  CtlUser *user;

  errno = 0;
  entry = getpwnam (name);
  if (entry == NULL)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "There is no user “%s”%s%s", name,
                   errno == 0 ? "" : ": ", errno == 0 ? "" : g_strerror (errno));
      return NULL;
    }

  user = g_new0 (CtlUser, 1);
  user->name = g_strdup (entry->pw_name);
  user->home = g_strdup (entry->pw_dir);
  user->shell = g_strdup (*entry->pw_shell == '\0' ? "/bin/sh" : entry->pw_shell);
  user->uid = entry->pw_uid;
  user->gid = entry->pw_gid;
  find_groups (user);
  return user;
}

char **
ctl_user_set_environment (const CtlUser *user,
                          char         **environment)
{
  environment = g_environ_setenv (environment, "HOME", user->home, TRUE);
  environment = g_environ_setenv (environment, "USER", user->name, TRUE);
  environment = g_environ_setenv (environment, "LOGNAME", user->name, TRUE);
  return g_environ_setenv (environment, "SHELL", user->shell, TRUE);
}

gboolean
ctl_user_become (const CtlUser *user)
{
  /* Not as system calls: by these names they take 16-bit numbers on some machines. glibc has every
   * thread do the same; after a fork it knows of this one only, and has let go of its lock. */
  return setgroups (user->n_groups, user->groups) == 0 && setresgid (user->gid, user->gid, user->gid) == 0 &&
         setresuid (user->uid, user->uid, user->uid) == 0;
}
