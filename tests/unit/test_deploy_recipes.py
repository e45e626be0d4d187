"""The recipes of deploy/, each judged by its own platform's schema, and for what a schema cannot know.

Compose: the package compose-spec. ECS: the service model in botocore. IAM: cfn-lint's grammar and its list of every
action (both from AWS's own pages). Kubernetes: the API's JSON schemas, strict, in kubernetes-validate.
"""

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint.data.AdditionalSpecs
import cfnlint.data.schemas.other.iam
import compose_spec
import kubernetes_validate
import pytest
import yaml
from botocore.validate import ParamValidator
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from runner.config import values
from runner.config.loading import load
from runner.config.seed import settings_from_environment

CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = CHECKOUT / "deploy"
KUBERNETES_VERSION = "1.33"
MODES = ("push", "pull", "two-way")
TASKS = ("ecs-task-definition.json", "ecs-task-definition-long-hydration.json")
MANIFESTS = ("sidecar.yaml", "folders.yaml")


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
    return found


def task(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / name).read_text())
    return found


def containers(name: str) -> dict[str, dict[str, Any]]:
    return {container["name"]: container for container in task(name)["containerDefinitions"]}


def policy(mode: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / f"iam-policy-{mode}.json").read_text())
    return found


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))


def pod_of(name: str) -> dict[str, Any]:
    deployment = next(one for one in manifests(name) if one["kind"] == "Deployment")
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def runner_of(pod: dict[str, Any]) -> dict[str, Any]:
    every = [*pod.get("initContainers", []), *pod["containers"]]
    found: dict[str, Any] = next(one for one in every if one["image"].startswith("mountless-s3-syncer"))
    return found


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("environment", container.get("env", []))}


def test_compose_file_is_what_the_specification_allows() -> None:
    text = (DEPLOY / "docker-compose.yml").read_text()
    compose_spec.PyCompose.from_yaml(re.sub(r"\$\{[^}]*\}", "x", text)).validate()
    with pytest.raises(ValueError, match="stop_grace"):  # the judge sees a typo
        compose_spec.PyCompose.from_yaml(text.replace("stop_grace_period:", "stop_grace:"))


def test_compose_file_gives_the_flush_its_time_and_starts_the_app_after_hydration() -> None:
    files, app = compose()["services"]["files"], compose()["services"]["app"]
    assert files["stop_grace_period"] == "40s"
    assert values.seconds(files["environment"]["RUNNER_STOP_TIMEOUT"]) < 40
    assert app["depends_on"]["files"]["condition"] == "service_healthy"
    assert "--ready" in files["healthcheck"]["test"][1]
    assert files["user"] == app["user"]
    assert files["read_only"]
    assert files["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", TASKS)
def test_task_definition_has_the_shape_that_ecs_registers(name: str) -> None:
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    assert shape is not None
    assert ParamValidator().validate(task(name), shape).generate_report() == ""
    assert "stopTimeOut" in ParamValidator().validate({**task(name), "stopTimeOut": 1}, shape).generate_report()


@pytest.mark.parametrize("name", TASKS)
def test_task_definition_says_only_words_that_ecs_knows(name: str) -> None:
    """botocore checks types and names, not enumerations."""
    enumerations = {
        ("networkMode",): "NetworkMode",
        ("requiresCompatibilities",): "Compatibility",
        ("condition",): "ContainerCondition",
        ("logDriver",): "LogDriver",
        ("operatingSystemFamily",): "OSFamily",
        ("cpuArchitecture",): "CPUArchitecture",
    }
    model = botocore.session.get_session().get_service_model("ecs")
    text = json.dumps(task(name))
    for (key,), shape in enumerations.items():
        for found in re.findall(rf'"{key}": \[?"([^"]*)"', text):
            assert found in model.shape_for(shape).enum, key


@pytest.mark.parametrize("name", TASKS)
def test_task_definition_brings_its_own_health_check_and_keeps_within_fargates_bounds(name: str) -> None:
    files, app = containers(name)["files"], containers(name)["app"]
    check = files["healthCheck"]
    assert "--ready" in check["command"][1]
    assert check["startPeriod"] <= 300
    assert check["retries"] <= 10
    assert {"containerName": "files", "condition": "HEALTHY"} in app["dependsOn"]
    assert values.seconds(environment(files)["RUNNER_STOP_TIMEOUT"]) < files["stopTimeout"] <= 120
    assert files["essential"]
    assert files["readonlyRootFilesystem"]
    names = {volume["name"] for volume in task(name)["volumes"]}
    assert {point["sourceVolume"] for one in (files, app) for point in one["mountPoints"]} <= names
    assert (task(name)["cpu"], task(name)["memory"]) == ("512", "1024")  # a pair that Fargate sells
    assert sum(one.get("cpu", 0) for one in containers(name).values()) <= int(task(name)["cpu"])


def test_long_hydration_is_waited_for_without_a_time_limit() -> None:
    found = containers(TASKS[1])
    assert found["hydrate"]["command"] == ["once"]
    assert found["hydrate"]["essential"] is False
    assert found["files"]["dependsOn"] == [{"containerName": "hydrate", "condition": "SUCCESS"}]


@pytest.mark.parametrize("mode", MODES)
def test_policy_is_in_iams_grammar_and_names_real_actions(mode: str) -> None:
    folder = resources.files(cfnlint.data.schemas.other.iam)
    registry: Registry[Any] = Registry()
    for name in ("policy", "policy_identity"):
        schema = json.loads((folder / f"{name}.json").read_text())
        identity = schema.pop("$id")
        registry = registry.with_resource(identity, Resource.from_contents({"$schema": _DRAFT, **schema}))
    judge = Draft7Validator({"$schema": _DRAFT, "$ref": "identity"}, registry=registry)
    assert [error.message for error in judge.iter_errors(policy(mode))] == []
    assert list(judge.iter_errors({**policy(mode), "Statements": []}))
    known = json.loads((resources.files(cfnlint.data.AdditionalSpecs) / "Policies.json").read_text())
    for action in actions(mode):
        service, _, verb = action.partition(":")
        assert verb.lower() in known[service]["Actions"], action


_DRAFT = "http://json-schema.org/draft-07/schema#"
# what S3 asks for each of our requests (AWS, "Required permissions for Amazon S3 API operations")
_RIGHTS = {
    "ListObjectsV2": "s3:ListBucket", "HeadObject": "s3:GetObject", "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject", "CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject", "CompleteMultipartUpload": "s3:PutObject", "CopyObject": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload", "DeleteObject": "s3:DeleteObject",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration", "GetObjectTagging": "s3:GetObjectTagging",
    "PutObjectTagging": "s3:PutObjectTagging",
}  # fmt: skip
_OPTIONAL = {"GetObjectAcl", "PutObjectAcl"}  # used where the bucket has ACLs at all; docs/operations.md names them


def actions(mode: str) -> set[str]:
    found: set[str] = set()
    for statement in policy(mode)["Statement"]:
        said = statement["Action"]
        found |= {said} if isinstance(said, str) else set(said)
    return found


def asked() -> set[str]:
    """Every operation that the program's own S3 client sends."""
    sources = [path.read_text() for path in (CHECKOUT / "runner").rglob("*.py")]
    return {name for text in sources for name in re.findall(r'Request\(\s*"([A-Z][a-z][A-Za-z0-9]+)"', text)}


def test_two_way_policy_allows_what_is_asked_for_and_nothing_else() -> None:
    assert len(asked()) > 5
    needed = {_RIGHTS[operation] for operation in asked() - _OPTIONAL}
    assert needed <= actions("two-way")
    assert actions("two-way") - needed <= {"s3:GetObjectTagging", "s3:PutObjectTagging"}


def test_policies_hold_the_least_rights_of_their_modes() -> None:
    assert actions("pull") == {"s3:ListBucket", "s3:GetBucketVersioning", "s3:GetObject"}
    assert actions("push") <= actions("two-way")
    for mode in MODES:
        for statement in policy(mode)["Statement"]:
            assert statement["Effect"] == "Allow"
            assert "*" not in str(statement["Action"])
            assert statement["Resource"] in ("arn:aws:s3:::my-bucket", "arn:aws:s3:::my-bucket/uploads/*")


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_is_what_the_api_takes(name: str) -> None:
    for manifest in manifests(name):
        kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**manifests(name)[0], "speck": {}}, KUBERNETES_VERSION, strict=True)


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_keeps_to_the_restricted_standard(name: str) -> None:
    """Kubernetes, "Pod Security Standards", profile Restricted."""
    pod = pod_of(name)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
    assert runner_of(pod)["securityContext"]["readOnlyRootFilesystem"] is True
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_has_one_writer_role_and_probes(name: str) -> None:
    deployment = next(one for one in manifests(name) if one["kind"] == "Deployment")
    account = next(one for one in manifests(name) if one["kind"] == "ServiceAccount")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]
    pod = pod_of(name)
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    files = runner_of(pod)
    assert files["livenessProbe"]["exec"]["command"] == ["runner", "healthcheck"]
    mounted = {mount["name"] for mount in files["volumeMounts"]}
    assert mounted <= {volume["name"] for volume in pod["volumes"]}


def test_sidecar_starts_before_the_app_and_ends_after_it() -> None:
    pod = pod_of("sidecar.yaml")
    files = pod["initContainers"][0]
    assert files["restartPolicy"] == "Always"
    assert "--ready" in files["startupProbe"]["exec"]["command"]
    pre_stop_seconds = float(files["lifecycle"]["preStop"]["exec"]["command"][1])
    flush_seconds = values.seconds(environment(files)["RUNNER_STOP_TIMEOUT"])
    assert pre_stop_seconds + flush_seconds < pod["terminationGracePeriodSeconds"]


def test_config_of_the_folders_manifest_is_valid(tmp_path: Path) -> None:
    text = next(one for one in manifests("folders.yaml") if one["kind"] == "ConfigMap")["data"]["sync.yaml"]
    path = tmp_path / "sync.yaml"
    path.write_text(text)
    settings = load(path, {})
    assert len(settings.pairs) == 3
    assert settings.supervisor.stop_timeout_seconds < pod_of("folders.yaml")["terminationGracePeriodSeconds"]
    mount = next(one for one in runner_of(pod_of("folders.yaml"))["volumeMounts"] if one["name"] == "config")
    assert mount["mountPath"] == "/etc/runner"


@pytest.mark.parametrize(
    "variables",
    [
        {name: str(value) for name, value in compose()["services"]["files"]["environment"].items()},
        *(environment(containers(name)["files"]) for name in TASKS),
        environment(pod_of("sidecar.yaml")["initContainers"][0]),
    ],
)
def test_environment_of_each_recipe_is_a_valid_config(variables: dict[str, str]) -> None:
    plain = {name: re.sub(r"\$\{.*", "", value) for name, value in variables.items()}
    settings = settings_from_environment({**plain, "s3_bucket": plain.get("s3_bucket") or "my-bucket"})
    assert settings is not None
    assert str(settings.pairs[0].folder) == "/data"


def test_recipes_name_no_real_account() -> None:
    accounts = {found for path in DEPLOY.rglob("*") if path.is_file() for found in _accounts(path)}
    assert accounts == {"111122223333"}  # AWS's own example


def _accounts(path: Path) -> list[str]:
    return re.findall(r"\b\d{12}\b", path.read_text())
