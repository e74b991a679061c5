/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that is started with its descriptors, as systemd's services are, and
 * knows nothing of D-Bus: listener NAME TEXT puts TEXT into the region called NAME,
 * through a mapping where that can be had.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static int
find (char **names,
      int n,
      const char *name)
{
  for (int i = 0; i < n; i++)
    if (strcmp (names[i], name) == 0)
      return SD_LISTEN_FDS_START + i;
  return -1;
}

static int
put (int fd,
     const char *text)
{
  size_t length = strlen (text) + 1;
  char *map = mmap (NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  if (map != MAP_FAILED)
    {
      memcpy (map, text, length);
      return 0;
    }
  return errno == ENODEV && pwrite (fd, text, length, 0) == (ssize_t) length ? 0 : -1;
}

int
main (int argc,
      char **argv)
{
  char **names = NULL;
  int n = sd_listen_fds_with_names (1, &names);
  int fd = argc == 3 ? find (names, n, argv[1]) : -1;

  if (fd < 0)
    {
      fprintf (stderr, "%d descriptors, and none is called %s\n", n, argc > 1 ? argv[1] : "");
      return EXIT_FAILURE;
    }
  if (put (fd, argv[2]) != 0)
    {
      perror ("region");
      return EXIT_FAILURE;
    }
  printf ("%s is one of %d\n", argv[1], n);
  return EXIT_SUCCESS;
}
