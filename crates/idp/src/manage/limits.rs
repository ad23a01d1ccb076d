//! The numbers of the rules for what is sent, which the document of the Management API tells as well.
//!
//! Where bytes are counted, a text of so many characters may still be too long.

use crate::keys::MAX_TOKEN_LIFETIME_SECS;

/// Bytes of what people call a client, a tenant, a role or an organization.
pub const NAME_BYTES: usize = 255;
/// Bytes of the name of an organization.
pub const ORGANIZATION_NAME_BYTES: usize = 50;
/// Bytes of the name of an Action, a module or a connection.
pub const SHORT_NAME_BYTES: usize = 128;
/// Characters of what people call a connection.
pub const CONNECTION_DISPLAY_NAME_CHARS: usize = 128;
/// Characters of the name of a log stream.
pub const LOG_STREAM_NAME_CHARS: usize = 255;
/// Characters of a role's description.
pub const ROLE_DESCRIPTION_CHARS: usize = 1000;
/// Characters of a client's description.
pub const CLIENT_DESCRIPTION_CHARS: usize = 140;
/// Entries of the metadata of a client or a connection.
pub const CLIENT_METADATA_ENTRIES: usize = 10;
/// Entries of the metadata of an organization.
pub const ORGANIZATION_METADATA_ENTRIES: usize = 25;
/// Characters of a name or value of such metadata.
pub const METADATA_CHARS: usize = 255;
/// Bytes of a client's secret.
pub const CLIENT_SECRET_BYTES: (usize, usize) = (32, 512);
/// Seconds that a pushed authorization request may be used for.
pub const PAR_EXPIRY_SECS: (i64, i64) = (10, 600);
/// Seconds that an access or ID token lives.
pub const TOKEN_LIFETIME_SECS: (i64, i64) = (1, MAX_TOKEN_LIFETIME_SECS);
/// Seconds that a refresh token lives: at most five years.
pub const REFRESH_TOKEN_LIFETIME_SECS: (i64, i64) = (1, 157_788_000);
/// Seconds in which a used refresh token may be used again.
pub const LEEWAY_SECS: (i64, i64) = (0, 86_400);
/// Addresses of a client that are told of a logout.
pub const BACKCHANNEL_URLS: usize = 1;
/// Bytes of the name of a client's key.
pub const CREDENTIAL_NAME_BYTES: usize = 128;
/// Bytes of a public key: one of RSA with 8192 bits takes 1.5 kB.
pub const PEM_BYTES: usize = 8192;
/// Bytes of an API's identifier.
pub const IDENTIFIER_BYTES: usize = 600;
/// Bytes of a secret that an API's tokens might be signed with.
pub const SIGNING_SECRET_BYTES: usize = 16;
/// Scopes of an API.
pub const SCOPES: usize = 1_000;
/// Characters of a scope's description.
pub const SCOPE_DESCRIPTION_CHARS: usize = 500;
/// Bytes of an e-mail address.
pub const EMAIL_BYTES: usize = 254;
/// Bytes of a user name.
pub const USERNAME_BYTES: usize = 128;
/// Bytes of a user's id behind its prefix.
pub const USER_ID_BYTES: usize = 255;
/// Characters of a user's `name` or `nickname`.
pub const USER_NAME_CHARS: usize = 300;
/// Characters of a user's `given_name` or `family_name`.
pub const USER_NAME_PART_CHARS: usize = 150;
/// Characters of the address of a user's picture.
pub const PICTURE_CHARS: usize = 2048;
/// Characters of a password; how few it may have is up to the connection.
pub const PASSWORD_CHARS: usize = 256;
/// Bytes of an address that entries of the log are sent to.
pub const LOG_STREAM_URL_BYTES: usize = 2048;
/// Headers that a log stream adds.
pub const LOG_STREAM_HEADERS: usize = 25;
/// npm packages of an Action or a module.
pub const DEPENDENCIES: usize = 10;
/// Bytes of the name or the version of an npm package.
pub const DEPENDENCY_BYTES: usize = 256;
/// Secrets of an Action or a module.
pub const SECRETS: usize = 30;
/// Characters of the name of a secret.
pub const SECRET_NAME_CHARS: usize = 128;
/// Characters of the value of a secret.
pub const SECRET_CHARS: usize = 4096;
/// Modules that an Action requires.
pub const MODULES_OF_ACTION: usize = 3;
/// Characters of a module's code.
pub const MODULE_CODE_CHARS: usize = 65_536;
/// Hosts that an Action may be kept to.
pub const ALLOWED_HOSTS: usize = 50;
/// Actions of a trigger.
pub const BINDINGS: usize = 20;
/// Hours that a session lives: the most of the dialect's largest plan.
pub const SESSION_LIFETIME_HOURS: i64 = 365 * 24;
/// Hours that a session lives unused.
pub const IDLE_SESSION_LIFETIME_HOURS: i64 = 100 * 24;
/// Characters of the mask of a user code.
pub const USER_CODE_MASK_CHARS: usize = 20;
