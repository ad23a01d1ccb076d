//! Behaviours of the whole server over HTTP. The ids in comments are those of the security checklist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure is a panic")]

mod access_tokens;
mod actions;
mod authorize;
mod backchannel_logout;
mod browser;
mod check;
mod chromium;
mod client_authentication;
mod client_credentials;

mod command_line;
mod components;
mod conformance;
mod consent;
mod device;
mod discovery;
mod double_spend;
mod dpop;
mod event;
mod groups;
mod hostile;
mod housekeeping;
mod introspection;
mod kill;
mod kit;
mod login;
mod logout;
mod management;
mod mfa;
mod mfa_api;
mod nodes;
mod observability;
mod online;
mod organizations;
mod outgoing;
mod outside;
mod par;
mod password_grant;
mod post_login;
mod private_key_jwt;
mod process;
mod rbac;
mod refresh;
mod response_mode;
mod revocation;
mod secrets;
mod sessions;
mod tls;
mod token;
mod transfer;
mod upgrade;
mod userinfo;
