/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mechanisms/hold.h"

/* A hold whose references the test itself takes and lets go. */
#define TYPE_FAKE_HOLD (fake_hold_get_type ())
G_DECLARE_FINAL_TYPE (FakeHold, fake_hold, FAKE, HOLD, RegiondHold)

struct _FakeHold {
  RegiondHold     parent_instance;
  char            object; /* holds of the same letter share their fate */
  gboolean        gone;
  gboolean        cut;
  guint           looks;     /* at whether it is gone */
  gint64          last_look;
  guint           slowness; /* µs of the processor that each look takes */
  guint           delay;    /* µs that it stands still meanwhile */
  RegiondHoldFunc func;
  gpointer        data;
};

/* The last reference is closed, and the kernel gives a sign. */
void fake_hold_let_go (FakeHold *self);
