/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pci.h"

/* Processes that hold a BAR's file and do nothing but load, store and map, each
 * pinned to a processor; and what the test tells them about the claim. */
typedef struct Spinners Spinners;

typedef enum
{
  SPIN_ON_ONE,     /* loads and stores through one mapping; maps again when that is cut */
  SPIN_ON_MAPPING, /* maps, loads and stores, lets go of the mapping before: mmap is always under way */
} SpinKind;

/* The word of the BAR where a store is 1 that was made by one who judged; 0 else. */
#define SPINNERS_MARK 2

/* What all of them have done while the test said that the claim is held. */
typedef struct
{
  guint64 accesses; /* loads and stores that worked: none may */
  guint64 maps;     /* mmaps that worked: none may */
  guint64 refused;  /* mmaps that gave EINVAL */
} SpinCount;

/* Starts @count processes on BAR @index, and waits until each one has accessed it. They die with the test. */
Spinners *spinners_new (Pci *pci, guint index, SpinKind kind, guint count);

/* Ends them. */
void      spinners_free (Spinners *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Spinners, spinners_free)

/* The claim is held: from here on each of them judges. Waits until each has gone around with that. */
void      spinners_begin (Spinners *self);

/* The claim will be let go: none of them judges any more. What was counted since the beginning. */
SpinCount spinners_end (Spinners *self);

/* All stand still (SIGSTOP), or go on. */
void      spinners_stop (Spinners *self);
void      spinners_continue (Spinners *self);

/* Waits until each of them has accessed the BAR anew. */
void      spinners_wait_access (Spinners *self);
