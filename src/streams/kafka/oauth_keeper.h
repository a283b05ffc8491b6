/*
 * Keeps a librdkafka handle in tokens: a thread of its own fetches one, hands it over, and fetches the next when four fifths
 * of its life are over. Inside src/streams/kafka only.
 *
 *   fetching ──token──▶ waiting until due ──▶ fetching …
 *       └──failure──▶ told (oauth_keeper_state), pause of 1, 2, 4 … 10 s ──▶ fetching
 *
 * A failure while the last token is good costs nothing but a warning. Without a good token a passing failure (the server
 * is away) means waiting, and a refusal the end of the run.
 */
#ifndef STREAMS_KAFKA_OAUTH_KEEPER_H
#define STREAMS_KAFKA_OAUTH_KEEPER_H

#include <librdkafka/rdkafka.h>

#include "streams/kafka/oauth.h"

struct oauth_keeper;

/* Before rd_kafka_new: librdkafka is not to make tokens of its own. */
void oauth_keeper_conf(rd_kafka_conf_t *conf);

/* Takes `oauth` over, also on failure. `who` is for messages ("consumer"), static. */
SEAL_MUST_USE enum seal_status oauth_keeper_start(rd_kafka_t *rk, struct oauth *oauth, const char *who,
						  struct oauth_keeper **out, struct seal_err *err);
/* Before rk is destroyed; waits for a fetch that is under way (ten seconds at most). Accepts NULL. */
void oauth_keeper_stop(struct oauth_keeper *keeper);

/*
 * SEAL_OK: there is a good token, or the first one is being fetched. SEAL_RETRY: none, as the server is away. Others: refused.
 * Thread-safe; a NULL keeper is fine.
 */
enum seal_status oauth_keeper_state(struct oauth_keeper *keeper, struct seal_err *err);

/*
 * A broker has refused a login. False: the token may have run out on the way (this process was stopped, or its host slept, or the
 * server has changed its keys), so another is fetched, and the login tried again. True: it is final. Thread-safe; a NULL keeper
 * is fine: true.
 */
bool oauth_keeper_refused(struct oauth_keeper *keeper);

#endif
