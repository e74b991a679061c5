/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A new one, always: with a name of one's own the kernel would first look
 * through all that there are. Nobody else has leave to search it, so nobody
 * can join it. */
static long
join_new_session_keyring (void)
{
  return syscall (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
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
  long keyring = join_new_session_keyring ();
  int fd, errsv;

  witness->keyring = keyring > 0 ? keyring : 0;
  if (witness->keyring == 0)
    warn_once (errno);

  fd = open (path, flags | O_CLOEXEC);
  errsv = errno;

  /* Without leaving, the thread's own credentials would keep the keyring: the
   * witness would never report the end, which is safe but useless. */
  if (witness->keyring != 0 && join_new_session_keyring () < 0)
    witness->keyring = 0;

  errno = errsv;
  return fd;
}

static gpointer
try_out (gpointer data)
{
  return GINT_TO_POINTER (join_new_session_keyring () > 0);
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

gboolean
regiond_witness_is_gone (const RegiondWitness *witness)
{
  return witness->keyring != 0 && syscall (SYS_keyctl, KEYCTL_DESCRIBE, witness->keyring, NULL, 0) < 0 &&
         errno == ENOKEY;
}
