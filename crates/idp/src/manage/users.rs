//! Users: making, changing, finding and showing them.

use std::collections::HashSet;

use model::search::Query;
use model::{Connection, ConnectionId, Identity, LogType, TenantId, Timestamp, User, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use storage::{TenantTx, UserListing};
use utoipa::ToSchema;

use super::password_policy::{NewPassword, new_password, password_policy};
use super::revoke::{details, entry};
use super::{DEFAULT_CONNECTION, Listed, ManageError, Span, hex, limits};
use crate::revocation::{self, Ended, Event};
use crate::{Idp, ServerError, password};

/// Bytes of each kind of metadata, as JSON.
const MAX_METADATA_BYTES: usize = 256 * 1024;
const ALREADY_EXISTS: &str = "The user already exists.";

/// A user to be made.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `model::User`")]
pub struct NewUser {
    /// The name of the connection. Only commands may leave it out, for the one that each tenant has.
    #[schema(value_type = String)]
    pub connection: Option<String>,
    /// What follows `auth0|` in the id; absent: by chance.
    pub user_id: Option<String>,
    pub email: String,
    #[serde(default)]
    pub email_verified: bool,
    pub username: Option<String>,
    /// Any characters of Unicode, taken as typed: as many as the connection asks for (8 if it does not say), at most 256.
    pub password: String,
    pub phone_number: Option<String>,
    pub phone_verified: Option<bool>,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub nickname: Option<String>,
    pub picture: Option<String>,
    #[serde(default)]
    pub blocked: bool,
    #[serde(default)]
    #[schema(value_type = Object)]
    pub user_metadata: Map<String, Value>,
    #[serde(default)]
    #[schema(value_type = Object)]
    pub app_metadata: Map<String, Value>,
    /// For a message, of which this server sends none.
    pub verify_email: Option<bool>,
}

/// What changes of a user (`PATCH /api/v2/users/{id}`). What is absent stays. Of what may be absent in a user, `null`
/// removes it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `model::User`")]
pub struct UserChanges {
    /// Another one has to be verified again, unless `email_verified` says so.
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub username: Option<Option<String>>,
    /// Ends everything that the old one opened.
    pub password: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub phone_number: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    pub phone_verified: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub given_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub family_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub nickname: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub picture: Option<Option<String>>,
    pub blocked: Option<bool>,
    /// Its members are set; `null` removes one, and an empty object all.
    #[schema(value_type = Option<Object>)]
    pub user_metadata: Option<Map<String, Value>>,
    /// The same.
    #[schema(value_type = Option<Object>)]
    pub app_metadata: Option<Map<String, Value>>,
    /// The user's connection: it names the one identity that they have.
    pub connection: Option<String>,
    /// For messages, of which this server sends none.
    pub client_id: Option<String>,
    /// For messages, of which this server sends none.
    pub verify_email: Option<bool>,
    /// For messages, of which this server sends none.
    pub verify_phone_number: Option<bool>,
    /// For messages, of which this server sends none.
    pub verify_password: Option<bool>,
}

impl UserChanges {
    /// Whether nothing but `app_metadata` changes, which the scope `update:users_app_metadata` is for.
    #[must_use]
    pub fn is_app_metadata_only(&self) -> bool {
        *self == Self { app_metadata: self.app_metadata.clone(), ..Self::default() }
    }
}

/// Tells `null` from absence.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A user as the Management API shows them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = User)]
#[expect(missing_docs, reason = "the fields are those of the Management API")]
pub struct UserView {
    pub user_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<String>,
    pub email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub phone_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub phone_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub family_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub picture: Option<String>,
    /// The one that they have, at their connection.
    pub identities: Vec<Identity>,
    #[schema(value_type = Object)]
    pub user_metadata: Map<String, Value>,
    #[schema(value_type = Object)]
    pub app_metadata: Map<String, Value>,
    pub blocked: bool,
    /// `guardian` for who has a second factor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub multifactor: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub last_login: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub last_password_reset: Option<String>,
    pub logins_count: i64,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Which users are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserSearch<'a> {
    /// `model::search`; `None`: all.
    pub query: Option<&'a str>,
    /// The name of their connection; `None`: any.
    pub connection: Option<&'a str>,
    /// A field, a colon, and 1 or -1; `None`: by id.
    pub sort: Option<&'a str>,
}

/// Finds users.
///
/// # Errors
/// [`ManageError::InvalidQuery`] for a query or an order that is not understood.
pub async fn list_users(
    idp: &Idp,
    tenant: &TenantId,
    search: UserSearch<'_>,
    span: Span<'_>,
) -> Result<Listed<UserView>, ManageError> {
    let wrong = |error: &dyn std::error::Error| ManageError::InvalidQuery(error.to_string());
    let query = search.query.map(Query::parse).transpose().map_err(|error| wrong(&error))?;
    let listing = UserListing {
        query: query.as_ref(),
        connection: search.connection,
        order: search.sort.map(order).transpose()?,
        offset: span.offset,
        limit: span.limit,
    };
    let mut tx = idp.storage.begin_read(tenant).await?;
    let users = tx.find_users(&listing).await?.map_err(|error| wrong(&error))?;
    let total = match span.counted {
        true => tx.count_users(&listing).await?.map_err(|error| wrong(&error))?,
        false => 0,
    };
    Ok(Listed { rows: views(&mut tx, users).await?, total, last_key: None })
}

fn order(sort: &str) -> Result<(&str, bool), ManageError> {
    match sort.rsplit_once(':') {
        Some((field, "1")) => Ok((field, false)),
        Some((field, "-1")) => Ok((field, true)),
        _ => Err(ManageError::InvalidQuery("sort is a field, a colon, and 1 or -1".to_owned())),
    }
}

/// The users with that address, at whatever connection.
///
/// # Errors
/// [`ManageError::Server`].
pub async fn users_by_email(idp: &Idp, tenant: &TenantId, email: &str) -> Result<Vec<UserView>, ManageError> {
    /// Connections of a tenant, about: one user of each may have the address.
    const LIMIT: i64 = 1000;
    let mut tx = idp.storage.begin_read(tenant).await?;
    let users = tx.users_by_email(email, LIMIT).await?;
    views(&mut tx, users).await
}

/// One user.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn get_user(idp: &Idp, tenant: &TenantId, id: &UserId) -> Result<UserView, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    let user = tx.user(id).await?.ok_or_else(no_user)?;
    view(&mut tx, user).await
}

/// Makes a user.
///
/// # Errors
/// [`ManageError::Invalid`] for a bad value, [`ManageError::Password`] for a password that the connection does not take,
/// [`ManageError::NotFound`] for an unknown connection, [`ManageError::Conflict`] for an address, user name or id that
/// another user has.
pub async fn create_user(idp: &Idp, tenant: &TenantId, new: NewUser) -> Result<User, ManageError> {
    let email = new.email.trim().to_owned();
    let id = match &new.user_id {
        Some(id) => id.clone(),
        None => {
            let mut id = [0; 12];
            idp.random.fill(&mut id);
            hex(&id)
        }
    };
    let now = idp.now();
    let mut user = User {
        user_id: UserId::new(format!("auth0|{id}")),
        connection_id: ConnectionId::new(""),
        email_verified: new.email_verified,
        username: new.username,
        name: Some(new.name.unwrap_or_else(|| email.clone())),
        given_name: new.given_name,
        family_name: new.family_name,
        nickname: new.nickname.or_else(|| email.split('@').next().map(str::to_owned)),
        picture: new.picture,
        phone_number: new.phone_number,
        phone_verified: new.phone_verified,
        email: Some(email),
        user_metadata: new.user_metadata,
        app_metadata: new.app_metadata,
        blocked: new.blocked,
        password_hash: None,
        last_password_reset: None,
        logins_count: 0,
        last_login: None,
        last_ip: None,
        created_at: now,
        updated_at: now,
    };
    check(&user)?;
    let name = new.connection.as_deref().unwrap_or(DEFAULT_CONNECTION);
    // Before the costly hash.
    let policy = {
        let mut tx = idp.storage.begin_read(tenant).await?;
        let connection = tx.connection_by_name(name).await?.ok_or_else(no_connection)?;
        password_policy(&mut tx, &connection.id).await?
    };
    policy.check(&user, &new.password)?;
    user.password_hash = Some(password::hash(idp, &new.password).await?);
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let connection = tx.connection_by_name(name).await?;
    user.connection_id = connection.ok_or_else(no_connection)?.id;
    if tx.user(&user.user_id).await?.is_some() {
        return Err(ManageError::Conflict(ALREADY_EXISTS.to_owned()));
    }
    names_are_free(&mut tx, &user, ALREADY_EXISTS).await?;
    tx.put_user(&user).await?;
    tx.commit().await?;
    Ok(user)
}

/// Changes a user; the user after it.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user, [`ManageError::Invalid`] for a bad value, [`ManageError::Password`] for a
/// password that the connection does not take, [`ManageError::Conflict`] for an address or user name that another user has.
pub async fn update_user(
    idp: &Idp,
    tenant: &TenantId,
    id: &UserId,
    changes: UserChanges,
) -> Result<UserView, ManageError> {
    // Before the costly hash.
    let known = idp.storage.begin_read(tenant).await?.user(id).await?.ok_or_else(no_user)?;
    let before = known.password_hash.clone();
    let wanted = changed(known, &changes)?;
    check(&wanted)?;
    let password = match &changes.password {
        Some(new) => Some(new_password(idp, tenant, &wanted, before.clone(), new).await?),
        None => None,
    };
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    if changes.email.is_some() || changes.username.is_some() {
        tx.lock_settings().await?;
    }
    tx.lock_user(id).await?;
    let known = tx.user(id).await?.ok_or_else(no_user)?;
    if let Some(name) = &changes.connection
        && tx.connection_by_name(name).await?.is_none_or(|found| found.id != known.connection_id)
    {
        return Err(ManageError::invalid("connection is not the user's"));
    }
    let names = (known.email.clone(), known.username.clone());
    let mut user = changed(known, &changes)?;
    check(&user)?;
    if names.0 != user.email {
        names_are_free(&mut tx, &user, "The specified new email already exists").await?;
    }
    if names.1 != user.username {
        names_are_free(&mut tx, &user, "The specified new username already exists").await?;
    }
    user.updated_at = now;
    let mut event = None;
    if let Some(NewPassword { hash, history }) = password {
        if history.is_some() && user.password_hash != before {
            return Err(ManageError::Conflict("The user's password was changed meanwhile".to_owned()));
        }
        match (history, &before) {
            (Some(size), Some(before)) => tx.remember_password(id, before, size).await?,
            (Some(_), None) => {}
            (None, _) => tx.forget_passwords(id).await?,
        }
        user.password_hash = Some(hash);
        user.last_password_reset = Some(now);
        event = Some((Event::PasswordChanged(id), LogType::SuccessChangePassword));
    }
    tx.put_user(&user).await?;
    if let Some((event, log_type)) = event {
        let ended = revocation::apply(&mut tx, event, now).await?;
        tx.insert_log(&entry(log_type, id, details(ended), now)).await?;
    }
    let view = view(&mut tx, user).await?;
    tx.commit().await?;
    Ok(view)
}

/// Removes a user, and ends everything of theirs.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn delete_user(idp: &Idp, tenant: &TenantId, user: &UserId) -> Result<Ended, ManageError> {
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    let ended = revocation::apply(&mut tx, Event::AccountDeleted(user), now).await?;
    if !tx.delete_user(user).await? {
        return Err(no_user());
    }
    tx.insert_log(&entry(LogType::SuccessUserDeletion, user, details(ended), now)).await?;
    tx.commit().await?;
    Ok(ended)
}

/// What the Management API says of an unknown user.
pub(super) fn no_user() -> ManageError {
    ManageError::not_found("inexistent_user", "The user does not exist.")
}

fn no_connection() -> ManageError {
    ManageError::not_found("inexistent_connection", "The connection does not exist.")
}

pub(super) async fn existing_user(tx: &mut TenantTx, user: &UserId) -> Result<User, ManageError> {
    tx.user(user).await?.ok_or_else(no_user)
}

/// Users in a list that goes on after an id.
pub(super) async fn listed_by_id(
    tx: &mut TenantTx,
    users: Vec<User>,
    total: i64,
) -> Result<Listed<UserView>, ManageError> {
    let last_key = users.last().map(|last| last.user_id.as_str().to_owned());
    Ok(Listed { rows: views(tx, users).await?, total, last_key })
}

/// Users as the Management API shows them.
async fn views(tx: &mut TenantTx, users: Vec<User>) -> Result<Vec<UserView>, ManageError> {
    let connections = tx.connections().await?;
    let with_factors: HashSet<_> = tx.with_factors(&users).await?.into_iter().collect();
    let mut views = Vec::with_capacity(users.len());
    for user in users {
        let connection = connections.iter().find(|known| known.id == user.connection_id);
        let connection = connection.ok_or_else(|| {
            ServerError::Inconsistent(format!("the connection of {} does not exist", user.user_id))
        })?;
        let has_factor = with_factors.contains(&user.user_id);
        views.push(UserView::new(user, connection, has_factor));
    }
    Ok(views)
}

async fn view(tx: &mut TenantTx, user: User) -> Result<UserView, ManageError> {
    let mut views = views(tx, vec![user]).await?;
    views.pop().ok_or_else(|| ServerError::Inconsistent("a user is not shown".to_owned()).into())
}

impl UserView {
    fn new(user: User, connection: &Connection, has_factor: bool) -> Self {
        let identity = Identity::of(&user, connection);
        let iso = |moment: Option<Timestamp>| moment.map(Timestamp::to_iso);
        Self {
            user_id: user.user_id,
            email: user.email,
            email_verified: user.email_verified,
            username: user.username,
            phone_number: user.phone_number,
            phone_verified: user.phone_verified,
            name: user.name,
            given_name: user.given_name,
            family_name: user.family_name,
            nickname: user.nickname,
            picture: user.picture,
            identities: vec![identity],
            user_metadata: user.user_metadata,
            app_metadata: user.app_metadata,
            blocked: user.blocked,
            multifactor: if has_factor { vec!["guardian".to_owned()] } else { Vec::new() },
            last_ip: user.last_ip,
            last_login: iso(user.last_login),
            last_password_reset: iso(user.last_password_reset),
            logins_count: user.logins_count,
            created_at: user.created_at.to_iso(),
            updated_at: user.updated_at.to_iso(),
        }
    }
}

/// The user with all of it but the password.
fn changed(known: User, changes: &UserChanges) -> Result<User, ManageError> {
    let mut user = known;
    if let Some(email) = &changes.email {
        let email = email.trim().to_owned();
        if user.email.as_deref() != Some(&email) {
            user.email_verified = false;
            user.email = Some(email);
        }
    }
    user.email_verified = changes.email_verified.unwrap_or(user.email_verified);
    user.blocked = changes.blocked.unwrap_or(user.blocked);
    for (field, change) in [
        (&mut user.username, &changes.username),
        (&mut user.phone_number, &changes.phone_number),
        (&mut user.name, &changes.name),
        (&mut user.given_name, &changes.given_name),
        (&mut user.family_name, &changes.family_name),
        (&mut user.nickname, &changes.nickname),
        (&mut user.picture, &changes.picture),
    ] {
        if let Some(value) = change {
            field.clone_from(value);
        }
    }
    if let Some(verified) = changes.phone_verified {
        user.phone_verified = verified;
    }
    merge(&mut user.user_metadata, changes.user_metadata.as_ref());
    merge(&mut user.app_metadata, changes.app_metadata.as_ref());
    Ok(user)
}

/// At the root only: what is below a member is replaced with it.
fn merge(metadata: &mut Map<String, Value>, changes: Option<&Map<String, Value>>) {
    let Some(changes) = changes else { return };
    if changes.is_empty() {
        metadata.clear();
    }
    for (name, value) in changes {
        match value {
            Value::Null => drop(metadata.remove(name)),
            value => drop(metadata.insert(name.clone(), value.clone())),
        }
    }
}

/// Within one connection nobody logs in by what another one has, be it as address or as user name.
async fn names_are_free(tx: &mut TenantTx, user: &User, taken: &str) -> Result<(), ManageError> {
    for name in user.email.iter().chain(&user.username) {
        let found = tx.user_by_login(&user.connection_id, name).await?;
        if found.is_some_and(|found| found.user_id != user.user_id) {
            return Err(ManageError::Conflict(taken.to_owned()));
        }
    }
    Ok(())
}

/// The rules for a user.
fn check(user: &User) -> Result<(), ManageError> {
    fn rule(holds: bool, broken: &str) -> Result<(), ManageError> {
        if holds { Ok(()) } else { Err(ManageError::invalid(broken)) }
    }
    let is_spaced = |text: &str| text.chars().any(|c| c.is_control() || c.is_whitespace());
    let id = user.user_id.as_str().strip_prefix("auth0|").unwrap_or_default();
    rule(
        (1..=limits::USER_ID_BYTES).contains(&id.len())
            && !id.chars().any(|c| c.is_control() || c.is_whitespace() || c == '|'),
        "user_id has 1 to 255 bytes, no spaces and no |",
    )?;
    let email = user.email.as_deref().unwrap_or_default();
    let (local, domain) = email.split_once('@').unwrap_or_default();
    rule(
        !local.is_empty()
            && !domain.is_empty()
            && email.len() <= limits::EMAIL_BYTES
            && !domain.contains('@')
            && !is_spaced(email),
        "not an e-mail address",
    )?;
    if let Some(username) = &user.username {
        // A user name that looks like an address could be another user's.
        rule(
            (1..=limits::USERNAME_BYTES).contains(&username.len())
                && !username.contains('@')
                && !is_spaced(username),
            "a user name has 1 to 128 bytes, no spaces and no @",
        )?;
    }
    if let Some(phone) = &user.phone_number {
        let digits = phone.strip_prefix('+').unwrap_or_default();
        rule(
            (1..=15).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit()),
            "phone_number is + and 1 to 15 digits (E.164)",
        )?;
    }
    for (what, text, most) in [
        ("name", &user.name, limits::USER_NAME_CHARS),
        ("given_name", &user.given_name, limits::USER_NAME_PART_CHARS),
        ("family_name", &user.family_name, limits::USER_NAME_PART_CHARS),
        ("nickname", &user.nickname, limits::USER_NAME_CHARS),
        ("picture", &user.picture, limits::PICTURE_CHARS),
    ] {
        let fits = text.as_ref().is_none_or(|text| (1..=most).contains(&text.chars().count()));
        rule(fits, &format!("{what} has 1 to {most} characters"))?;
    }
    if let Some(picture) = &user.picture {
        let is_web = url::Url::parse(picture).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        rule(is_web, "picture is an http or https address")?;
    }
    for (what, metadata) in [("user_metadata", &user.user_metadata), ("app_metadata", &user.app_metadata)] {
        let bytes = serde_json::to_vec(metadata).map_or(usize::MAX, |json| json.len());
        rule(bytes <= MAX_METADATA_BYTES, &format!("{what} has at most {MAX_METADATA_BYTES} bytes"))?;
    }
    Ok(())
}
