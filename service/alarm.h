/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Rings for each of many items at its time. There is one source for all: a
 * source each would cost everybody's calls time. Main thread only. */
typedef struct _RegiondAlarm RegiondAlarm;

/* Told of an item whose time has come; it is on the alarm no more. */
typedef void (*RegiondAlarmFunc) (gpointer item);

RegiondAlarm  *regiond_alarm_new (RegiondAlarmFunc func);

/* Nothing rings any more; what was set need not be cleared. Also from @func. */
void           regiond_alarm_free (RegiondAlarm *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondAlarm, regiond_alarm_free)

/* @at: monotonic µs. Good for regiond_alarm_clear() until it has rung. */
GSequenceIter *regiond_alarm_set (RegiondAlarm *self, gint64 at, gpointer item);
void           regiond_alarm_clear (GSequenceIter *set);
