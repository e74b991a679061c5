/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps the page at the start of descriptor 3 and reads it for as long as it can: it says
 * "mapped", and is killed by SIGBUS when the page is taken from it. Needs nothing but the
 * kernel, so that it runs in any container.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int
main (void)
{
  const volatile unsigned *page = mmap (NULL, 4096, PROT_READ, MAP_SHARED, 3, 0);

  if (page == MAP_FAILED)
    {
      perror ("mapper");
      return 1;
    }

  for (unsigned rounds = 0;; rounds++)
    {
      (void) page[0];
      if (rounds == 0 && write (STDOUT_FILENO, "mapped\n", 7) != 7)
        return 1;
      usleep (10 * 1000);
    }
}
