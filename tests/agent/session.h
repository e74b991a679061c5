/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* A bus that is a person's session and the system's in one, with somebody on it who
 * shows notifications, and somebody who lends regions: both are the test's. */
typedef struct
{
  GTestDBus *bus;
  GDBusConnection *agent;   /* the agent's */
  GDBusConnection *desktop; /* of who shows notifications; NULL: nobody does */
  GDBusConnection *service; /* of regiond; NULL: it does not run */
  const char *const *capabilities;
  GPtrArray *shown;         /* Shown, in their order */
  GArray *closed;           /* guint32: the numbers of those that were taken away */
  GPtrArray *revoked;       /* object paths */
  guint prompts;            /* how many of those calls a person may be asked about */
  const char *refusal;      /* what Revoke is answered with, or NULL */
  const char *objects;      /* what GetManagedObjects answers, as text */
  gboolean late;            /* not before session_answer() */
  GDBusMethodInvocation *listing;
  gboolean slow;            /* Revoke is not answered before session_answer_revoke() */
  GDBusMethodInvocation *revoking;
  gboolean closes;          /* a notification is closed when it is to be replaced, and another one shown */
} Session;

/* A notification, as it was asked for. */
typedef struct
{
  guint32 number;
  guint32 replaces;
  char *summary;
  char *body;
  char *action; /* the name of the first one, or NULL */
  char *label;
  gint64 when;  /* monotonic µs */
} Shown;

void session_init (Session *session);
void session_clear (Session *session);

void session_start_desktop (Session *session);
void session_stop_desktop (Session *session);
void session_start_service (Session *session);
void session_stop_service (Session *session);

/* GetManagedObjects is answered at last. */
void session_answer (Session *session);

/* And so is Revoke. */
void session_answer_revoke (Session *session);

/* The one that was shown last. */
Shown *session_get_last (Session *session);

/* Somebody presses its button, or closes it. */
void session_press (Session *session,
                    const Shown *shown);
void session_dismiss (Session *session,
                      guint32 number);

/* A signal of regiond's Manager, or of its ObjectManager. @arguments: as text. */
void session_emit (Session *session,
                   const char *interface,
                   const char *signal,
                   const char *arguments);

#define SESSION_LEASE "/org/regiond1/leases/7"
#define SESSION_LEASE_2 "/org/regiond1/leases/8"
#define SESSION_LEASE_3 "/org/regiond1/leases/9"
#define SESSION_DEVICE "/org/regiond1/devices/shm0"

/* Turns the main loop until @condition; the test fails after 10 s. */
#define session_wait(condition) \
  G_STMT_START \
  { \
    gint64 _until = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND; \
    while (!(condition)) \
      { \
        if (g_get_monotonic_time () > _until) \
          g_error ("%s:%d: this has not become true: %s", __FILE__, __LINE__, #condition); \
        session_turn (); \
      } \
  } \
  G_STMT_END

/* One turn of the main loop, of some milliseconds at most. */
void session_turn (void);

/* All that is under way on the bus has arrived. */
void session_settle (Session *session);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Session, session_clear)
