/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <signal.h>
#include <stdlib.h>

/* GLib ends a process with SIGTRAP, of which libFuzzer does not know that it is
 * a finding. */
static void
on_trap (int signal)
{
  abort ();
}

void
fuzz_prepare (void)
{
  signal (SIGTRAP, on_trap);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
}
