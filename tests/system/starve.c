/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * starve memory=BYTES|watches|keyrings|mounts PROGRAM ARGUMENT…: runs PROGRAM,
 * to which the kernel refuses one thing. memory: no file has any beyond that
 * offset (ENOSPC, as where there is no more); watches: there are no inotify
 * watches left (ENOSPC); keyrings: the quota of keys is used up (EDQUOT);
 * mounts: there is no fsopen (ENOSYS). Only refusals of the kernel, at the
 * system call: all else is as on any machine.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(what) BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, what))
#define UNLESS(comparison, value, skip) BPF_JUMP (BPF_JMP | comparison | BPF_K, value, 0, skip)
#define RETURN(what) BPF_STMT (BPF_RET | BPF_K, what)
#define REFUSE(number) RETURN (SECCOMP_RET_ERRNO | number)

static void
install (struct sock_filter *filter,
         unsigned short length)
{
  struct sock_fprog program = { length, filter };

  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    {
      perror ("starve: seccomp");
      exit (126);
    }
}

/* The offset is the third argument; the tests' are below 4 GiB. */
static void
refuse_memory (unsigned int offset)
{
  struct sock_filter filter[] = {
    LOAD (nr),      UNLESS (BPF_JEQ, SYS_fallocate, 3),
    LOAD (args[2]), UNLESS (BPF_JGE, offset, 1),
    REFUSE (ENOSPC), RETURN (SECCOMP_RET_ALLOW),
  };

  install (filter, sizeof filter / sizeof *filter);
}

static void
refuse_call (unsigned int number,
             unsigned int error)
{
  struct sock_filter filter[] = {
    LOAD (nr), UNLESS (BPF_JEQ, number, 1), REFUSE (error), RETURN (SECCOMP_RET_ALLOW),
  };

  install (filter, sizeof filter / sizeof *filter);
}

int
main (int argc,
      char **argv)
{
  const char *what = argc > 2 ? argv[1] : "";

  if (strncmp (what, "memory=", 7) == 0)
    refuse_memory (strtoul (what + 7, NULL, 10));
  else if (strcmp (what, "watches") == 0)
    refuse_call (SYS_inotify_add_watch, ENOSPC);
  else if (strcmp (what, "keyrings") == 0)
    refuse_call (SYS_keyctl, EDQUOT);
  else if (strcmp (what, "mounts") == 0)
    refuse_call (SYS_fsopen, ENOSYS);
  else
    {
      fprintf (stderr, "usage: starve memory=BYTES|watches|keyrings|mounts PROGRAM ARGUMENT…\n");
      return 2;
    }
  execv (argv[2], argv + 2);
  perror (argv[2]);
  return 127;
}
