//! What holds in the database at any moment, whatever was under way.

use crate::database::Database;

/// Each counts rows that must not be.
const NONE_OF_THESE: [(&str, &str); 8] = [
    (
        "refresh tokens without a secret",
        "SELECT COUNT(*) FROM refresh_tokens t WHERE NOT EXISTS (SELECT 1 FROM refresh_token_secrets s
             WHERE s.tenant_id = t.tenant_id AND s.refresh_token_id = t.id)",
    ),
    (
        "refresh tokens with two secrets that are not spent",
        "SELECT COUNT(*) FROM (SELECT refresh_token_id FROM refresh_token_secrets WHERE spent_at IS NULL
             GROUP BY tenant_id, refresh_token_id HAVING COUNT(*) > 1) several",
    ),
    (
        "refresh tokens whose last secret was spent and has no successor",
        "SELECT COUNT(*) FROM (SELECT refresh_token_id FROM refresh_token_secrets
             GROUP BY tenant_id, refresh_token_id HAVING COUNT(*) = COUNT(spent_at)) spent",
    ),
    (
        "codes whose refresh token is not there",
        "SELECT COUNT(*) FROM codes c WHERE c.issued_refresh_token IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM refresh_tokens t WHERE t.tenant_id = c.tenant_id AND t.id = c.issued_refresh_token)",
    ),
    (
        "codes that gave a refresh token and are not spent",
        "SELECT COUNT(*) FROM codes WHERE issued_refresh_token IS NOT NULL AND used_at IS NULL",
    ),
    (
        "codes without their session",
        "SELECT COUNT(*) FROM codes c WHERE NOT EXISTS
             (SELECT 1 FROM sessions s WHERE s.tenant_id = c.tenant_id AND s.id = c.session_id)",
    ),
    (
        "sessions without the refresh token that they came from",
        "SELECT COUNT(*) FROM sessions s WHERE s.parent_refresh_token IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM refresh_tokens t WHERE t.tenant_id = s.tenant_id AND t.id = s.parent_refresh_token)",
    ),
    (
        "refresh tokens with more sessions than session transfer tokens were spent",
        "SELECT COUNT(*) FROM (SELECT tenant_id, parent_refresh_token AS id, COUNT(*) AS sessions FROM sessions
                 WHERE parent_refresh_token IS NOT NULL GROUP BY tenant_id, parent_refresh_token) made
             LEFT JOIN (SELECT tenant_id, refresh_token_id AS id, COUNT(*) AS tokens FROM session_transfer_tokens
                 WHERE used_at IS NOT NULL GROUP BY tenant_id, refresh_token_id) spent
             ON spent.tenant_id = made.tenant_id AND spent.id = made.id
             WHERE made.sessions > COALESCE(spent.tokens, 0)",
    ),
];

/// What does not hold; empty when all is well. On SQLite its own checks of the file, too.
pub async fn violations(database: &Database) -> Vec<String> {
    let mut violations = database.damage().await;
    for (what, sql) in NONE_OF_THESE {
        let count = database.count(sql).await;
        if count > 0 {
            violations.push(format!("{count} {what}"));
        }
    }
    violations
}
