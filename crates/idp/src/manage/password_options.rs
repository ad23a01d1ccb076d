//! `password_options` of a database: the newer form of what it asks of new passwords. Each of its four parts counts in the
//! place of the older option for the same.

use model::User;
use serde::Deserialize;
use serde_json::Value;
use zxcvbn::feedback::{Feedback, Warning};
use zxcvbn::zxcvbn;

use super::validate::rule;
use super::{ManageError, WeakPassword};

/// The least characters when nobody says: NIST SP 800-63B §5.1.1.2.
pub(super) const MIN_CHARS: usize = 8;
const MAX_MIN_LENGTH: usize = 72;
const MAX_FIELDS: usize = 12;
/// Whether many people have this password as it is, in any case of letters, by the lists of `zxcvbn`.
pub(super) fn is_common(password: &str) -> bool {
    let estimate = zxcvbn(password, &[]);
    let warning = estimate.feedback().and_then(Feedback::warning);
    matches!(
        warning,
        Some(Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword)
    )
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PasswordOptions {
    pub(super) complexity: Option<Complexity>,
    pub(super) dictionary: Option<Dictionary>,
    pub(super) history: Option<History>,
    pub(super) profile_data: Option<ProfileData>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Complexity {
    min_length: Option<usize>,
    character_types: Vec<CharacterType>,
    character_type_rule: CharacterTypeRule,
    identical_characters: Pattern,
    sequential_characters: Pattern,
    /// Passwords are never cut here: one that is too long is refused, whatever this says.
    max_length_exceeded: Option<TooLong>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CharacterType {
    Uppercase,
    Lowercase,
    Number,
    Special,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CharacterTypeRule {
    #[default]
    All,
    ThreeOfFour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Pattern {
    #[default]
    Allow,
    Block,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TooLong {
    Truncate,
    Error,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Dictionary {
    pub(super) active: bool,
    pub(super) custom: Option<Vec<String>>,
    /// There is one list here, whichever is named.
    default: Option<DefaultDictionary>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum DefaultDictionary {
    #[serde(rename = "en_10k")]
    En10k,
    #[serde(rename = "en_100k")]
    En100k,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct History {
    pub(super) active: bool,
    pub(super) size: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProfileData {
    pub(super) active: bool,
    /// Absent: those of `password_no_personal_info`.
    pub(super) blocked_fields: Option<Vec<String>>,
}

impl CharacterType {
    fn is_in(self, password: &str) -> bool {
        password.chars().any(|c| match self {
            Self::Uppercase => c.is_ascii_uppercase(),
            Self::Lowercase => c.is_ascii_lowercase(),
            Self::Number => c.is_ascii_digit(),
            Self::Special => c.is_ascii_punctuation() || c == ' ',
        })
    }
}

impl PasswordOptions {
    /// The rules for the options; those for words and history are those of the older form.
    pub(super) fn check(&self) -> Result<(), ManageError> {
        if let Some(complexity) = &self.complexity {
            rule(
                complexity.min_length.is_none_or(|length| (1..=MAX_MIN_LENGTH).contains(&length)),
                format!("options.password_options.complexity.min_length is 1 to {MAX_MIN_LENGTH}"),
            )?;
            rule(
                complexity.character_type_rule == CharacterTypeRule::All
                    || complexity.character_types.len() == 4,
                "options.password_options.complexity: three_of_four is for all four character_types",
            )?;
        }
        let fields = self.profile_data.as_ref().and_then(|data| data.blocked_fields.as_ref());
        rule(
            fields.is_none_or(|fields| fields.len() <= MAX_FIELDS),
            format!("options.password_options.profile_data.blocked_fields has at most {MAX_FIELDS} entries"),
        )
    }
}

impl Complexity {
    /// Whether a password is as it wants them.
    pub(super) fn check(&self, password: &str) -> Result<(), WeakPassword> {
        let least = self.min_length.unwrap_or(MIN_CHARS);
        if password.chars().count() < least.max(1) {
            return Err(WeakPassword::Short(least));
        }
        let wanted = self.character_types.len();
        let there = self.character_types.iter().filter(|kind| kind.is_in(password)).count();
        match self.character_type_rule {
            CharacterTypeRule::All if there < wanted => return Err(WeakPassword::Types),
            CharacterTypeRule::ThreeOfFour if there < 3 => return Err(WeakPassword::Kinds),
            CharacterTypeRule::All | CharacterTypeRule::ThreeOfFour => {}
        }
        if self.identical_characters == Pattern::Block && has_steps_of(password, &[0]) {
            return Err(WeakPassword::Repeats);
        }
        if self.sequential_characters == Pattern::Block && has_steps_of(&password.to_lowercase(), &[1, -1]) {
            return Err(WeakPassword::Sequence);
        }
        Ok(())
    }
}

/// Whether three characters follow each other by one of these steps; letters and digits, but for the step 0.
fn has_steps_of(password: &str, steps: &[i64]) -> bool {
    let codes: Vec<i64> = password.chars().map(|c| i64::from(u32::from(c))).collect();
    let counts = |code: i64, step: i64| {
        step == 0 || u32::try_from(code).ok().and_then(char::from_u32).is_some_and(char::is_alphanumeric)
    };
    codes.windows(3).any(|three| {
        steps.iter().any(|step| {
            three[1] - three[0] == *step
                && three[2] - three[1] == *step
                && three.iter().all(|code| counts(*code, *step))
        })
    })
}

/// What stands in this field of the user, as `blocked_fields` name them. A name of nothing else is looked for in
/// `user_metadata`.
pub(super) fn field<'a>(user: &'a User, name: &str) -> Option<&'a str> {
    let of =
        |metadata: &'a serde_json::Map<String, Value>, name: &str| metadata.get(name).and_then(Value::as_str);
    match name {
        "name" => user.name.as_deref(),
        "username" => user.username.as_deref(),
        "nickname" => user.nickname.as_deref(),
        "given_name" | "first_name" => user.given_name.as_deref(),
        "family_name" | "last_name" => user.family_name.as_deref(),
        "phone_number" => user.phone_number.as_deref(),
        "email" => user.email.as_deref().and_then(|email| email.split('@').next()),
        _ => match name.split_once('.') {
            Some(("user_metadata", name)) => of(&user.user_metadata, name),
            Some(("app_metadata", name)) => of(&user.app_metadata, name),
            _ => of(&user.user_metadata, name),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complexity(value: Value) -> Complexity {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn kinds_of_characters_repeats_and_sequences_are_looked_for() {
        let all = json!({ "min_length": 4, "character_types": ["uppercase", "number"] });
        let three = json!({ "min_length": 1, "character_type_rule": "three_of_four",
            "character_types": ["uppercase", "lowercase", "number", "special"] });
        let patterns =
            json!({ "min_length": 1, "identical_characters": "block", "sequential_characters": "block" });
        for (options, password, expected) in [
            (&json!({}), "abcdefg", Err(WeakPassword::Short(8))),
            (&json!({}), "abcdefgh", Ok(())),
            (&all, "A1x", Err(WeakPassword::Short(4))),
            (&all, "a1xx", Err(WeakPassword::Types)),
            (&all, "A1xx", Ok(())),
            (&three, "aA", Err(WeakPassword::Kinds)),
            (&three, "aA1", Ok(())),
            (&three, "aA ", Ok(())),
            (&patterns, "xaaay", Err(WeakPassword::Repeats)),
            (&patterns, "xaBcy", Err(WeakPassword::Sequence)),
            (&patterns, "x321y", Err(WeakPassword::Sequence)),
            (&patterns, "x!\"#y", Ok(())),
            (&patterns, "aabbac", Ok(())),
        ] {
            assert_eq!(complexity(options.clone()).check(password), expected, "{options} {password}");
        }
    }

    #[test]
    fn what_many_people_have_is_known() {
        for password in ["password", "123456", "qwerty"] {
            assert!(is_common(password), "{password}");
        }
        assert!(!is_common("correct horse battery staple"));
        assert!(!is_common("password-of-mine"));
    }
}
