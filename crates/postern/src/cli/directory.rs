//! Organizations, groups and roles on the command line.

use clap::{Args, Subcommand};

/// Whose they are.
#[derive(Debug, Args)]
pub struct OfTenant {
    /// Whose.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
}

/// `organization ...`
#[derive(Debug, Subcommand)]
pub enum OrganizationCommand {
    /// Create an organization.
    Create {
        /// Lower-case letters, digits, hyphens and underscores.
        name: String,
        /// What people call it. Without it, the name.
        #[arg(long)]
        display_name: Option<String>,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Change an organization by a partial object. What it does not name stays; null puts the default back.
    #[command(after_help = "\
Example:
  postern organization update org_8Yq1 --tenant acme '{\"metadata\": {\"tier\": \"gold\"}}'")]
    Update {
        /// As `org_...`.
        id: String,
        #[command(flatten)]
        of: OfTenant,
        /// A JSON object; @FILE reads it from a file, - from standard input.
        #[arg(value_name = "JSON")]
        patch: String,
    },
    /// List the organizations.
    List {
        #[command(flatten)]
        of: OfTenant,
    },
    /// Print an organization and its members as one JSON object.
    Show {
        /// As `org_...`.
        id: String,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Remove an organization. Refresh tokens of logins in its name end with their next exchange.
    Delete {
        /// As `org_...`.
        id: String,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Its members, and their roles in it.
    #[command(subcommand)]
    Member(MemberCommand),
}

/// `organization member ...`
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// Make a user a member, with these roles in the organization.
    Add {
        /// As `org_...`.
        id: String,
        /// As `auth0|...`.
        #[arg(required = true)]
        users: Vec<String>,
        /// A role by its name. May be given again.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        #[command(flatten)]
        of: OfTenant,
    },
    /// End a user's membership, or with --role take that role in the organization from them.
    Remove {
        /// As `org_...`.
        id: String,
        /// As `auth0|...`.
        user: String,
        /// A role by its name. May be given again.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        #[command(flatten)]
        of: OfTenant,
    },
}

/// `group ...`
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Create a group: of the tenant, or of an organization or a connection of it.
    Create {
        /// What it is called.
        name: String,
        /// What it is called where it comes from.
        #[arg(long)]
        external_id: Option<String>,
        /// It counts in logins of this organization only.
        #[arg(long, value_name = "ID", conflicts_with = "connection")]
        organization: Option<String>,
        /// It counts in logins by this connection only.
        #[arg(long, value_name = "ID")]
        connection: Option<String>,
        #[command(flatten)]
        of: OfTenant,
    },
    /// List the groups.
    List {
        #[command(flatten)]
        of: OfTenant,
    },
    /// Print a group and its members as one JSON object.
    Show {
        /// As `grp_...`.
        id: String,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Remove a group.
    Delete {
        /// As `grp_...`.
        id: String,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Put users into a group, and give it roles.
    Add(GroupChange),
    /// Take users out of a group, and roles from it.
    Remove(GroupChange),
}

/// Arguments of `group add` and `group remove`.
#[derive(Debug, Args)]
pub struct GroupChange {
    /// As `grp_...`.
    pub id: String,
    /// A user, as `auth0|...`. May be given again.
    #[arg(long = "user", value_name = "USER_ID", required_unless_present = "roles")]
    pub users: Vec<String>,
    /// A role by its name. May be given again.
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    #[command(flatten)]
    pub of: OfTenant,
}

/// `role ...`
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Create a role.
    Create {
        /// What Actions see.
        name: String,
        /// For people.
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Remove a role, and take it from all who have it.
    Delete {
        /// As `rol_...`.
        id: String,
        #[command(flatten)]
        of: OfTenant,
    },
    /// List the permissions of a role: APIs and scopes of them.
    Permissions {
        /// As `rol_...`.
        id: String,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Give a role permissions.
    Permit(PermissionChange),
    /// Take permissions from a role.
    Forbid(PermissionChange),
    /// List the roles, or those of a user.
    List {
        /// As `auth0|...`.
        #[arg(long, value_name = "USER_ID")]
        user: Option<String>,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Give a user roles.
    Assign(RoleChange),
    /// Take roles from a user.
    Remove(RoleChange),
}

/// Arguments of `role assign` and `role remove`.
#[derive(Debug, Args)]
pub struct RoleChange {
    /// As `auth0|...`.
    pub user: String,
    /// Roles by their names.
    #[arg(required = true)]
    pub roles: Vec<String>,
    #[command(flatten)]
    pub of: OfTenant,
}

/// Arguments of `role permit` and `role forbid`.
#[derive(Debug, Args)]
pub struct PermissionChange {
    /// As `rol_...`.
    pub id: String,
    /// The identifier of the API.
    #[arg(long, value_name = "IDENTIFIER")]
    pub api: String,
    /// Scopes of the API.
    #[arg(required = true)]
    pub permissions: Vec<String>,
    #[command(flatten)]
    pub of: OfTenant,
}
