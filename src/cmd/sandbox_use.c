/* The sandbox as an option says. */
#include "cmd/sandbox_use.h"

#include "base/log.h"
#include "sandbox/sandbox.h"

enum mode { MODE_AUTO, MODE_REQUIRE, MODE_OFF };

static enum seal_status judge(int mode, enum seal_status rc, struct seal_err *err)
{
	if (rc == SEAL_OK || mode == MODE_REQUIRE)
		return rc;
	err_prefix(err, "running without a part of the sandbox (--sandbox off to leave it out)");
	log_err(LOG_WARNING, err);
	err_clear(err);
	return SEAL_OK;
}

enum seal_status sandbox_use_drop(int mode, struct seal_err *err)
{
	return mode == MODE_OFF ? SEAL_OK : judge(mode, sandbox_drop(err), err);
}

enum seal_status sandbox_use_enter(int mode, struct seal_err *err)
{
	return mode == MODE_OFF ? SEAL_OK : judge(mode, sandbox_enter(err), err);
}
