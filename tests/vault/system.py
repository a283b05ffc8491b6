"""sys/ and auth/token/ of the double."""
import math

from core import (ENGINES, LOGINS, Answer, Denied, Engine, Namespace, NotThere, Policy, Refusal, Struct, names, rfc3339,
                  route, seconds)


class System(Engine):
    type = "system"

    @route("GET HEAD", "health", open_=True)
    def health(self, request):
        core, listener = self.core, request.listener
        standby = bool(listener and listener.standby_to) or core.sealed
        mode = "unknown" if core.sealed else "disabled"
        asked = {name: int(value[0]) for name, value in request.query.items() if name.endswith("code")}
        status = 200
        if core.sealed:
            status = asked.get("sealedcode", 503)
        elif standby and request.query.get("standbyok", ["false"])[0] not in ("true", "1", ""):
            status = asked.get("standbycode", 429)
        elif not standby:
            status = asked.get("activecode", 200)
        body = Struct(initialized=True, sealed=core.sealed, standby=standby)
        if core.product != "openbao":
            body["performance_standby"] = False
        body |= Struct(replication_performance_mode=mode, replication_dr_mode=mode, server_time_utc=core.chance.now(),
                       version=core.version)
        if core.product != "openbao":
            body["enterprise"] = core.product == "vault-enterprise"
        if not core.sealed:
            body |= self.cluster_names()
        return Answer(status, raw=body)

    def cluster_names(self):
        name, id_ = self.core.chance.next("cluster", lambda: (f"vault-cluster-{self.core.cluster}", self.core.root.mounts["sys/"].id))
        return Struct(cluster_name=name, cluster_id=id_)

    @route("GET", "seal-status", open_=True)
    def seal_status(self, request):
        core = self.core
        body = Struct(type="shamir", initialized=True, sealed=core.sealed, t=1, n=1, progress=0, nonce="")
        if core.product == "openbao":
            body |= Struct(recovery_seal=False, version=core.version, commit_date="", migration=False)
        else:
            body |= Struct(version=core.version, build_date="", migration=False)
        if not core.sealed:
            body |= self.cluster_names()
        if core.product != "openbao":
            body["recovery_seal"] = False
        body["storage_type"] = "inmem"
        return Answer(raw=body)

    @route("GET", "leader", open_=True)
    def leader(self, request):
        return Answer(raw=Struct(ha_enabled=False, is_self=True, leader_address="", leader_cluster_address=""))

    @route("POST", "seal")
    def seal(self, request):
        self.core.sealed = True

    @route("POST", "unseal", open_=True)
    def unseal(self, request):
        if not request.body.get("key") and not request.body.get("reset"):
            raise Refusal("'key' must be specified in request body as JSON, or 'reset' set to true")
        self.core.sealed = False
        return self.seal_status(request)

    @route("POST", "mounts/{path...}")
    def mount(self, request, path):
        self.core.mount(self.namespace, path, request.text("type"), ENGINES, "plugin not found in the catalog: ")

    @route("DELETE", "mounts/{path...}")
    def unmount(self, request, path):
        self.namespace.mounts.pop(path.strip("/") + "/", None)

    @route("GET", "mounts/{path...}")
    def read_mount(self, request, path):
        place = path.strip("/") + "/"
        if place not in self.namespace.mounts:
            raise Refusal(f"No secret engine mount at {place}")
        return self.describe(place)

    @route("GET", "mounts")
    def mounts(self, request):
        return {place: self.describe(place) for place in self.namespace.mounts if not place.startswith("auth/")}

    def describe(self, place):
        mount = self.namespace.mounts[place]
        return {"accessor": f"{mount.type}_{mount.id}", "config": {"default_lease_ttl": 0, "force_no_cache": False,
                "max_lease_ttl": 0}, "deprecation_status": "supported", "description": "",
                "external_entropy_access": False, "local": False, "options": {}, "plugin_version": "",
                "running_plugin_version": "v" + self.core.version, "running_sha256": "", "seal_wrap": False,
                "type": mount.type, "uuid": mount.id}

    @route("GET", "internal/ui/mounts/{path...}")
    def ui_mount(self, request, path):
        place = self.namespace.mount_at(path.strip("/") + "/")
        if place is None or not any(self.touches(rule, place) for rule in self.rules_of(request.token)):
            raise Refusal("preflight capability check returned 403, please ensure client's policies grant access to path "
                          f'"{path.strip("/")}/"', 403)
        return {**self.describe(place), "path": place}

    @staticmethod
    def touches(rule, place):
        fixed = rule.split("+")[0].rstrip("*")
        return fixed.startswith(place) or (place.startswith(fixed) and fixed != rule)

    def rules_of(self, token):
        if "root" in token.policies:
            return ["*"]
        return [rule for name in token.policies for rule, _ in getattr(token.namespace.policies.get(name), "rules", ())]

    @route("POST", "auth/{path...}")
    def enable(self, request, path):
        self.core.mount(self.namespace, "auth/" + path, request.text("type"), LOGINS, "plugin not found in the catalog: ")

    @route("GET", "auth")
    def auths(self, request):
        return {place[5:]: self.describe(place) for place in self.namespace.mounts if place.startswith("auth/")}

    @route("DELETE", "auth/{path...}")
    def disable(self, request, path):
        self.namespace.mounts.pop("auth/" + path.strip("/") + "/", None)

    @route("POST", "policies/acl/{name}", "policy")
    @route("POST", "policy/{name}", "policy rules")
    def write_policy(self, request, name):
        self.namespace.policies[name] = Policy(request.text("policy") or request.text("rules"))

    @route("GET", "policies/acl/{name}")
    @route("GET", "policy/{name}")
    def read_policy(self, request, name):
        if name not in self.namespace.policies:
            raise NotThere()
        return {"name": name, "policy": self.namespace.policies[name].text}

    @route("DELETE", "policies/acl/{name}")
    @route("DELETE", "policy/{name}")
    def delete_policy(self, request, name):
        self.namespace.policies.pop(name, None)

    @route("POST", "namespaces/{name}")
    def add_namespace(self, request, name):
        self.namespace.children.setdefault(name, Namespace(self.core, f"{self.namespace.path}{name}/", self.namespace))
        return {"id": self.id[:5], "path": self.namespace.children[name].path, "custom_metadata": {}}

    @route("GET LIST", "namespaces")
    def namespaces(self, request):
        if not self.namespace.children:
            raise NotThere()
        return {"keys": [name + "/" for name in sorted(self.namespace.children)]}

    @route("POST", "quotas/rate-limit/{name}", "path rate interval block_interval")
    def quota(self, request, name):
        rate = float(request.body.get("rate", 0))
        self.core.quotas[name] = {"path": request.text("path"), "rate": max(1, math.ceil(rate)), "began": -1e9, "left": 0,
                                  "interval": seconds(request.body.get("interval", 1)) or 1}

    @route("DELETE", "quotas/rate-limit/{name}")
    def drop_quota(self, request, name):
        self.core.quotas.pop(name, None)

    @route("POST", "capabilities-self", "path paths")
    def capabilities_self(self, request):
        paths = names(request.body.get("paths")) or names(request.body.get("path"))
        found = {path: sorted(self.core.capabilities(request.token, self.namespace, path)) or ["deny"] for path in paths}
        if len(paths) == 1:
            found["capabilities"] = found[paths[0]]
        return found

    @route("POST", "wrapping/wrap")
    def wrapping_wrap(self, request):
        if not request.headers.get("x-vault-wrap-ttl"):
            raise Refusal("endpoint requires response wrapping to be used")
        return dict(request.body)

    def wrapped(self, request, take):
        text = request.body.get("token") or request.token.id
        with self.core.lock:
            found = self.core.wrapped.get(text)
            if found is None or found[1] + found[2] * 10**9 <= self.core.chance.now_ns():
                raise Refusal("wrapping token is not valid or does not exist")
            if take:
                del self.core.wrapped[text]
        return found

    @route("POST", "wrapping/lookup", "token", open_=True)
    def wrapping_lookup(self, request):
        if not request.body.get("token") and request.headers.get("x-vault-token") not in self.core.wrapped:
            raise Refusal("missing \"token\" value in input")
        request.token = request.token or self.core.identify(request) if not request.body.get("token") else request.token
        _, created, ttl, path = self.wrapped(request, False)
        return {"creation_time": rfc3339(created), "creation_ttl": ttl, "creation_path": path}

    @route("POST", "wrapping/unwrap", "token")
    def unwrap(self, request):
        whole = self.wrapped(request, True)[0]
        return Answer(raw=Struct(whole, request_id=self.core.chance.request_id()))


class TokenStore(Engine):
    type = "token"

    def described(self, token):
        core = self.core
        now = round(core.chance.now_ns() / 10**9) * 10**9  # as the server does
        left = max(0, (token.expires_ns - now) // 10**9) if token.expires_ns else 0
        data = {"accessor": token.accessor, "creation_time": token.created_ns // 10**9, "creation_ttl": token.ttl,
                "display_name": token.display_name, "entity_id": "", "explicit_max_ttl": token.max_ttl,
                "expire_time": rfc3339(token.expires_ns) if token.expires_ns else None, "id": token.id,
                "meta": token.metadata, "num_uses": token.uses, "orphan": token.orphan, "path": token.path,
                "policies": token.policies, "ttl": left, "type": token.type}
        if token.expires_ns:
            data |= {"issue_time": rfc3339(token.issued_ns), "renewable": token.renewable}
        if token.period:
            data["period"] = token.period
        if token.namespace.path:
            data["namespace_path"] = token.namespace.path
        return data

    @route("GET POST", "lookup-self")
    def lookup_self(self, request):
        return self.described(request.token)

    @route("POST", "lookup", "token")
    def lookup(self, request):
        token = self.core.live_token(request.text("token"))
        if token is None:
            raise Refusal("bad token", 403)
        return self.described(token)

    def renewed(self, token, increment):
        core = self.core
        if token is None:
            raise Denied(bare=True)
        if not token.expires_ns or not token.renewable:
            raise Refusal("lease is not renewable")
        now = core.chance.now_ns()
        ttl = token.period or seconds(increment) or token.ttl
        if token.max_ttl:
            ttl = min(ttl, max(0, token.created_ns // 10**9 + token.max_ttl - now // 10**9))
        warnings = None
        if token.max_ttl and ttl < (seconds(increment) or token.ttl):
            warnings = [f'TTL of "{seconds(increment) or token.ttl}s" exceeded the effective max_ttl of "{ttl}s"; TTL value is capped accordingly']
        token.expires_ns = now + ttl * 10**9
        return Answer(auth=Struct(core.auth_of(token), lease_duration=ttl), warnings=warnings)

    @route("POST", "renew-self", "increment token")
    def renew_self(self, request):
        return self.renewed(request.token, request.body.get("increment"))

    @route("POST", "renew", "increment token")
    def renew(self, request):
        return self.renewed(self.core.live_token(request.text("token")), request.body.get("increment"))

    @route("POST", "revoke-self")
    def revoke_self(self, request):
        self.core.revoke(request.token)

    @route("POST", "revoke", "token")
    def revoke(self, request):
        token = self.core.live_token(request.text("token"))
        if token:
            self.core.revoke(token)

    @route("POST", "create", "policies ttl explicit_max_ttl num_uses renewable display_name no_parent no_default_policy "
           "meta period type id lease")
    @route("POST", "create-orphan", "policies ttl explicit_max_ttl num_uses renewable display_name meta period type id")
    def create(self, request):
        wanted = names(request.body.get("policies")) or list(request.token.policies)
        if "root" in wanted and "root" not in request.token.policies:
            raise Refusal("root tokens may not be created without parent token being root")
        period = seconds(request.body.get("period"))
        ttl = 0 if wanted == ["root"] and not request.body.get("ttl") else \
            period or seconds(request.body.get("ttl")) or 32 * 86400
        display = "token" + ("-" + request.body["display_name"] if request.body.get("display_name") else "")
        kind = request.body.get("type") or "service"
        token = self.core.add_token(
            wanted, self.namespace, ttl, id=request.body.get("id"), renewable=ttl > 0 and kind != "batch" and request.flag("renewable", True),
            uses=request.number("num_uses"), display_name=display, metadata=request.body.get("meta"), period=period,
            max_ttl=seconds(request.body.get("explicit_max_ttl")), type=kind, parent=request.token,
            orphan=request.path.endswith("orphan"))
        return Answer(auth=self.core.auth_of(token))
