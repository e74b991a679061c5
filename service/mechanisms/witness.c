/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where a thread goes when its description is open, so that its own
 * credentials no longer keep the description's keyring. */
#define IDLE_KEYRING "regiond-idle"

static long
join_session_keyring (const char *name)
{
  return syscall (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
}

/* A keyring of a name that somebody else could have made would be joined, not
 * made: the name is unguessable. */
static void
name_witness (RegiondWitness *witness)
{
  g_snprintf (witness->name, sizeof witness->name, "regiond-%08x%08x%08x", g_random_int (), g_random_int (),
              g_random_int ());
}

int
regiond_witness_open (RegiondWitness *witness,
                      const char     *path,
                      int             flags)
{
  long serial;
  int fd, errsv;

  name_witness (witness);
  serial = join_session_keyring (witness->name);
  witness->serial = serial > 0 ? serial : 0;

  fd = open (path, flags | O_CLOEXEC);
  errsv = errno;

  /* Without leaving, the thread's credentials would keep the keyring: the
   * witness would never report the end, which is safe but useless. */
  if (witness->serial != 0 && join_session_keyring (IDLE_KEYRING) < 0)
    witness->serial = 0;

  errno = errsv;
  return fd;
}

/* The description reads "keyring;UID;GID;PERM;NAME". */
static gboolean
names_another (const RegiondWitness *witness,
               const char           *description)
{
  const char *name = strrchr (description, ';');

  return name == NULL || !g_str_equal (name + 1, witness->name);
}

gboolean
regiond_witness_is_gone (const RegiondWitness *witness)
{
  char description[128];
  long length;

  if (witness->serial == 0)
    return FALSE;

  length = syscall (SYS_keyctl, KEYCTL_DESCRIBE, witness->serial, description, sizeof description);
  if (length < 0)
    return errno == ENOKEY;

  /* Serial numbers are used again; a longer description is another's, too. */
  return (gsize) length > sizeof description || names_another (witness, description);
}
