//! The Management API. What holds for every operation is tested here, over the OpenAPI document; the rest in a file for each resource.

mod action_commands;
mod action_executions;
mod action_modules;
mod action_rules;
mod actions;
mod builds;
mod client_grants;
mod clients;
mod connections;
mod every_operation;
mod fields;
mod first_start;
mod grants;
mod keys;
mod limits;
mod log_streams;
mod logs;
mod module_commands;
mod organizations;
mod passwords;
mod refresh_tokens;
mod resource_servers;
mod roles;
mod sessions;
mod tenants;
mod users;

/// A call with the id of something in another tenant, which must be answered as if there were no such thing.
pub struct Foreign {
    /// `PATCH`
    pub method: &'static str,
    /// As the OpenAPI document has it, below `/api/v2`.
    pub route: &'static str,
    /// The same with the id.
    pub path: String,
    /// What would be accepted if it were there.
    pub body: Option<serde_json::Value>,
    /// 404 in most cases; 204 where a deletion of what is not there succeeds.
    pub status: u16,
}

impl Foreign {
    /// One that is answered by 404.
    pub fn unknown(
        method: &'static str,
        route: &'static str,
        path: impl Into<String>,
        body: Option<serde_json::Value>,
    ) -> Self {
        Self { method, route, path: path.into(), body, status: 404 }
    }
}
