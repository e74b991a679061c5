/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A mapping of a BAR may be taken from regiond itself: when another driver claims
 * the device after it was unbound under us, before we hear of it. The access is
 * an error then, and not the end of the service. */
typedef void (*RegiondFaultFunc) (gpointer data);

/* Calls @func, which touches such a mapping and does nothing else. FALSE when that
 * raised SIGBUS; what @func had not done by then is not done. Any thread. */
gboolean regiond_fault_catch (RegiondFaultFunc func, gpointer data);
