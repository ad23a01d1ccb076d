//! The user's profile.

use model::{Connection, User};
use serde_json::{Value, json};

use super::put;

pub(super) fn user(user: &User, connection: &Connection) -> Value {
    let mut value = json!({
        "user_id": user.user_id,
        "email_verified": user.email_verified,
        "created_at": user.created_at.to_iso(),
        "updated_at": user.updated_at.to_iso(),
        "user_metadata": user.user_metadata,
        "app_metadata": user.app_metadata,
        "identities": [model::Identity::of(user, connection)],
    });
    put(&mut value, "email", user.email.as_deref());
    put(&mut value, "username", user.username.as_deref());
    put(&mut value, "name", user.name.as_deref());
    put(&mut value, "given_name", user.given_name.as_deref());
    put(&mut value, "family_name", user.family_name.as_deref());
    put(&mut value, "nickname", user.nickname.as_deref());
    put(&mut value, "picture", user.picture.as_deref());
    put(&mut value, "phone_number", user.phone_number.as_deref());
    if let Some(verified) = user.phone_verified {
        value["phone_verified"] = json!(verified);
    }
    put(&mut value, "last_password_reset", user.last_password_reset.map(model::Timestamp::to_iso).as_deref());
    value
}
