/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "budget.h"
#include "mechanisms/memfd.h"
#include "mechanisms/proxy.h"
#include "watch.h"

#include <errno.h>

/* What the tests of memory objects share: a watch, a budget, a server, and a device's
 * regions "bar0" (one page) and "bar2" (four). */
typedef struct {
  RegiondWatch  *watch;
  RegiondBudget *budget;
  RegiondServer *server; /* of proxied files */
  GPtrArray     *regions;
} Objects;

#define PAGE 4096

Objects       objects_set_up (guint64 most);
void          objects_clear (Objects *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Objects, objects_clear)

RegiondMemfd *objects_make (Objects *self, guint64 size);

#define RWM (REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE | REGIOND_ACCESS_MAP)
#define RM (REGIOND_ACCESS_READ | REGIOND_ACCESS_MAP)

/* A lease's fd and hold on it. */
RegiondHold  *objects_open (RegiondMemfd *memfd, RegiondAccess access, int *fd);

/* What is told of @fd, when somebody shows it. */
RegiondProof  objects_show (int fd);

/* That @call fails with the errno @wanted. */
#define assert_errno(call, wanted) \
  G_STMT_START \
  { \
    errno = 0; \
    g_assert_cmpint ((gintptr) (call), ==, -1); \
    g_assert_cmpint (errno, ==, wanted); \
  } \
  G_STMT_END
