/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What blocks and is nobody's turn: a cut above all, which must wait for nothing
 * that is done to other devices. */
typedef void (*RegiondErrandFunc) (gpointer data);

/* Calls @func on a thread that has nothing else to do. */
void regiond_errand_send (RegiondErrandFunc func, gpointer data);
