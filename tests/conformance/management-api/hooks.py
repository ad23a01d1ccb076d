"""Lets Schemathesis call the Management API with ids of things that are there.

Just before a call, texts at the places of ids become the ids of real things. These are made when they are first needed, and again when a
call has ended them; what a call deletes is made for it.

POSTERN_DEMO: the file with what `postern dev --tls --print-json` printed.
"""

import atexit
import json
import os
import re
import secrets
import subprocess
import time
import zlib
from urllib.parse import quote, unquote

import requests
import schemathesis

with open(os.environ["POSTERN_DEMO"], encoding="utf-8") as file:
    DEMO = json.load(file)
ISSUER = re.sub(r"//[^:/]*", "//localhost", DEMO["issuer"])
API = ISSUER + "api/v2"
AUDIENCE = f"https://{secrets.token_hex(4)}.schemathesis.example/"
SCOPE = "read:things"
CALLBACK = "https://app.schemathesis.example/callback"
DATABASE = "Username-Password-Authentication"
PASSWORD = "Trailing-7-zebras-quietly"
CODE = "exports.onExecutePostLogin = async (event, api) => {};"


def session():
    made = requests.Session()
    # Bundles and proxies of the environment are not for a server on loopback.
    made.trust_env, made.verify = False, DEMO["ca_file"]
    return made


HTTP = session()


class Missing(Exception):
    """What was asked for is not there."""


class Client:
    """A client of the Management API with its access token."""

    def __init__(self, client_id, client_secret):
        self.client_id, self.client_secret = client_id, client_secret
        self.renew()

    def renew(self):
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        answer = HTTP.post(ISSUER + "oauth/token", data=form | {"audience": ISSUER + "api/v2/"})
        answer.raise_for_status()
        self.token = answer.json()["access_token"]

    def send(self, method, path, body=None):
        headers = {"authorization": f"Bearer {self.token}"}
        answer = HTTP.request(method, API + path, json=body, headers=headers)
        if answer.status_code == 429:
            time.sleep(int(answer.headers["retry-after"]) + 1)
            return self.send(method, path, body)
        return answer

    def call(self, method, path, body=None):
        answer = self.send(method, path, body)
        if answer.status_code == 404:
            raise Missing(f"{method} {path}")
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.text else None


def name():
    return "st-" + secrets.token_hex(6)


def path_id(value):
    return quote(value, safe="")


# It makes what the calls need.
MAKER = Client(DEMO["management_client"]["client_id"], DEMO["management_client"]["client_secret"])


def caller():
    """The client of Schemathesis: a second one, so that its calls are counted apart."""
    new = {"name": "Schemathesis", "app_type": "non_interactive", "grant_types": ["client_credentials"],
           "token_endpoint_auth_method": "client_secret_post"}
    made = MAKER.call("POST", "/clients", new)
    mine = [grant for grant in MAKER.call("GET", "/client-grants?client_id=" + MAKER.client_id)]
    grant = {"client_id": made["client_id"], "audience": mine[0]["audience"], "scope": mine[0]["scope"]}
    made_grant = MAKER.call("POST", "/client-grants", grant)
    return Client(made["client_id"], made["client_secret"]), {made_grant["id"], mine[0]["id"]}


RESOURCE_SERVER = MAKER.call("POST", "/resource-servers", {
    "identifier": AUDIENCE, "name": "Schemathesis", "allow_offline_access": True,
    "scopes": [{"value": SCOPE}, {"value": "write:things"}],
})["id"]
CALLER, GRANTS = caller()
# What no call may change: without it, there are no more calls.
KEPT = {MAKER.client_id, CALLER.client_id, RESOURCE_SERVER} | GRANTS
# Logins need it as it is.
KEPT.add(MAKER.call("GET", "/connections?name=" + DATABASE)[0]["id"])


def made(path, body, member="id"):
    return lambda: MAKER.call("POST", path, body() if callable(body) else body)[member]


def new_user():
    return {"connection": DATABASE, "email": name() + "@example.com", "password": PASSWORD}


def new_action():
    return {"name": name(), "code": CODE, "supported_triggers": [{"id": "post-login", "version": "v3"}]}


def new_api():
    return {"identifier": f"https://{name()}.example/", "scopes": [{"value": SCOPE}]}


def action():
    id = made("/actions/actions", new_action)()
    MAKER.call("POST", f"/actions/actions/{id}/deploy")
    return id


def module():
    id = made("/actions/modules", {"name": name(), "code": "exports.one = 1;", "api_version": "v1"})()
    MAKER.call("POST", f"/actions/modules/{id}/versions")
    return id


def key():
    private = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                             check=True, capture_output=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubout"], input=private, check=True, capture_output=True).stdout.decode()


def third_party():
    """A client to which users agree first."""
    new = {"name": name(), "app_type": "regular_web", "callbacks": [CALLBACK], "is_first_party": False,
           "third_party_security_mode": "permissive", "token_endpoint_auth_method": "none",
           "grant_types": ["authorization_code", "refresh_token"]}
    return MAKER.call("POST", "/clients", new)["client_id"]


def login():
    """A user's login at a third party's client, with what it leaves."""
    user = MAKER.call("POST", "/users", new_user())
    client = resolve("third party", [])
    browser = session()
    verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    query = {"response_type": "code", "client_id": client, "redirect_uri": CALLBACK, "audience": AUDIENCE,
             "scope": "openid offline_access " + SCOPE, "code_challenge": challenge, "code_challenge_method": "S256"}
    answer = browser.get(ISSUER + "authorize", params=query, allow_redirects=False)
    for form in [{"username": user["email"], "password": PASSWORD}, {"decision": "accept"}]:
        if "location" not in answer.headers:
            raise RuntimeError(f"login: {answer.status_code} {answer.text}")
        page = requests.compat.urljoin(ISSUER, answer.headers["location"])
        csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get(page).text).group(1)
        answer = browser.post(page, data=form | {"csrf": csrf}, allow_redirects=False)
    code = re.search(r"[?&]code=([^&]+)", answer.headers["location"]).group(1)
    form = {"grant_type": "authorization_code", "client_id": client, "code": code, "redirect_uri": CALLBACK,
            "code_verifier": verifier}
    HTTP.post(ISSUER + "oauth/token", data=form).raise_for_status()
    return user["user_id"]


def first(path, list_name=None):
    """The first row of a list."""
    found = MAKER.call("GET", path)
    rows = found[list_name] if list_name else found
    if not rows:
        raise Missing(path)
    return rows[0]["id"]


def of_login(path, list_name):
    """Something that a new login leaves."""
    def make():
        user = login()
        user = path_id(user)
        return first(path + user if path.endswith("=") else f"/users/{user}{path}", list_name)
    return make


def organization_grant():
    """A client grant that an organization may be given."""
    grant = {"client_id": resolve("client", [], fresh=True), "audience": AUDIENCE, "scope": [SCOPE], "organization_usage": "allow"}
    return MAKER.call("POST", "/client-grants", grant)["id"]


def organization():
    new = {"name": name(), "enabled_connections": [{"connection_id": resolve("connection", [])}]}
    id = MAKER.call("POST", "/organizations", new)["id"]
    MAKER.call("POST", f"/organizations/{id}/members", {"members": [resolve("user", [])]})
    return id


def grant_of_organization(organization):
    known = MAKER.call("GET", f"/organizations/{organization}/client-grants")
    if known:
        return known[0]["id"]
    grant = organization_grant()
    MAKER.call("POST", f"/organizations/{organization}/client-grants", {"grant_id": grant})
    return grant


def connection_of_organization(organization):
    known = MAKER.call("GET", f"/organizations/{organization}/enabled_connections")
    if known:
        return known[0]["connection_id"]
    connection = resolve("connection", [])
    MAKER.call("POST", f"/organizations/{organization}/enabled_connections", {"connection_id": connection})
    return connection


def member(organization):
    user = resolve("user", [])
    MAKER.call("POST", f"/organizations/{organization}/members", {"members": [user]})
    return user


def log_stream():
    known = MAKER.call("GET", "/log-streams")
    # A tenant has ten at most.
    for stream in known[8:]:
        MAKER.send("DELETE", "/log-streams/" + stream["id"])
    sink = {"httpEndpoint": "https://logs.schemathesis.example/"}
    return MAKER.call("POST", "/log-streams", {"name": name(), "type": "http", "sink": sink})["id"]


def execution():
    runs = MAKER.call("GET", "/actions/executions")["runs"]
    if not runs:
        login()
        runs = MAKER.call("GET", "/actions/executions")["runs"]
    return runs[0]["execution_id"]


def signing_key():
    MAKER.call("POST", "/keys/signing/rotate")
    keys = MAKER.call("GET", "/keys/signing")
    return next(key["kid"] for key in keys if key.get("previous") and not key.get("revoked"))


# How each kind is made, and where it is found again.
KINDS = {
    "action": (action, "/actions/actions/{}"),
    "module": (module, "/actions/modules/{}"),
    "client": (made("/clients", lambda: {"name": name(), "app_type": "regular_web", "callbacks": [CALLBACK]}, "client_id"), "/clients/{}"),
    "third party": (third_party, "/clients/{}"),
    "client grant": (lambda: organization_grant(), "/client-grants/{}"),
    "organization grant": (organization_grant, None),
    "connection": (made("/connections", lambda: {"name": name(), "strategy": "auth0"}), "/connections/{}"),
    "user": (made("/users", new_user, "user_id"), "/users/{}"),
    "user of login": (login, "/users/{}"),
    "role": (made("/roles", lambda: {"name": name()}), "/roles/{}"),
    "organization": (organization, "/organizations/{}"),
    "log stream": (log_stream, "/log-streams/{}"),
    "resource server": (made("/resource-servers", new_api), "/resource-servers/{}"),
    "session": (of_login("/sessions", "sessions"), "/sessions/{}"),
    "refresh token": (of_login("/refresh-tokens", "tokens"), "/refresh-tokens/{}"),
    "device credential": (of_login("/device-credentials?type=refresh_token&user_id=", None), None),
    "grant": (of_login("/grants?user_id=", None), None),
    "log": (lambda: MAKER.call("GET", "/logs")[0]["log_id"], "/logs/{}"),
    "execution": (execution, "/actions/executions/{}"),
    "trigger": (lambda: "post-login", None),
    "kid": (signing_key, "/keys/signing/{}"),
}
def credential(client):
    known = MAKER.call("GET", f"/clients/{client}/credentials")
    keys = [credential["id"] for credential in known if credential["credential_type"] == "public_key"]
    if keys:
        return keys[0]
    # A client has ten at most.
    for certificate in known[9:]:
        MAKER.call("DELETE", f"/clients/{client}/credentials/{certificate['id']}")
    return MAKER.call("POST", f"/clients/{client}/credentials", {"credential_type": "public_key", "pem": key()})["id"]


# What belongs to something that is named before it in the path: how it is made there.
PARTS = {
    "action version": lambda action: first(f"/actions/actions/{action}/versions", "versions"),
    "module version": lambda module: first(f"/actions/modules/{module}/versions", "versions"),
    "credential": credential,
    "grant of organization": grant_of_organization,
    "connection of organization": connection_of_organization,
    "member": member,
}
MADE = {}


def resolve(kind, parents, fresh=False, replace=False):
    """The id of a thing of this kind that is there."""
    if kind == "public key":
        return key()
    if kind in PARTS:
        return PARTS[kind](parents[-1])
    if kind == "client with credentials":
        # It may have ten.
        client = resolve("client", [])
        found = MAKER.send("GET", f"/clients/{client}/credentials")
        return client if found.ok and len(found.json()) < 9 else resolve("client", [], replace=True)
    if kind == "name of organization":
        return MAKER.call("GET", "/organizations/" + resolve("organization", []))["name"]
    if kind == "name of user":
        return MAKER.call("GET", "/users/" + path_id(resolve("user", [])))["email"]
    make, path = KINDS[kind]
    if fresh or path is None:
        return make()
    known = MADE.get(kind)
    if known is None or replace or not MAKER.send("GET", path.format(path_id(known))).ok:
        known = MADE[kind] = make()
    return known


# The parameters of paths.
PARAMETERS = [
    (r"/actions/actions/\{actionId\}/versions/\{id\}", {"actionId": "action", "id": "action version"}),
    (r"/actions/actions/", {"actionId": "action", "id": "action"}),
    (r"/actions/executions/", {"id": "execution"}),
    (r"/actions/modules/", {"id": "module", "versionId": "module version"}),
    (r"/actions/triggers/", {"triggerId": "trigger"}),
    (r"/client-grants/", {"id": "client grant"}),
    (r"/clients/\{client_id\}/", {"client_id": "client with credentials", "credential_id": "credential"}),
    (r"/clients/", {"id": "client"}),
    (r"/connections/", {"id": "connection"}),
    (r"/device-credentials/", {"id": "device credential"}),
    (r"/grants/", {"id": "grant"}),
    (r"/keys/signing/", {"kid": "kid"}),
    (r"/log-streams/", {"id": "log stream"}),
    (r"/logs/", {"id": "log"}),
    (r"/organizations/", {"id": "organization", "name": "name of organization", "user_id": "member",
                          "connection_id": "connection of organization", "grant_id": "grant of organization"}),
    (r"/refresh-tokens/", {"id": "refresh token"}),
    (r"/resource-servers/", {"id": "resource server"}),
    (r"/roles/", {"id": "role"}),
    (r"/sessions/", {"id": "session"}),
    (r"/users/\{id\}/(sessions|refresh-tokens)", {"id": "user of login"}),
    (r"/users/", {"id": "user"}),
]
# Members of bodies and queries that name something. `new`: each call needs one of its own.
MEMBERS = {
    "client_id": "client",
    "connection_id": "connection",
    "enabled_clients": "client",
    "grant_id": "new organization grant",
    "ids": "refresh token",
    "members": "user",
    "module_id": "module",
    "roles": "role",
    "session_id": "session",
    "user_id": "user",
    "users": "user",
}
# Members that have few values which do something.
VALUES = {
    "code": CODE,
    "connection": DATABASE,
    "permission_name": SCOPE,
    "resource_server_identifier": AUDIENCE,
}
# Where the rule is another one.
OF_OPERATION = {
    "create_client_grant": ({"client_id": "new client"}, {"audience": AUDIENCE, "scope": SCOPE}),
    "create_user": ({"user_id": None}, {"password": PASSWORD}),
    "update_user": ({}, {"password": PASSWORD}),
    "add_connection_to_organization": ({"connection_id": "new connection"}, {}),
    "create_client_credential": ({"pem": "public key"}, {}),
    "rollback_action_module": ({"module_version_id": "module version"}, {}),
    "create_action": ({}, {"id": "post-login", "module_version_id": None}),
    "update_action": ({}, {"id": "post-login", "module_version_id": None}),
    "update_trigger_bindings": ({"value": "action"}, {"type": "action_id"}),
}


@schemathesis.auth(refresh_interval=None)
class Token:
    def get(self, case, context):
        return CALLER.token

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


def stays(text):
    """One of eight texts is sent as it is, and always the same ones: ids of nothing have to be refused, too."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % 8 == 3


def real(value, member, operation, parents):
    """The same with real ids."""
    if isinstance(value, dict):
        return {name: real(inner, name, operation, parents) for name, inner in value.items()}
    if isinstance(value, list):
        return [real(inner, member, operation, parents) for inner in value]
    if not isinstance(value, str) or stays(value):
        return value
    members, values = OF_OPERATION.get(operation, ({}, {}))
    values = VALUES | values
    if values.get(member):
        return values[member]
    kind = (MEMBERS | members).get(member)
    return value if kind is None else real_id(kind.removeprefix("new "), parents, kind.startswith("new ")) or value


def real_id(kind, parents, fresh):
    """`None`: what it would belong to is not there."""
    try:
        return resolve(kind, parents, fresh)
    except Missing:
        return None


@schemathesis.hook
def before_call(context, case, kwargs):
    path, method = case.path, case.method.upper()
    operation = (case.operation.definition.raw or {}).get("operationId")
    kinds = next((kinds for pattern, kinds in PARAMETERS if re.match("/api/v2" + pattern, path)), {})
    names = re.findall(r"\{(\w+)\}", path)
    # What the call ends is made for it.
    ends = method == "DELETE" or path.endswith("/revoke")
    parents = []
    for place, name in enumerate(names):
        value = case.path_parameters.get(name)
        is_ended = ends and place == len(names) - 1 == 0 and path.removesuffix("/revoke").endswith("}")
        is_kept = unquote(str(value)) in KEPT and method != "GET"
        # In the stateful phase, ids are real.
        is_given = case.meta is not None and case.meta.phase.name.value == "stateful"
        if isinstance(value, str) and (is_kept or not stays(value) and not is_given):
            value = real_id(kinds[name], parents, is_ended) or value
            case.path_parameters[name] = quote(value, safe="")
        parents.append(value)
    if case.query:
        case.query = real(dict(case.query), None, operation, parents)
    if isinstance(case.body, (dict, list)):
        case.body = real(case.body, None, operation, parents)


# With these, users could not log in as `login` does.
SETTINGS_OF_LOGINS = ["default_directory", "factors", "flags", "session_lifetime", "idle_session_lifetime"]
SEEN = {}


@schemathesis.hook
def after_call(context, case, response):
    method = case.method.upper()
    if "/keys/signing/" in case.path and method in ["PUT", "POST"]:
        MAKER.renew()
        CALLER.renew()
    if case.path.endswith("/tenants/settings") and method == "PATCH" and response.status_code == 200:
        MAKER.call("PATCH", "/tenants/settings", {name: None for name in SETTINGS_OF_LOGINS})
    statuses = SEEN.setdefault(f"{method} {case.path}", {})
    statuses[response.status_code] = statuses.get(response.status_code, 0) + 1


@atexit.register
def tell():
    """How the operations were answered."""
    calls = sum(sum(statuses.values()) for statuses in SEEN.values())
    failures = sum(count for statuses in SEEN.values() for status, count in statuses.items() if status >= 500)
    # Without the methods that a path does not have.
    known = {operation: statuses for operation, statuses in SEEN.items() if set(statuses) != {405}}
    bad = {operation: statuses for operation, statuses in known.items() if min(statuses) >= 300}
    print(f"\n{calls} calls of {len(known)} operations: {len(known) - len(bad)} had answers with 2xx, {failures} answers were 5xx")
    for operation, statuses in bad.items():
        print(f"  no 2xx: {operation} {statuses}")
