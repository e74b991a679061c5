/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Who a command is to run as. */
typedef struct
{
  char *name;
  char *home;
  char *shell;
  uid_t uid;
  gid_t gid;
  gid_t *groups;
  int n_groups;
} CtlUser;

/* The user called @name, in all his groups. */
CtlUser *ctl_user_find (const char *name,
                        GError    **error);
void     ctl_user_free (CtlUser *user);

/* Sets what login(1) would of HOME, USER, LOGNAME and SHELL, in @environment,
 * which is taken. */
char **ctl_user_set_environment (const CtlUser *user,
                                 char         **environment);

/* Makes the process @user's, for good. Safe after a fork. FALSE with errno. */
gboolean ctl_user_become (const CtlUser *user);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlUser, ctl_user_free)
