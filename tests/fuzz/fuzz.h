/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What libFuzzer calls, and the driver in its place where there is none: each
 * target has both. A finding ends the process (g_error, an assertion, a
 * sanitizer's report). https://llvm.org/docs/LibFuzzer.html */

/* Once, before any input and any thread. Always 0. */
int LLVMFuzzerInitialize (int *argc, char ***argv);

/* Any bytes whatever. Always 0. */
int LLVMFuzzerTestOneInput (const guint8 *data, size_t size);

/* For LLVMFuzzerInitialize: warnings and whatever is worse are findings. */
void fuzz_prepare (void);
