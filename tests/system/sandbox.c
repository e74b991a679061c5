/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MORE_USERS \
  "alice:x:2001:2001:Alice:/nonexistent:/usr/sbin/nologin\n" \
  "bob:x:2002:2002:Bob:/nonexistent:/usr/sbin/nologin\n" \
  "carol:x:2003:2003:Carol:/nonexistent:/usr/sbin/nologin\n" \
  "regions-admin:x:2009:2009:Admin:/nonexistent:/usr/sbin/nologin\n" \
  "witness:x:2010:2010:Witness:/nonexistent:/usr/sbin/nologin\n"

/* The password is SANDBOX_PASSWORD. */
#define MORE_PASSWORDS \
  "regions-admin:$6$regiond$p9XYrIqVdLBC57r25erqzyImpbtFpEJ8cMpbNao" \
  "jyWbpkQ/6vAMvQN4XqubFsWInHtBB96f/05hUu0ojF5vj20" \
  ":19000:0:99999:7:::\n"

#define MORE_GROUPS \
  "alice:x:2001:\nbob:x:2002:\ncarol:x:2003:\nregions-admin:x:2009:\nwitness:x:2010:\n" \
  "regions:x:2100:alice,bob,carol\noperators:x:2101:bob\n"

static void
mount_or_fail (const char *source,
               const char *target,
               const char *type,
               unsigned long flags,
               const char *options)
{
  if (mount (source, target, type, flags, options) != 0)
    g_error ("cannot mount %s on %s: %s", source, target, g_strerror (errno));
}

static void
mount_tmpfs (const char *target)
{
  g_assert_cmpint (g_mkdir_with_parents (target, 0755), ==, 0);
  mount_or_fail ("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
}

gboolean
sandbox_has_program (const char *program)
{
  g_autofree char *path = g_find_program_in_path (program);
  g_autofree char *why = path ? NULL : g_strdup_printf ("%s is not installed", program);

  if (!path && g_getenv ("CI"))
    g_error ("%s, and nothing may be skipped", why);
  if (!path)
    g_test_skip (why);
  return path != NULL;
}

void
sandbox_write (const char *path,
               const char *text)
{
  g_autofree char *aside = g_strconcat (path, ".new", NULL);
  g_autoptr (GError) error = NULL;

  g_file_set_contents_full (aside, text, strlen (text), G_FILE_SET_CONTENTS_NONE, 0644, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_rename (aside, path), ==, 0);
}

char *
sandbox_installed (const char *path)
{
  const char *root = g_getenv ("REGIOND_TEST_ROOT");

  if (!root)
    g_error ("REGIOND_TEST_ROOT does not name the installed tree");
  return g_build_filename (root, path, NULL);
}

/* Over FILE lies a copy of it with MORE added. */
static void
extend_file (const char *file,
             const char *name,
             const char *more)
{
  g_autofree char *copy = g_build_filename (SANDBOX_DIR, name, NULL);
  g_autofree char *text = NULL;
  g_autofree char *longer = NULL;

  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  longer = g_strconcat (text, more, NULL);
  sandbox_write (copy, longer);
  mount_or_fail (copy, file, NULL, MS_BIND, NULL);
}

/* The sudo group, whose members polkit asks for passwords, gets one more member. */
static void
replace_group_file (void)
{
  g_autofree char *text = NULL;
  g_autoptr (GString) out = g_string_new (NULL);
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_file_get_contents ("/etc/group", &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i]; i++)
    if (*lines[i] && !g_str_has_prefix (lines[i], "sudo:"))
      g_string_append_printf (out, "%s\n", lines[i]);
  g_string_append (out, "sudo:x:27:regions-admin\n" MORE_GROUPS);
  sandbox_write (SANDBOX_DIR "/group", out->str);
  mount_or_fail (SANDBOX_DIR "/group", "/etc/group", NULL, MS_BIND, NULL);
}

static void
copy_file (const char *from,
           const char *to)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (from, &text, NULL, &error);
  g_assert_no_error (error);
  sandbox_write (to, text);
}

static void
bind_rules_folder (const char *backing,
                   const char *folder)
{
  struct passwd *user = getpwnam ("polkitd");

  g_assert_nonnull (user);
  g_assert_cmpint (g_mkdir_with_parents (backing, 0700), ==, 0);
  g_assert_cmpint (chown (backing, user->pw_uid, 0), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  mount_or_fail (backing, folder, NULL, MS_BIND, NULL);
}

static void
replace_polkit_folders (void)
{
  g_autofree char *rules = NULL;

  g_assert_true (g_file_get_contents ("/usr/share/polkit-1/rules.d/50-default.rules", &rules, NULL, NULL));
  g_assert_cmpint (g_mkdir_with_parents (SANDBOX_ACTIONS, 0755), ==, 0);
  copy_file ("/usr/share/polkit-1/actions/org.freedesktop.policykit.policy",
             SANDBOX_ACTIONS "/org.freedesktop.policykit.policy");
  mount_or_fail (SANDBOX_ACTIONS, "/usr/share/polkit-1/actions", NULL, MS_BIND, NULL);
  bind_rules_folder (SANDBOX_DIR "/rules-vendor", "/usr/share/polkit-1/rules.d");
  bind_rules_folder (SANDBOX_RULES, "/etc/polkit-1/rules.d");
  sandbox_write (SANDBOX_DIR "/rules-vendor/50-default.rules", rules);
}

void
sandbox_bring_people (void)
{
  g_assert_cmpint (g_mkdir_with_parents (SANDBOX_DIR, 0755), ==, 0);
  extend_file ("/etc/passwd", "passwd", MORE_USERS);
  replace_group_file ();
}

void
sandbox_enter (void)
{
  if (geteuid () != 0)
    {
      g_printerr ("system tests need root: skipped\n");
      exit (77);
    }
  if (unshare (CLONE_NEWNS) != 0)
    g_error ("no mount namespace of its own: %s", g_strerror (errno));
  mount_or_fail ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  umask (022);
  /* What a killed client leaves behind is reaped here. */
  prctl (PR_SET_CHILD_SUBREAPER, 1);

  mount_tmpfs ("/run/dbus");
  /* Without logind's and systemd's sockets the test is the same on every machine. */
  mount_tmpfs ("/run/systemd");
  g_assert_cmpint (g_mkdir_with_parents ("/run/systemd/journal", 0755), ==, 0);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=" SANDBOX_SOCKET, TRUE);
  sandbox_bring_people ();
  extend_file ("/etc/shadow", "shadow", MORE_PASSWORDS);
  replace_polkit_folders ();
}
