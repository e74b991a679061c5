/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "witnessed.h"

#include <fcntl.h>

gboolean
witnessed_skip (void)
{
  if (regiond_witness_is_available ())
    return FALSE;

  g_test_skip ("this kernel gives no session keyrings");
  return TRUE;
}

int
witnessed_open (RegiondWitness *witness)
{
  int fd = regiond_witness_open (witness, "/dev/null", O_RDONLY);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (witness->keyring, >, 0);
  return fd;
}
