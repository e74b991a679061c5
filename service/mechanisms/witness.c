/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static long
join_session_keyring (const char *name)
{
  return syscall (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
}

/* A keyring of a name that somebody else could have made would be joined, not
 * made: the name is unguessable. */
static void
make_name (char  *name,
           gsize  size)
{
  g_snprintf (name, size, "regiond-%08x%08x%08x", g_random_int (), g_random_int (), g_random_int ());
}

/* Where a thread goes when its description is open, so that its own
 * credentials no longer keep the description's keyring. */
static long
join_idle_keyring (void)
{
  static char name[sizeof (((RegiondWitness *) NULL)->name)];
  static gsize once = 0;

  if (g_once_init_enter (&once))
    {
      make_name (name, sizeof name);
      g_once_init_leave (&once, 1);
    }

  return join_session_keyring (name);
}

static void
warn_once (int errsv)
{
  static int warned = FALSE;

  if (g_atomic_int_compare_and_exchange (&warned, FALSE, TRUE))
    g_warning ("Session keyrings cannot be had (%s): with several leases on a region it cannot be told whose reference "
               "is left, so the end of one may take the others with it", g_strerror (errsv));
}

int
regiond_witness_open (RegiondWitness *witness,
                      const char     *path,
                      int             flags)
{
  long serial;
  int fd, errsv;

  make_name (witness->name, sizeof witness->name);
  serial = join_session_keyring (witness->name);
  witness->serial = serial > 0 ? serial : 0;
  if (witness->serial == 0)
    warn_once (errno);

  fd = open (path, flags | O_CLOEXEC);
  errsv = errno;

  /* Without leaving, the thread's credentials would keep the keyring: the
   * witness would never report the end, which is safe but useless. */
  if (witness->serial != 0 && join_idle_keyring () < 0)
    witness->serial = 0;

  errno = errsv;
  return fd;
}

static gpointer
try_out (gpointer data)
{
  return GINT_TO_POINTER (join_idle_keyring () > 0);
}

gboolean
regiond_witness_is_available (void)
{
  static gsize answer = 0;

  if (g_once_init_enter (&answer))
    {
      g_autoptr (GThread) thread = g_thread_new ("witness", try_out, NULL);

      g_once_init_leave (&answer, g_thread_join (g_steal_pointer (&thread)) != NULL ? 1 : 2);
    }

  return answer == 1;
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
