/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What the journal keeps of one grant, refusal, end or reset: a line for
 * people, and the fields REGIOND_EVENT, REGIOND_DEVICE, … for queries. Of refusals only
 * so many are kept as tally.h says, so that nobody can drown the rest in them; the next
 * one says how many of that user's were not (REGIOND_OMITTED). What is
 * NULL is left out; uid and pid count where there is an owner, and a uid of
 * G_MAXUINT32 is one that left before the bus could say who it was. */
typedef struct {
  const char *event;  /* "grant", "refusal", "revocation", "end", "reset", "device" */
  const char *device;
  const char *region;
  const char *access;
  const char *lease;  /* object path */
  const char *owner;  /* unique bus name, or "process PID" */
  guint32     uid;
  guint32     pid;
  const char *reason;
} RegiondRecord;

void regiond_log (const RegiondRecord *record);
