#!/usr/bin/env python3
"""What the documents use of the programs `vault` and `bao`, for tests without them: the same words, the same requests.

    secrets enable [-path=P] TYPE    auth enable [-path=P] TYPE    policy write NAME FILE|-
    write [-f] [-field=F] PATH K=V…  read [-field=F] PATH          delete PATH    token create [-field=F] [-policy=P]…

What it is asked beyond that is an error, so that a document cannot say what this does not do.
"""
import json
import os
import pathlib
import ssl
import sys
import urllib.request


def request(method, path, body=None):
    address = os.environ["VAULT_ADDR"]
    context = ssl.create_default_context(cafile=os.environ.get("VAULT_CACERT")) if address.startswith("https:") else None
    asked = urllib.request.Request(f"{address}/v1/{path}", method=method, data=json.dumps(body or {}).encode(), headers={
        "X-Vault-Token": os.environ.get("VAULT_TOKEN", ""), "X-Vault-Request": "true"})
    try:
        with urllib.request.urlopen(asked, context=context, timeout=30) as answer:
            raw = answer.read()
    except urllib.error.HTTPError as problem:
        sys.exit(f"{method} {path}: {problem.code} {problem.read().decode()}")
    return json.loads(raw) if raw else {}


def main(words):
    flags = [word for word in words if word.startswith("-") and word != "-"]
    words = [word for word in words if word not in flags]
    given = {}
    for flag in flags:
        name, _, value = flag.lstrip("-").partition("=")
        given.setdefault(name, []).append(value)
    field = given.pop("field", [None])[0]
    given.pop("f", None)
    path = given.pop("path", [None])[0]
    policies = given.pop("policy", [])
    if given:
        sys.exit(f"this stand-in does not know {sorted(given)}")
    match words:
        case ["secrets", "enable", kind]:
            answer = request("POST", f"sys/mounts/{path or kind}", {"type": kind})
        case ["auth", "enable", kind]:
            answer = request("POST", f"sys/auth/{path or kind}", {"type": kind})
        case ["policy", "write", name, file]:
            text = sys.stdin.read() if file == "-" else pathlib.Path(file).read_text()
            answer = request("POST", f"sys/policies/acl/{name}", {"policy": text})
        case ["token", "create"]:
            answer = request("POST", "auth/token/create", {"policies": policies})["auth"]
            answer["data"] = {"token": answer["client_token"]}
        case ["write", where, *pairs]:
            answer = request("POST", where, dict(pair.split("=", 1) for pair in pairs))
        case ["read", where]:
            answer = request("GET", where)
        case ["delete", where]:
            answer = request("DELETE", where)
        case _:
            sys.exit(f"this stand-in does not know {words}")
    if field:
        print(answer["data"][field], end="")
    elif answer.get("data"):
        print(json.dumps(answer["data"]))


if __name__ == "__main__":
    main(sys.argv[1:])
