/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Gives memory back to the machine in a second's time: what an answer of
 * megabytes took for a moment would stay in the heap. (GLib before 2.76 needs
 * G_SLICE=always-malloc in the environment for it to be any use, as the unit has
 * it.) Main thread only. */
void regiond_trim_later (void);
