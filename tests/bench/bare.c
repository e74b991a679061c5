/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bare.h"

#include "mechanisms/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Nothing ever changes them. */
#define ATTRIBUTES_S 3600.0

static char bytes[BARE_SIZE];
static uid_t holder;

static void
on_getattr (fuse_req_t             request,
            fuse_ino_t             inode,
            struct fuse_file_info *file)
{
  struct stat attributes = {
    .st_ino = FUSE_ROOT_ID,
    .st_mode = S_IFREG | 0600,
    .st_nlink = 1,
    .st_uid = holder,
    .st_size = BARE_SIZE,
  };

  fuse_reply_attr (request, &attributes, ATTRIBUTES_S);
}

static void
on_open (fuse_req_t             request,
         fuse_ino_t             inode,
         struct fuse_file_info *file)
{
  file->direct_io = 1;
  file->noflush = 1;
  fuse_reply_open (request, file);
}

static void
on_read (fuse_req_t             request,
         fuse_ino_t             inode,
         size_t                 width,
         off_t                  offset,
         struct fuse_file_info *file)
{
  if (offset >= BARE_SIZE)
    fuse_reply_buf (request, NULL, 0);
  else
    fuse_reply_buf (request, bytes + offset, MIN (width, (size_t) (BARE_SIZE - offset)));
}

static void
on_write (fuse_req_t             request,
          fuse_ino_t             inode,
          const char            *from,
          size_t                 width,
          off_t                  offset,
          struct fuse_file_info *file)
{
  if (offset >= BARE_SIZE)
    {
      fuse_reply_err (request, ENOSPC);
      return;
    }

  width = MIN (width, (size_t) (BARE_SIZE - offset));
  memcpy (bytes + offset, from, width);
  fuse_reply_write (request, width);
}

static const struct fuse_lowlevel_ops operations = {
  .getattr = on_getattr,
  .open = on_open,
  .read = on_read,
  .write = on_write,
};

struct fuse_session *
bare_session_new (uid_t uid,
                  int  *mount)
{
  char *arguments[] = { (char *) "bare" };
  struct fuse_args args = FUSE_ARGS_INIT (G_N_ELEMENTS (arguments), arguments);
  g_autoptr (GError) error = NULL;
  g_autofree char *place = NULL;
  struct fuse_session *session;
  int connection;

  holder = uid;
  connection = regiond_mount_connect (&error);
  bench_check ("connecting to FUSE", error);
  *mount = regiond_mount_file (connection, &error);
  bench_check ("mounting a file", error);

  place = g_strdup_printf ("/dev/fd/%d", connection);
  session = fuse_session_new (&args, &operations, sizeof operations, NULL);
  if (session == NULL || fuse_session_mount (session, place) < 0 || fcntl (connection, F_SETFL, 0) < 0)
    bench_die ("serving a FUSE file failed");
  return session;
}
