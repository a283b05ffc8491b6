/*
 * A policy that changes while it is in use; see policy_reload.h. Only `ended` is shared with the thread that loads or closes:
 * what that works on is its own until then. The state changes in the thread that the pump calls from.
 */
#include "cmd/policy_reload.h"

#include "base/log.h"
#include "cmd/audit_use.h"
#include "cmd/service.h"

static void *load(void *arg)
{
	struct policy_reload *reload = arg;

	reload->rc = policy_use_open_any(reload->file, reload->topics, reload->direction, reload->global,
					 &reload->next, &reload->why);
	if (reload->rc != SEAL_OK)
		audit_reload_failed(reload->global, reload->file, &reload->why);
	atomic_store(&reload->ended, true);
	return NULL;
}

static void *close_old(void *arg)
{
	struct policy_reload *reload = arg;

	if (reload->why.status != SEAL_OK)
		audit_reload_failed(reload->global, reload->file, &reload->why);
	policy_use_close(&reload->old);
	atomic_store(&reload->ended, true);
	return NULL;
}

/* `why` says what the audit trail is told; SEAL_OK: nothing. */
static void start_closing(struct policy_reload *reload, struct policy_use *use, const struct seal_err *why)
{
	reload->old = *use;
	*use = (struct policy_use)POLICY_USE_INIT;
	reload->why = *why;
	atomic_store(&reload->ended, false);
	reload->state = RELOAD_CLOSING;
	if (pthread_create(&reload->thread, NULL, close_old, reload) == 0)
		return;
	close_old(reload);
	reload->state = RELOAD_IDLE;
}

/* It did not come to anything: `next` is empty. */
static void refuse(struct policy_reload *reload, struct seal_err *why)
{
	reload->state = RELOAD_IDLE;
	monitor_reloaded(reload->monitor, false);
	err_prefix(why, "the policy was not reloaded, the run goes on with the one it has");
	log_err(LOG_ERROR, why);
	service_ready();
}

static void start(struct policy_reload *reload)
{
	int code;

	reload->next = (struct policy_use)POLICY_USE_INIT;
	err_clear(&reload->why);
	atomic_store(&reload->ended, false);
	service_reloading();
	code = pthread_create(&reload->thread, NULL, load, reload);
	if (code == 0) {
		reload->state = RELOAD_LOADING;
		return;
	}
	err_set_errno(&reload->why, SEAL_FATAL, SEAL_E_INTERNAL, code, "cannot start a thread");
	refuse(reload, &reload->why);
}

bool policy_reload_poll(struct policy_reload *reload, const struct plan **plan, const struct policy_topic **topic)
{
	if (reload->state == RELOAD_CLOSING && atomic_load(&reload->ended)) {
		pthread_join(reload->thread, NULL);
		reload->state = RELOAD_IDLE;
	}
	if (reload->state == RELOAD_IDLE && stop_reload_asked())
		start(reload);
	if (reload->state != RELOAD_LOADING || !atomic_load(&reload->ended))
		return false;
	pthread_join(reload->thread, NULL);
	if (reload->rc != SEAL_OK) {
		refuse(reload, &reload->why);
		return false;
	}
	reload->state = RELOAD_OFFERED;
	*plan = reload->next.plan;
	*topic = reload->next.topic;
	return true;
}

void policy_reload_done(struct policy_reload *reload, const struct seal_err *why)
{
	struct seal_err told = SEAL_ERR_INIT, none = SEAL_ERR_INIT;
	struct policy_use before = *reload->now;

	SEAL_INVARIANT(reload->state == RELOAD_OFFERED);
	if (why != NULL) {
		told = *why;
		refuse(reload, &told);
		start_closing(reload, &reload->next, why);
		return;
	}
	monitor_plan(reload->monitor, reload->next.plan);
	monitor_reloaded(reload->monitor, true);
	*reload->now = reload->next;
	reload->replaced = true;
	reload->next = (struct policy_use)POLICY_USE_INIT;
	start_closing(reload, &before, &none);
	log_say(LOG_INFO, "the policy was reloaded: %s", reload->file);
	service_ready();
}

void policy_reload_end(struct policy_reload *reload)
{
	if (reload->state == RELOAD_LOADING || reload->state == RELOAD_CLOSING)
		pthread_join(reload->thread, NULL);
	if (reload->state != RELOAD_IDLE)
		policy_use_close(&reload->next);
	reload->state = RELOAD_IDLE;
}
