//! What a database asks of new passwords, by its options in the Management API: `passwordPolicy`,
//! `password_complexity_options`, `password_dictionary`, `password_no_personal_info` and `password_history`, or
//! `password_options` in their place. Passwords that users have are not looked at.

use model::{ConnectionId, TenantId, User};
use serde::Deserialize;
use serde_json::{Map, Value};
use storage::TenantTx;

use super::limits::PASSWORD_CHARS;
use super::object::{Object, read};
use super::password_options::{MIN_CHARS, PasswordOptions, field, is_common};
use super::validate::rule;
use super::{ManageError, PasswordFault, WeakPassword};
use crate::{Idp, ServerError, password};

const MAX_MIN_LENGTH: usize = 128;
const MAX_WORDS: usize = 200;
const MAX_WORD_CHARS: usize = 256;
const MAX_HISTORY: i64 = 24;
/// How many passwords are remembered when nobody says.
const HISTORY: i64 = 5;
/// What is shorter is in too many passwords by chance.
const MIN_PERSONAL_CHARS: usize = 3;

/// What of a database's options is about passwords.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PasswordPolicy {
    #[serde(rename = "passwordPolicy")]
    level: Option<Level>,
    #[serde(rename = "password_complexity_options")]
    complexity: Option<Complexity>,
    #[serde(rename = "password_dictionary")]
    dictionary: Option<Dictionary>,
    #[serde(rename = "password_no_personal_info")]
    no_personal_info: Option<Switch>,
    #[serde(rename = "password_history")]
    history: Option<History>,
    #[serde(rename = "password_options")]
    newer: Option<PasswordOptions>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    None,
    Low,
    Fair,
    Good,
    Excellent,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Complexity {
    min_length: Option<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Dictionary {
    enable: bool,
    #[serde(rename = "dictionary")]
    words: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Switch {
    enable: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct History {
    enable: bool,
    size: Option<i64>,
}

impl Level {
    fn min_chars(self) -> usize {
        match self {
            Self::None => 1,
            Self::Low => 6,
            Self::Fair | Self::Good => 8,
            Self::Excellent => 10,
        }
    }

    /// Whether the kinds of characters are as the level wants them.
    fn check(self, password: &str) -> Result<(), WeakPassword> {
        let has = |kind: fn(&char) -> bool| password.chars().any(|c| kind(&c));
        let letters_and_numbers =
            [has(char::is_ascii_lowercase), has(char::is_ascii_uppercase), has(char::is_ascii_digit)];
        let special = has(|c| c.is_ascii_punctuation() || *c == ' ');
        let kinds = letters_and_numbers.into_iter().chain([special]).filter(|has| *has).count();
        match self {
            Self::Fair if letters_and_numbers != [true; 3] => Err(WeakPassword::LettersAndNumbers),
            Self::Good | Self::Excellent if kinds < 3 => Err(WeakPassword::Kinds),
            Self::Excellent if has_three_alike(password) => Err(WeakPassword::Repeats),
            Self::None | Self::Low | Self::Fair | Self::Good | Self::Excellent => Ok(()),
        }
    }
}

fn has_three_alike(password: &str) -> bool {
    let chars: Vec<char> = password.chars().collect();
    chars.windows(3).any(|three| three[0] == three[1] && three[1] == three[2])
}

impl PasswordPolicy {
    /// That of a database with these options.
    ///
    /// # Errors
    /// [`ManageError::Invalid`] for another form.
    pub(super) fn of(options: &Object) -> Result<Self, ManageError> {
        read("options", &Value::Object(options.clone()))
    }

    /// The rules for the options.
    pub(super) fn check_options(&self) -> Result<(), ManageError> {
        let min_length = self.complexity.as_ref().and_then(|complexity| complexity.min_length);
        rule(
            min_length.is_none_or(|length| (1..=MAX_MIN_LENGTH).contains(&length)),
            format!("options.password_complexity_options.min_length is 1 to {MAX_MIN_LENGTH}"),
        )?;
        let size = self.history.as_ref().and_then(|history| history.size);
        let newer = self.newer.clone().unwrap_or_default();
        newer.check()?;
        let newer_size = newer.history.as_ref().and_then(|history| history.size);
        for (name, size) in [("password_history", size), ("password_options.history", newer_size)] {
            rule(
                size.is_none_or(|size| (0..=MAX_HISTORY).contains(&size)),
                format!("options.{name}.size is 0 to {MAX_HISTORY}"),
            )?;
        }
        let words = self.dictionary.as_ref().and_then(|dictionary| dictionary.words.as_ref());
        let custom = newer.dictionary.as_ref().and_then(|dictionary| dictionary.custom.as_ref());
        for (name, words) in
            [("password_dictionary.dictionary", words), ("password_options.dictionary.custom", custom)]
        {
            rule(
                words.is_none_or(|words| {
                    words.len() <= MAX_WORDS
                        && words.iter().all(|word| word.chars().count() <= MAX_WORD_CHARS)
                }),
                format!("options.{name} has at most {MAX_WORDS} entries of {MAX_WORD_CHARS} characters"),
            )?;
        }
        Ok(())
    }

    /// The passwords that are refused besides those that many people have; `None`: none is.
    fn words(&self) -> Option<&[String]> {
        let (is_on, words) = match self.newer.as_ref().and_then(|newer| newer.dictionary.as_ref()) {
            Some(newer) => (newer.active, newer.custom.as_deref()),
            None => self.dictionary.as_ref().map_or((false, None), |of| (of.enable, of.words.as_deref())),
        };
        is_on.then(|| words.unwrap_or_default())
    }

    /// Whether one of the user's names that may not be is in the password, which is in lower case.
    fn is_personal(&self, user: &User, password: &str) -> bool {
        match self.newer.as_ref().and_then(|newer| newer.profile_data.as_ref()) {
            Some(newer) => {
                newer.active
                    && match &newer.blocked_fields {
                        Some(fields) => has_name(fields.iter().map(|name| field(user, name)), password),
                        None => is_personal(user, password),
                    }
            }
            None => {
                self.no_personal_info.as_ref().is_some_and(|switch| switch.enable)
                    && is_personal(user, password)
            }
        }
    }

    /// Whether length and kinds of characters are as the connection wants them.
    fn check_strength(&self, password: &str) -> Result<(), WeakPassword> {
        if let Some(complexity) = self.newer.as_ref().and_then(|newer| newer.complexity.as_ref()) {
            return complexity.check(password);
        }
        let min_length = self.complexity.as_ref().and_then(|complexity| complexity.min_length);
        let least = min_length.unwrap_or_else(|| self.level.map_or(MIN_CHARS, Level::min_chars));
        // An empty one is none, whatever was stored.
        if password.chars().count() < least.max(1) {
            return Err(WeakPassword::Short(least));
        }
        self.level.map_or(Ok(()), |level| level.check(password))
    }

    /// How many passwords before the one of the user are remembered; `None`: nothing is.
    pub(super) fn history(&self) -> Option<i64> {
        let (is_on, size) = match self.newer.as_ref().and_then(|newer| newer.history.as_ref()) {
            Some(newer) => (newer.active, newer.size),
            None => self.history.as_ref().map_or((false, None), |history| (history.enable, history.size)),
        };
        is_on.then(|| size.unwrap_or(HISTORY))
    }

    /// Whether this may be the password of this user, as far as it can be told without those that they had.
    ///
    /// # Errors
    /// [`ManageError::Password`]; [`ManageError::Invalid`] for one that is too long.
    pub(super) fn check(&self, user: &User, password: &str) -> Result<(), ManageError> {
        let chars = password.chars().count();
        rule(chars <= PASSWORD_CHARS, format!("a password has at most {PASSWORD_CHARS} characters"))?;
        self.check_strength(password).map_err(PasswordFault::Weak)?;
        let password = password.to_lowercase();
        if self.words().is_some_and(|words| {
            is_common(&password) || words.iter().any(|word| word.to_lowercase() == password)
        }) {
            return Err(PasswordFault::Common.into());
        }
        if self.is_personal(user, &password) {
            return Err(PasswordFault::Personal.into());
        }
        Ok(())
    }
}

/// Whether one of the user's names is in the password, which is in lower case. Names count as a whole.
fn is_personal(user: &User, password: &str) -> bool {
    let of_metadata = |name: &str| user.user_metadata.get(name).and_then(Value::as_str);
    let names = [
        user.name.as_deref(),
        user.username.as_deref(),
        user.nickname.as_deref(),
        user.email.as_deref().and_then(|email| email.split('@').next()),
        of_metadata("name"),
        of_metadata("first"),
        of_metadata("last"),
    ];
    has_name(names.into_iter(), password)
}

/// Whether one of the names, as a whole, is in the password.
fn has_name<'a>(names: impl Iterator<Item = Option<&'a str>>, password: &str) -> bool {
    names
        .flatten()
        .map(|name| name.trim().to_lowercase())
        .any(|name| name.chars().count() >= MIN_PERSONAL_CHARS && password.contains(&name))
}

/// A password that the user's connection takes.
pub(super) struct NewPassword {
    pub(super) hash: String,
    /// How many of those before it the connection remembers.
    pub(super) history: Option<i64>,
}

/// Checks a new password of a user with this hash. No transaction may be open.
pub(super) async fn new_password(
    idp: &Idp,
    tenant: &TenantId,
    user: &User,
    hash: Option<String>,
    new: &str,
) -> Result<NewPassword, ManageError> {
    let (policy, known) = {
        let mut tx = idp.storage.begin_read(tenant).await?;
        let policy = password_policy(&mut tx, &user.connection_id).await?;
        let known = match policy.history() {
            Some(size) => {
                let before = tx.passwords_before(&user.user_id, size).await?;
                hash.into_iter().chain(before).collect()
            }
            None => Vec::new(),
        };
        (policy, known)
    };
    policy.check(user, new)?;
    if password::is_one_of(idp, known, new).await? {
        return Err(PasswordFault::Used.into());
    }
    Ok(NewPassword { hash: password::hash(idp, new).await?, history: policy.history() })
}

/// What the connection asks of passwords.
pub(super) async fn password_policy(
    tx: &mut TenantTx,
    id: &ConnectionId,
) -> Result<PasswordPolicy, ManageError> {
    let connection = tx
        .managed_connection(id)
        .await?
        .ok_or_else(|| ServerError::Inconsistent(format!("there is no connection {id}")))?;
    PasswordPolicy::of(connection.profile.options.as_ref().unwrap_or(&Map::new()))
}

#[cfg(test)]
mod tests {
    use model::{Timestamp, UserId};
    use serde_json::json;

    use super::*;

    fn policy(options: Value) -> PasswordPolicy {
        PasswordPolicy::of(options.as_object().unwrap()).unwrap()
    }

    fn user() -> User {
        let now = Timestamp::from_ms(0);
        User {
            user_id: UserId::new("auth0|1"),
            connection_id: ConnectionId::new("con"),
            email: Some("john.doe@example.com".to_owned()),
            email_verified: true,
            username: Some("jd".to_owned()),
            name: Some("John Doe".to_owned()),
            given_name: None,
            family_name: None,
            nickname: Some("Johnny".to_owned()),
            picture: None,
            phone_number: None,
            phone_verified: None,
            user_metadata: json!({ "first": "Jonathan", "last": 7 }).as_object().unwrap().clone(),
            app_metadata: Map::new(),
            blocked: false,
            password_hash: None,
            last_password_reset: None,
            logins_count: 0,
            last_login: None,
            last_ip: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The text of the refusal.
    fn refused(options: Value, password: &str) -> Option<String> {
        policy(options).check(&user(), password).err().map(|error| error.to_string())
    }

    #[test]
    fn each_level_asks_for_its_length_and_kinds_of_characters() {
        const WEAK: &str = "PasswordStrengthError: Password is too weak";
        for (options, good, weak) in [
            (json!({}), &["abcdefgh"][..], &["", "abcdefg"][..]),
            (json!({ "passwordPolicy": null }), &["abcdefgh"], &["abcdefg"]),
            (json!({ "passwordPolicy": "none" }), &["a"], &[""]),
            (json!({ "passwordPolicy": "low" }), &["abcdef", "ÄÖÜäöü"], &["abcde"]),
            (
                json!({ "passwordPolicy": "fair" }),
                &["abcdEF12"],
                &["abcdE12", "abcdefg1", "abcd!!12", "ÄÖÜäöü12"],
            ),
            (
                json!({ "passwordPolicy": "good" }),
                &["abcdEF12", "abcdef1!", "ABC DEF 1"],
                &["abcdefg1", "abcD12!"],
            ),
            (
                json!({ "passwordPolicy": "excellent" }),
                &["abcdefgh1!", "aabbccDD11"],
                &["abcdefg1!", "abcdefghij1", "aaabcdefg1!", "abcdefg1!!!"],
            ),
            (
                json!({ "passwordPolicy": "excellent", "password_complexity_options": { "min_length": 4 } }),
                &["aB1!"],
                &["aB1"],
            ),
            (json!({ "password_complexity_options": { "min_length": 3 } }), &["abc"], &["ab"]),
            // The newer form counts, part by part.
            (
                json!({ "passwordPolicy": "excellent", "password_options": { "complexity": { "min_length": 5 } } }),
                &["aaaaa"],
                &["aaaa"],
            ),
            (
                json!({ "passwordPolicy": "low", "password_options": { "history": { "active": true } } }),
                &["abcdef"],
                &["abcde"],
            ),
        ] {
            for password in good {
                assert_eq!(refused(options.clone(), password), None, "{options} {password}");
            }
            for password in weak {
                assert_eq!(refused(options.clone(), password).as_deref(), Some(WEAK), "{options} {password}");
            }
            let long = format!("aB1!{}", "xyz-".repeat(64));
            let too_long = refused(options.clone(), &long).unwrap();
            assert!(too_long.contains("256"), "{too_long}");
        }
    }

    #[test]
    fn listed_words_and_the_users_names_are_refused_in_any_case() {
        let listed =
            json!({ "password_dictionary": { "enable": true, "dictionary": ["Sesame-open", "swordfish"] } });
        for (password, is_common) in
            [("sesame-OPEN", true), ("SWORDFISH", true), ("sesame-open1", false), ("correct horse", false)]
        {
            let text = refused(listed.clone(), password);
            assert_eq!(text.as_deref() == Some("PasswordDictionaryError: Password is too common"), is_common);
            assert_eq!(text.is_some(), is_common, "{password}");
        }
        let off = json!({ "password_dictionary": { "enable": false, "dictionary": ["swordfish"] } });
        assert_eq!(refused(off, "swordfish"), None);
        // There is a list of the server's own.
        let on = json!({ "password_dictionary": { "enable": true } });
        let common = Some("PasswordDictionaryError: Password is too common");
        assert_eq!(refused(on.clone(), "PassWord1").as_deref(), common);
        assert_eq!(refused(on, "not-so-common-1"), None);

        let impersonal = json!({ "password_no_personal_info": { "enable": true } });
        for (password, is_personal) in [
            ("xx-john doe-xx", true),
            ("12JOHNNY34", true),
            ("12john.doe34", true),
            ("1Jonathan1", true),
            // Names are not taken apart, and short ones not looked for.
            ("johndoe-1234", false),
            ("jd-jd-jd-jd", false),
            ("example.com", false),
        ] {
            let text = refused(impersonal.clone(), password);
            let personal = "PasswordNoUserInfoError: Password contains user information";
            assert_eq!(text.as_deref() == Some(personal), is_personal, "{password}");
            assert_eq!(text.is_some(), is_personal, "{password}");
        }
        assert_eq!(refused(json!({}), "12JOHNNY34"), None);
        let fields = json!({ "active": true, "blocked_fields": ["user_metadata.last", "first", "email"] });
        let newer = json!({ "password_options": { "profile_data": fields },
            "password_no_personal_info": { "enable": false } });
        for (password, is_personal) in [("1Jonathan1", true), ("12john.doe34", true), ("12JOHNNY34", false)] {
            assert_eq!(refused(newer.clone(), password).is_some(), is_personal, "{password}");
        }
    }

    #[test]
    fn a_history_has_a_size_and_may_be_off() {
        for (history, size) in [
            (json!(null), None),
            (json!({ "enable": false, "size": 3 }), None),
            (json!({ "enable": true }), Some(5)),
            (json!({ "enable": true, "size": 24 }), Some(24)),
        ] {
            let policy = policy(json!({ "password_history": history }));
            assert_eq!(policy.history(), size);
            assert!(policy.check_options().is_ok());
        }
        let both = |active| {
            json!({ "password_history": { "enable": true, "size": 3 },
                "password_options": { "history": { "active": active, "size": 7 } } })
        };
        assert_eq!((policy(both(true)).history(), policy(both(false)).history()), (Some(7), None));
        let long = json!({ "password_options": { "history": { "size": 25 } } });
        assert!(policy(long).check_options().is_err());
    }
}
