/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mechanisms/witness.h"

/* An open file that has a witness, as a lent BAR is. The test is skipped, and this TRUE,
 * where the kernel has none. */
gboolean witnessed_skip (void);
int      witnessed_open (RegiondWitness *witness);
