/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/fault.h"

#include <setjmp.h>
#include <signal.h>

/* Where the thread goes on, while it touches a mapping. */
static __thread sigjmp_buf *volatile way_out;

static void
on_bus_error (int signal_number)
{
  if (way_out != NULL)
    siglongjmp (*way_out, 1);

  /* Not ours: end as anybody would. */
  signal (SIGBUS, SIG_DFL);
  raise (SIGBUS);
}

/* Without blocking the signal in the handler the mask need not be saved: that
 * would be a system call for each access. */
static void
prepare (void)
{
  static gsize once = 0;
  struct sigaction action = { .sa_handler = on_bus_error, .sa_flags = SA_NODEFER };

  if (g_once_init_enter (&once))
    {
      sigaction (SIGBUS, &action, NULL);
      g_once_init_leave (&once, 1);
    }
}

gboolean
regiond_fault_catch (RegiondFaultFunc func,
                     gpointer         data)
{
  sigjmp_buf here;

  prepare ();
  if (sigsetjmp (here, 0) != 0)
    {
      way_out = NULL;
      return FALSE;
    }

  way_out = &here;
  func (data);
  way_out = NULL;
  return TRUE;
}
