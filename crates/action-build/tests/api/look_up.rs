//! Section 3: what asks the host.

use serde_json::Value;

use super::{Operates, answers, call, call_of, refuses};

#[test]
fn s3_api_cache_get() {
    answers("cache.get('k')", r#"{"asked":"cache.get","input":{"key":"k"}}"#, "null");
    let nothing = Operates(|_, _| Value::Null);
    assert_eq!(call_of(nothing, "api.cache.get('k')").0, "undefined", "missing, or over");
    answers("cache.get(1)", "undefined", "null");
}

#[test]
fn s3_api_cache_set() {
    answers(
        "cache.set('k', 'v', { ttl: 9.9 })",
        r#"{"asked":"cache.set","input":{"key":"k","ttl":9,"value":"v"}}"#,
        "null",
    );
    answers(
        "cache.set('k', 'v', { expires_at: 7.9 })",
        r#"{"asked":"cache.set","input":{"expires_at":7,"key":"k","value":"v"}}"#,
        "null",
    );
    // It never throws for bad input.
    for bad in ["NaN", "Infinity", "2 ** 53", "'soon'"] {
        for option in ["ttl", "expires_at"] {
            let call = format!("cache.set('k', 'v', {{ {option}: {bad} }})");
            answers(&call, r#"{"type":"error","code":"InvalidExpiry"}"#, "null");
        }
    }
    let failed = r#"{"type":"error","code":"FailedToSetCacheRecord"}"#;
    answers("cache.set('k', { a: 1 })", failed, "null");
    answers("cache.set(1, 'v')", failed, "null");
}

#[test]
fn s3_api_cache_delete() {
    answers("cache.delete('k')", r#"{"asked":"cache.delete","input":{"key":"k"}}"#, "null");
    answers("cache.delete(1)", r#"{"type":"error","code":"CacheKeyDoesNotExist"}"#, "null");
}

#[test]
fn s3_api_groups_get_user_groups() {
    answers("groups.getUserGroups()", r#"{"asked":"groups.ofUser","input":{}}"#, "null");
    answers(
        "groups.getUserGroups({ take: 2, from: 'c' })",
        r#"{"asked":"groups.ofUser","input":{"from":"c","take":2}}"#,
        "null",
    );
    refuses(
        "groups.getUserGroups({ take: 0 })",
        "TypeError: api.groups.getUserGroups: `take` must be a positive integer",
    );
    refuses(
        "groups.getUserGroups({ take: 1.5 })",
        "TypeError: api.groups.getUserGroups: `take` must be a positive integer",
    );
    refuses(
        "groups.getUserGroups({ take: '1' })",
        "TypeError: api.groups.getUserGroups: `take` must be a positive integer",
    );
    refuses(
        "groups.getUserGroups({ from: 1 })",
        "TypeError: api.groups.getUserGroups: `from` must be a string",
    );
    let (given, ..) = call("[api.groups.getUserGroups({ take: 0 }).catch(() => 0)].length");
    assert_eq!(given, "1", "it rejects, and does not throw");
}

#[test]
fn s3_api_groups_has_group_membership() {
    answers(
        "groups.hasGroupMembership(['a', 'b'])",
        r#"{"asked":"groups.membership","input":["a","b"]}"#,
        "null",
    );
    refuses(
        "groups.hasGroupMembership([])",
        "Error: api.groups.hasGroupMembership: `groups` must not be empty",
    );
    refuses(
        "groups.hasGroupMembership('a')",
        "TypeError: api.groups.hasGroupMembership: `groups` must be an array",
    );
    refuses(
        "groups.hasGroupMembership([1])",
        "TypeError: api.groups.hasGroupMembership: `groups[0]` must be a string",
    );
    let (given, ..) = call("[api.groups.hasGroupMembership([]).catch(() => 0)].length");
    assert_eq!(given, "1", "it rejects, and does not throw");
}

#[test]
fn s3_api_roles_get_user_effective_roles() {
    answers(
        "roles.getUserEffectiveRoles({ take: 100 })",
        r#"{"asked":"roles.effective","input":{"take":100}}"#,
        "null",
    );
    refuses(
        "roles.getUserEffectiveRoles({ take: 101 })",
        "Error: api.roles.getUserEffectiveRoles: `take` must be at most 100",
    );
    refuses(
        "roles.getUserEffectiveRoles({ take: -1 })",
        "TypeError: api.roles.getUserEffectiveRoles: `take` must be a positive integer",
    );
    refuses(
        "roles.getUserEffectiveRoles({ from: 1 })",
        "TypeError: api.roles.getUserEffectiveRoles: `from` must be a string",
    );
    let (given, ..) = call("[api.roles.getUserEffectiveRoles({ take: 0 }).catch(() => 0)].length");
    assert_eq!(given, "1", "it rejects, and does not throw");
}

#[test]
fn s3_api_roles_get_user_effective_roles_by_ids() {
    answers(
        "roles.getUserEffectiveRolesByIds(['a'])",
        r#"{"asked":"roles.effectiveByIds","input":["a"]}"#,
        "null",
    );
    refuses(
        "roles.getUserEffectiveRolesByIds([])",
        "Error: api.roles.getUserEffectiveRolesByIds: `ids` must not be empty",
    );
    refuses(
        "roles.getUserEffectiveRolesByIds('a')",
        "TypeError: api.roles.getUserEffectiveRolesByIds: `ids` must be an array",
    );
    refuses(
        "roles.getUserEffectiveRolesByIds(Array(101).fill('a'))",
        "Error: api.roles.getUserEffectiveRolesByIds: `ids` must have at most 100",
    );
}

#[test]
fn s3_api_roles_get_user_effective_roles_by_names() {
    answers(
        "roles.getUserEffectiveRolesByNames(['a'])",
        r#"{"asked":"roles.effectiveByNames","input":["a"]}"#,
        "null",
    );
    refuses(
        "roles.getUserEffectiveRolesByNames([])",
        "Error: api.roles.getUserEffectiveRolesByNames: `names` must not be empty",
    );
    refuses(
        "roles.getUserEffectiveRolesByNames(Array(51).fill('a'))",
        "Error: api.roles.getUserEffectiveRolesByNames: `names` must have at most 50",
    );
}
