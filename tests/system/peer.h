/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What peer.c is called by. */
#define PEER_NAME "org.regiond1.test.Peer"
#define PEER_PATH "/org/regiond1/test/Peer"
#define PEER_INTERFACE PEER_NAME
