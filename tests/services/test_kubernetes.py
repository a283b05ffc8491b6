"""deploy/kubernetes: are the manifests what Kubernetes and KEDA take, and do they say the same as the program and each other?"""
import json
import pathlib
import re
import subprocess

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator

from program import ROOT
from vault_build import go_command

FOLDER = ROOT / "deploy" / "kubernetes"
KEDA = "github.com/kedacore/keda/v2@v2.16.1"
OLDEST, NEWEST = "1.28", "1.34"  # Kubernetes: unhealthyPodEvictionPolicy is of 1.27


def documents(pattern="*/*.yaml"):
    return {f"{path.relative_to(FOLDER)}#{n}": found for path in sorted(FOLDER.glob(pattern)) if path.name != "kustomization.yaml"
            for n, found in enumerate(yaml.safe_load_all(path.read_text()))}


def one(kind):
    found, = [document for document in documents().values() if document["kind"] == kind]
    return found


def container():
    found, = one("StatefulSet")["spec"]["template"]["spec"]["containers"]
    return found


def environment():
    return {entry["name"]: entry.get("value") for entry in container()["env"]}


def closed(schema):
    """As the API server sees it: no member that the schema does not name."""
    if isinstance(schema, dict):
        if schema.get("properties") and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema["additionalProperties"] = False
        for inner in schema.values():
            closed(inner)
    return schema


@pytest.fixture(scope="module")
def keda():
    """{kind: schema} of KEDA's own definitions, as its Go module carries them."""
    go, environment = go_command()
    done = subprocess.run([go, "mod", "download", "-json", KEDA], cwd="/", env=environment, check=True, capture_output=True,
                          stdin=subprocess.DEVNULL)
    schemas = {}
    for path in (pathlib.Path(json.loads(done.stdout)["Dir"]) / "config" / "crd" / "bases").glob("keda.sh_*.yaml"):
        spec = yaml.safe_load(path.read_text())["spec"]
        schema = closed(spec["versions"][0]["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        schemas[spec["names"]["kind"]] = schema
    return schemas


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_them(version):
    checked = 0
    for name, document in documents().items():
        if document["apiVersion"] != "keda.sh/v1alpha1":
            kubernetes_validate.validate(document, version, strict=True)
            checked += 1
    assert checked >= 7
    wrong = one("StatefulSet")
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_keda_takes_them(keda):
    found = [document for document in documents().values() if document["apiVersion"] == "keda.sh/v1alpha1"]
    assert sorted(document["kind"] for document in found) == ["ScaledObject", "TriggerAuthentication"]
    for document in found:
        assert not [error.message for error in Draft7Validator(keda[document["kind"]]).iter_errors(document)]
    found[0]["spec"]["maxReplicas"] = 8  # is called maxReplicaCount
    assert list(Draft7Validator(keda[found[0]["kind"]]).iter_errors(found[0]))


def test_kustomizations_name_every_file():
    for path in FOLDER.glob("*/kustomization.yaml"):
        named = set(yaml.safe_load(path.read_text())["resources"])
        assert all((path.parent / name).exists() for name in named)
        assert named - {"../base"} == {other.name for other in path.parent.glob("*.yaml")} - {"kustomization.yaml"}


def test_options_are_the_program_s(sealstream, tmp_path):
    """Each variable is an option of pump or of Vault, and the policy is sound."""
    known = set(re.findall(r"`((?:SEALSTREAM|VAULT)_\w+)`", (ROOT / "docs" / "CONFIGURATION.md").read_text()))
    assert {name for name in environment() if name != "POD_NAME"} <= known
    assert container()["args"] == ["pump"]
    policy = tmp_path / "policy.yaml"
    policy.write_text(one("ConfigMap")["data"]["policy.yaml"])
    sealstream.run("policy", "lint", policy)
    explained, _ = sealstream.run("policy", "explain", policy, "-t", environment()["SEALSTREAM_FROM"])
    assert b"$.Address" in explained


def test_names_agree():
    """Files are where variables say, selectors select, scalers watch the group that runs."""
    pod = one("StatefulSet")["spec"]["template"]
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container()["volumeMounts"]}
    assert set(mounts.values()) == volumes
    for variable in ("SEALSTREAM_COMMAND_CONFIG", "SEALSTREAM_POLICY", "SEALSTREAM_VAULT_SECRET_FILE"):
        assert str(pathlib.PurePath(environment()[variable]).parent) in mounts
    for kind, where in (("StatefulSet", "selector"), ("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        assert one(kind)["spec"][where]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert one("Service")["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    name = one("StatefulSet")["metadata"]["name"]
    scaled, balanced = one("ScaledObject")["spec"], one("HorizontalPodAutoscaler")["spec"]
    assert scaled["scaleTargetRef"] == {"kind": "StatefulSet", "name": name}
    assert balanced["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name}
    assert scaled["triggers"][0]["metadata"]["consumerGroup"] == environment()["SEALSTREAM_GROUP"]
    assert scaled["triggers"][0]["metadata"]["topic"] == environment()["SEALSTREAM_FROM"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (balanced["minReplicas"], balanced["maxReplicas"])
    port = environment()["SEALSTREAM_LISTEN"].split(":")[1]
    assert {str(port["containerPort"]) for port in container()["ports"]} == {port, pod["metadata"]["annotations"]["prometheus.io/port"]}
    assert str(one("Service")["spec"]["ports"][0]["port"]) == port


def test_pods_are_restricted():
    """What the strictest of Kubernetes' own standards asks, and a read-only disk."""
    spec, inner = one("StatefulSet")["spec"]["template"]["spec"], container()["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {spec['securityContext']['runAsUser']}:" in (ROOT / "deploy" / "container" / "Containerfile").read_text()
    assert inner == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert not spec["automountServiceAccountToken"] and not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
    assert container()["resources"]["limits"]["memory"]
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]


def test_every_probe_is_a_page():
    """… and no stop is cut short: a drain takes 30 seconds."""
    assert {name: container()[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")} == {
        "startupProbe": "/startupz", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert one("StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 90
