/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A client to be killed, or one of a crowd: bench-client COUNT FIRST MODULO
 * opens COUNT leases on the devices FIRST, FIRST + 1, … modulo MODULO, maps
 * and fills the first page of each, prints its bus name and waits until stdin
 * ends. With COUNT 0 it does the same with a memfd of its own, and no lease.
 */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
fill_page (int fd)
{
  void *page = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  if (page == MAP_FAILED)
    bench_die ("mapping the region failed");
  memset (page, 0xa5, 4096);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GDBusConnection) bus = NULL;
  guint count, first, modulo;
  char byte;

  if (argc != 4)
    bench_die ("usage: bench-client COUNT FIRST MODULO");
  count = strtoul (argv[1], NULL, 10);
  first = strtoul (argv[2], NULL, 10);
  modulo = strtoul (argv[3], NULL, 10);

  bench_allow_many_fds ();
  bus = bench_connect ();
  if (count == 0)
    fill_page (bench_memfd (4096));
  for (guint i = 0; i < count; i++)
    {
      g_autofree char *path = bench_device_path ((first + i) % modulo);

      fill_page (bench_open (bus, BENCH_SERVICE, path, NULL));
    }

  printf ("%s\n", g_dbus_connection_get_unique_name (bus));
  fflush (stdout);
  return read (STDIN_FILENO, &byte, 1) < 0;
}
