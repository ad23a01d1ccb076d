"""Authlib with requests: a web application's login, its refresh, introspection and revocation."""

import json
import sys

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from joserfc import jwt
from joserfc.jwk import KeySet

config = json.loads(sys.stdin.readline())
issuer, user = config["issuer"], config["demo"]["user"]
authority = config["demo"]["ca_file"]
redirect_uri = "https://app.example/callback"


def visit(url, until):
    """Sends the browser to an address, until it is at one that starts so."""
    print(json.dumps({"visit": url, "until": until}), flush=True)
    return json.loads(sys.stdin.readline())["url"]


session = OAuth2Session(
    client_id="outside-web",
    client_secret=config["secret"],
    scope="openid profile email offline_access",
    redirect_uri=redirect_uri,
    code_challenge_method="S256",
)
session.verify = authority
# Nothing of this machine's settings: another authority of theirs would come first.
session.trust_env = False
server = session.get(f"{issuer}.well-known/openid-configuration", withhold_token=True).json()
assert server["issuer"] == issuer
session.metadata["token_endpoint"] = server["token_endpoint"]

# The code flow with PKCE.
verifier, nonce = generate_token(48), generate_token(20)
url, state = session.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
tokens = session.fetch_token(
    server["token_endpoint"],
    authorization_response=visit(url, redirect_uri),
    state=state,
    code_verifier=verifier,
)

# The ID token, by the published keys.
keys = KeySet.import_key_set(session.get(server["jwks_uri"], withhold_token=True).json())
claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
registry = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": issuer},
    aud={"essential": True, "value": "outside-web"},
    nonce={"essential": True, "value": nonce},
    exp={"essential": True},
)
registry.validate(claims)
assert claims["email"] == user["email"], claims
userinfo = session.get(server["userinfo_endpoint"])
assert userinfo.json()["sub"] == claims["sub"], userinfo.text

# Refresh, introspection, revocation.
first = tokens["refresh_token"]
renewed = session.refresh_token(server["token_endpoint"], refresh_token=first)
assert renewed["refresh_token"] != first
introspected = session.introspect_token(server["introspection_endpoint"], token=renewed["refresh_token"])
assert introspected.json()["active"] is True, introspected.text
revoked = session.revoke_token(server["revocation_endpoint"], token=renewed["refresh_token"])
assert revoked.status_code == 200, revoked.text
try:
    session.refresh_token(server["token_endpoint"], refresh_token=renewed["refresh_token"])
    raise SystemExit("a revoked token was taken")
except OAuthError as error:
    assert error.error == "invalid_grant", error
