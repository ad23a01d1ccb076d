//! What the document says of the values that may be sent: of the rules of `idp::manage`, those that a schema can tell.

use idp::manage::limits::{
    ALLOWED_HOSTS, BACKCHANNEL_URLS, BINDINGS, CLIENT_DESCRIPTION_CHARS, CLIENT_METADATA_ENTRIES,
    CLIENT_SECRET_BYTES, CONNECTION_DISPLAY_NAME_CHARS, CREDENTIAL_NAME_BYTES, DEPENDENCIES,
    DEPENDENCY_BYTES, EMAIL_BYTES, IDENTIFIER_BYTES, IDLE_SESSION_LIFETIME_HOURS, LEEWAY_SECS,
    LOG_STREAM_HEADERS, LOG_STREAM_NAME_CHARS, LOG_STREAM_URL_BYTES, METADATA_CHARS, MODULE_CODE_CHARS,
    MODULES_OF_ACTION, NAME_BYTES, ORGANIZATION_METADATA_ENTRIES, ORGANIZATION_NAME_BYTES, PAR_EXPIRY_SECS,
    PASSWORD_CHARS, PEM_BYTES, PICTURE_CHARS, REFRESH_TOKEN_LIFETIME_SECS, ROLE_DESCRIPTION_CHARS,
    SCOPE_DESCRIPTION_CHARS, SCOPES, SECRET_CHARS, SECRET_NAME_CHARS, SECRETS, SESSION_LIFETIME_HOURS,
    SHORT_NAME_BYTES, SIGNING_SECRET_BYTES, TOKEN_LIFETIME_SECS, USER_CODE_MASK_CHARS, USER_ID_BYTES,
    USER_NAME_CHARS, USER_NAME_PART_CHARS, USERNAME_BYTES,
};
use idp::manage::{MAX_NAMED, MAX_REFRESH_TOKEN_IDS, OPTIONS};
use model::MAX_METADATA_ENTRIES;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{
    AdditionalProperties, Array, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{OpenApi, RefOr};

use super::connections::{MOST_CLIENTS, MOST_STATUSES};
use super::page::MOST;

/// What may stand at a place.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// A text of so many characters, at least and at most.
    Chars(usize, usize),
    /// The same, and it matches.
    Text(usize, usize, &'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A moment in ISO 8601.
    Moment,
    /// A whole number between these.
    Between((i64, i64)),
    /// A number of at least this.
    AtLeast(i64),
    /// Hours or minutes between a minute and this.
    Lifetime(f64, i64),
    /// So many items, at least and at most.
    Items(usize, usize),
    /// An object with these members and no others.
    Names(&'static [&'static str]),
    /// So many entries, whose names match.
    Metadata(usize, &'static str),
    /// No `null`.
    NotNull,
    /// It is not sent.
    Absent,
}

/// What people call something: no control characters, and not only spaces.
const NAME: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// The same without what looks like markup.
const PLAIN_NAME: &str = r"^[^<>]*[^<>\s][^<>]*$";
const NOT_BLANK: &str = r"\S";
const NO_SPACES: &str = r"^[^\s\x00-\x1f\x7f-\x9f]+$";
const NO_CONTROLS: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
const WEB_ADDRESS: &str = r"^[hH][tT][tT][pP][sS]?:[/\\]*[^/\\?#\s]";
const ANYTHING: &str = "";
/// Names of entries of the metadata of sessions and refresh tokens.
const METADATA_KEY: &str = "^[A-Za-z0-9_-]+$";

/// Schemas, members of each of them, and what may stand there.
const LIMITS: &[(&[&str], &[&str], Limit)] = &[
    // Actions
    (&["NewAction", "ActionUpdate"], &["name"], Limit::Text(1, SHORT_NAME_BYTES, NAME)),
    (&["NewAction", "ActionUpdate"], &["supported_triggers"], Limit::Items(1, 1)),
    (&["NewAction", "ActionUpdate"], &["modules"], Limit::Items(0, MODULES_OF_ACTION)),
    (&["NewAction", "ActionUpdate"], &["allowed_hosts"], Limit::Items(0, ALLOWED_HOSTS)),
    (
        &["NewAction", "ActionUpdate"],
        &["runtime"],
        Limit::Text(0, 32, "^(|node[0-9]{1,2}(-actions)?|wasm-component-v1)$"),
    ),
    (
        &["NewAction", "ActionUpdate", "NewModule", "ModuleUpdate"],
        &["dependencies"],
        Limit::Items(0, DEPENDENCIES),
    ),
    (&["NewAction", "ActionUpdate", "NewModule", "ModuleUpdate"], &["secrets"], Limit::Items(0, SECRETS)),
    (&["DependencyBody"], &["name", "version"], Limit::Text(1, DEPENDENCY_BYTES, NO_CONTROLS)),
    (&["SecretBody"], &["name"], Limit::Chars(1, SECRET_NAME_CHARS)),
    (&["SecretBody"], &["value"], Limit::Chars(0, SECRET_CHARS)),
    (&["TriggerBody"], &["id"], Limit::OneOf(&["post-login"])),
    (&["TriggerBody"], &["version"], Limit::OneOf(&["v2", "v3"])),
    (&["NewModule"], &["name"], Limit::Text(1, SHORT_NAME_BYTES, "^[A-Za-z0-9_-]+$")),
    (&["NewModule", "ModuleUpdate"], &["code"], Limit::Chars(0, MODULE_CODE_CHARS)),
    (&["BindingsBody"], &["bindings"], Limit::Items(0, BINDINGS)),
    (&["BindingBody"], &["secrets"], Limit::Items(0, 0)),
    // Clients
    (&["NewClient", "ClientChange"], &["name"], Limit::Text(1, NAME_BYTES, PLAIN_NAME)),
    (&["NewClient", "ClientChange"], &["description"], Limit::Chars(0, CLIENT_DESCRIPTION_CHARS)),
    (
        &["NewClient", "ClientChange"],
        &["client_metadata"],
        Limit::Metadata(CLIENT_METADATA_ENTRIES, ANYTHING),
    ),
    (
        &["NewClient", "ClientChange"],
        &["client_secret"],
        Limit::Text(CLIENT_SECRET_BYTES.0, CLIENT_SECRET_BYTES.1, "^[!-~]+$"),
    ),
    (&["NewClient", "ClientChange"], &["par_request_expiry"], Limit::Between(PAR_EXPIRY_SECS)),
    (
        &["NewClient", "ClientChange"],
        &["app_type"],
        Limit::OneOf(&["native", "spa", "regular_web", "non_interactive", "resource_server"]),
    ),
    (
        &["NewClient", "ClientChange"],
        &["token_endpoint_auth_method"],
        Limit::OneOf(&["none", "client_secret_post", "client_secret_basic"]),
    ),
    (&["ClientChange"], &["name"], Limit::NotNull),
    (&["ClientChange"], &["resource_server_identifier"], Limit::Absent),
    (&["JwtConfiguration"], &["lifetime_in_seconds"], Limit::Between(TOKEN_LIFETIME_SECS)),
    (&["RefreshTokenSettings"], &["leeway"], Limit::Between(LEEWAY_SECS)),
    (&["RefreshTokenSettings"], &["token_lifetime"], Limit::Between(REFRESH_TOKEN_LIFETIME_SECS)),
    (&["RefreshTokenSettings"], &["idle_token_lifetime"], Limit::AtLeast(1)),
    (&["TokenQuotaLimits"], &["per_day", "per_hour"], Limit::AtLeast(1)),
    (&["OidcLogout"], &["backchannel_logout_urls"], Limit::Items(0, BACKCHANNEL_URLS)),
    (&["GivenCredential", "GivenKey"], &["name"], Limit::Text(0, CREDENTIAL_NAME_BYTES, NO_CONTROLS)),
    (&["GivenCredential", "GivenKey"], &["pem"], Limit::Chars(0, PEM_BYTES)),
    (&["GivenCredential", "GivenKey", "CredentialChange"], &["expires_at"], Limit::Moment),
    // Client grants
    (&["ClientGrantChange"], &["audience", "client_id", "default_for"], Limit::Absent),
    // Connections
    (&["NewConnection"], &["name"], Limit::Text(1, SHORT_NAME_BYTES, "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")),
    (&["NewConnection"], &["strategy"], Limit::OneOf(&["auth0"])),
    (&["ConnectionChange"], &["name", "strategy"], Limit::Absent),
    (
        &["NewConnection", "ConnectionChange"],
        &["display_name"],
        Limit::Chars(0, CONNECTION_DISPLAY_NAME_CHARS),
    ),
    (
        &["NewConnection", "ConnectionChange"],
        &["metadata"],
        Limit::Metadata(CLIENT_METADATA_ENTRIES, ANYTHING),
    ),
    (&["NewConnection", "ConnectionChange"], &["options"], Limit::Names(&OPTIONS)),
    // Log streams
    (&["NewLogStream"], &["type"], Limit::OneOf(&["http"])),
    (&["NewLogStream", "LogStreamPatch"], &["name"], Limit::Text(1, LOG_STREAM_NAME_CHARS, NOT_BLANK)),
    (&["NewLogStream"], &["startFrom"], Limit::Moment),
    (&["LogStreamPatch"], &["status"], Limit::OneOf(&["active", "paused"])),
    (&["HttpSink"], &["httpEndpoint"], Limit::Text(1, LOG_STREAM_URL_BYTES, WEB_ADDRESS)),
    (&["HttpSink"], &["httpCustomHeaders"], Limit::Items(0, LOG_STREAM_HEADERS)),
    (&["Pii"], &["log_fields"], Limit::Items(1, usize::MAX)),
    // Organizations
    (
        &["NewOrganization", "OrganizationChanges"],
        &["name"],
        Limit::Text(1, ORGANIZATION_NAME_BYTES, "^(?!org_)[a-z0-9][a-z0-9_-]*$"),
    ),
    (&["NewOrganization", "OrganizationChanges"], &["display_name"], Limit::Text(1, NAME_BYTES, NAME)),
    (
        &["NewOrganization", "OrganizationChanges"],
        &["metadata"],
        Limit::Metadata(ORGANIZATION_METADATA_ENTRIES, ANYTHING),
    ),
    (&["OrganizationBranding"], &["logo_url"], Limit::Text(1, usize::MAX, "^[hH][tT][tT][pP][sS]:")),
    (&["OrganizationColors"], &["primary", "page_background"], Limit::Text(7, 7, "^#[0-9A-Fa-f]*$")),
    (&["MembersBody"], &["members"], Limit::Items(1, MAX_NAMED)),
    // Roles
    (&["NewRole", "RoleChanges"], &["name"], Limit::Text(1, NAME_BYTES, NAME)),
    (&["NewRole", "RoleChanges"], &["description"], Limit::Chars(0, ROLE_DESCRIPTION_CHARS)),
    (&["RolesBody"], &["roles"], Limit::Items(1, MAX_NAMED)),
    (&["PermissionsBody"], &["permissions"], Limit::Items(1, MAX_NAMED)),
    (&["UsersBody"], &["users"], Limit::Items(1, MAX_NAMED)),
    // APIs
    (&["NewResourceServer"], &["identifier"], Limit::Text(1, IDENTIFIER_BYTES, NO_SPACES)),
    (&["ResourceServerChange"], &["identifier"], Limit::Absent),
    // Without a name of its own, an API is called by its identifier, which may be sent back.
    (&["NewResourceServer", "ResourceServerChange"], &["name"], Limit::Text(0, IDENTIFIER_BYTES, "^[^<>]*$")),
    (&["NewResourceServer", "ResourceServerChange"], &["name"], Limit::NotNull),
    (&["NewResourceServer", "ResourceServerChange"], &["scopes"], Limit::Items(0, SCOPES)),
    (
        &["NewResourceServer", "ResourceServerChange"],
        &["token_lifetime"],
        Limit::Between(TOKEN_LIFETIME_SECS),
    ),
    (
        &["NewResourceServer", "ResourceServerChange"],
        &["token_lifetime_for_web"],
        Limit::Between((0, TOKEN_LIFETIME_SECS.1)),
    ),
    (
        &["NewResourceServer", "ResourceServerChange"],
        &["signing_secret"],
        Limit::Chars(SIGNING_SECRET_BYTES, usize::MAX),
    ),
    (&["Scope"], &["value"], Limit::Text(1, usize::MAX, r"^[!#-\[\]-~]+$")),
    (&["Scope"], &["description"], Limit::Chars(0, SCOPE_DESCRIPTION_CHARS)),
    // Sessions and refresh tokens
    (&["SessionChanges"], &["session_metadata"], Limit::Metadata(MAX_METADATA_ENTRIES, METADATA_KEY)),
    (
        &["RefreshTokenChanges"],
        &["refresh_token_metadata"],
        Limit::Metadata(MAX_METADATA_ENTRIES, METADATA_KEY),
    ),
    (&["RevokeBody"], &["ids"], Limit::Items(1, MAX_REFRESH_TOKEN_IDS)),
    // The tenant
    (&["TenantChange"], &["friendly_name"], Limit::Text(1, usize::MAX, NOT_BLANK)),
    (&["TenantChange"], &["friendly_name"], Limit::NotNull),
    (
        &["TenantChange"],
        &["session_lifetime", "ephemeral_session_lifetime"],
        Limit::Lifetime(60.0, SESSION_LIFETIME_HOURS),
    ),
    (
        &["TenantChange"],
        &["idle_session_lifetime", "idle_ephemeral_session_lifetime"],
        Limit::Lifetime(60.0, IDLE_SESSION_LIFETIME_HOURS),
    ),
    (
        &["TenantChange"],
        &["session_lifetime_in_minutes", "ephemeral_session_lifetime_in_minutes"],
        Limit::Lifetime(1.0, SESSION_LIFETIME_HOURS * 60),
    ),
    (
        &["TenantChange"],
        &["idle_session_lifetime_in_minutes", "idle_ephemeral_session_lifetime_in_minutes"],
        Limit::Lifetime(1.0, IDLE_SESSION_LIFETIME_HOURS * 60),
    ),
    (&["TenantChange"], &["enabled_locales"], Limit::Items(1, usize::MAX)),
    (&["DeviceFlow"], &["mask"], Limit::Text(0, USER_CODE_MASK_CHARS, "^[* -]*$")),
    // Users
    (&["NewUser"], &["user_id"], Limit::Text(1, USER_ID_BYTES, r"^[^\s\x00-\x1f\x7f-\x9f|]+$")),
    (
        &["NewUser", "UserChanges"],
        &["email"],
        Limit::Text(3, EMAIL_BYTES, r"^[^\s@\x00-\x1f\x7f-\x9f]+@[^\s@\x00-\x1f\x7f-\x9f]+$"),
    ),
    (
        &["NewUser", "UserChanges"],
        &["username"],
        Limit::Text(1, USERNAME_BYTES, r"^[^\s@\x00-\x1f\x7f-\x9f]+$"),
    ),
    (&["NewUser", "UserChanges"], &["password"], Limit::Chars(1, PASSWORD_CHARS)),
    (&["NewUser", "UserChanges"], &["phone_number"], Limit::Text(2, 16, "^\\+[0-9]+$")),
    (&["NewUser", "UserChanges"], &["name", "nickname"], Limit::Chars(1, USER_NAME_CHARS)),
    (&["NewUser", "UserChanges"], &["given_name", "family_name"], Limit::Chars(1, USER_NAME_PART_CHARS)),
    (&["NewUser", "UserChanges"], &["picture"], Limit::Text(1, PICTURE_CHARS, WEB_ADDRESS)),
];

/// Adds them to the document.
pub(super) fn add(document: &mut OpenApi) {
    let schemas = &mut document.components.get_or_insert_default().schemas;
    for (names, members, limit) in LIMITS {
        for name in *names {
            let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(*name) else { continue };
            for member in *members {
                limit.put(object, member);
            }
        }
    }
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.patch].into_iter().flatten() {
            of_operation(operation);
        }
    }
}

/// What pages of lists may be asked for, and the one body that is a list.
fn of_operation(operation: &mut Operation) {
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let most = if id == "list_clients_of_connection" { MOST_CLIENTS } else { MOST };
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let limit = match parameter.name.as_str() {
            "page" => Limit::Between((0, i32::MAX.into())),
            "per_page" => Limit::Between((0, MOST)),
            "take" => Limit::Between((1, most)),
            "type" if id == "list_roles" => Limit::OneOf(&["tenant"]),
            "search_engine" if id == "list_users" => Limit::OneOf(&["v3"]),
            "sort" if id == "logs_of_user" => Limit::OneOf(&["date:1", "date:-1"]),
            _ => continue,
        };
        if parameter.parameter_in == ParameterIn::Query
            && let Some(schema) = &mut parameter.schema
        {
            limit.narrow(schema);
        }
    }
    if id == "set_clients_of_connection"
        && let Some(RefOr::T(body)) = &mut operation.request_body
    {
        let schemas = body.content.values_mut().filter_map(|content| match content {
            RefOr::T(content) => content.schema.as_mut(),
            RefOr::Ref(_) => None,
        });
        schemas.for_each(|schema| Limit::Items(1, MOST_STATUSES).narrow(schema));
    }
}

impl Limit {
    fn put(self, object: &mut Object, member: &str) {
        match (self, object.properties.get_mut(member)) {
            (Self::Absent, _) => drop(object.properties.remove(member)),
            (_, Some(schema)) => self.narrow(schema),
            (_, None) => {}
        }
    }

    fn narrow(self, schema: &mut RefOr<Schema>) {
        if let Self::OneOf(values) = self {
            *schema = RefOr::T(one_of(values, schema).into());
            return;
        }
        match schema {
            RefOr::T(Schema::Object(object)) => self.narrow_object(object),
            RefOr::T(Schema::Array(array)) => self.narrow_array(array),
            _ => {}
        }
    }

    fn narrow_array(self, array: &mut Array) {
        if let Self::Items(least, most) = self {
            array.min_items = Some(least).filter(|least| *least > 0);
            array.max_items = Some(most).filter(|most| *most < usize::MAX);
        }
    }

    fn narrow_object(self, object: &mut Object) {
        match self {
            Self::Chars(least, most) => {
                object.min_length = Some(least).filter(|least| *least > 0);
                object.max_length = Some(most).filter(|most| *most < usize::MAX);
            }
            Self::Text(least, most, pattern) => {
                Self::Chars(least, most).narrow_object(object);
                object.pattern = Some(pattern.to_owned());
            }
            Self::Moment => object.format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)),
            Self::Between((least, most)) => {
                object.minimum = Some(number(least));
                object.maximum = Some(number(most));
            }
            Self::AtLeast(least) => object.minimum = Some(number(least)),
            Self::Lifetime(parts_of_minute, most) => {
                object.minimum = Some(utoipa::Number::Float(1.0 / parts_of_minute));
                object.maximum = Some(number(most));
            }
            Self::Metadata(entries, pattern) => {
                object.max_properties = Some(entries);
                let mut text = ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .max_length(Some(METADATA_CHARS))
                    .build();
                object.additional_properties =
                    Some(Box::new(AdditionalProperties::RefOr(RefOr::T(text.clone().into()))));
                text.pattern = Some(pattern.to_owned()).filter(|pattern| !pattern.is_empty());
                object.property_names = Some(Box::new(text.into()));
            }
            Self::Names(names) => {
                let names = ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .enum_values(Some(names.iter().copied()));
                object.property_names = Some(Box::new(names.build().into()));
            }
            Self::NotNull => {
                if let SchemaType::Array(types) = &object.schema_type
                    && let Some(kind) = types.iter().find(|kind| **kind != Type::Null)
                {
                    object.schema_type = SchemaType::Type(kind.clone());
                }
            }
            Self::OneOf(_) | Self::Items(..) | Self::Absent => {}
        }
    }
}

fn number(number: i64) -> utoipa::Number {
    // The numbers are those of the table above.
    utoipa::Number::Int(isize::try_from(number).unwrap_or(isize::MAX))
}

/// These texts in place of what was there, with `null` where that could be.
fn one_of(values: &[&str], before: &RefOr<Schema>) -> Object {
    let nullable = super::schema::is_nullable(before);
    let types = [Type::String].into_iter().chain(nullable.then_some(Type::Null)).collect();
    let texts = values.iter().map(|value| serde_json::json!(value));
    let description = match before {
        RefOr::T(Schema::Object(object)) => object.description.clone(),
        _ => None,
    };
    ObjectBuilder::new()
        .schema_type(if nullable { SchemaType::Array(types) } else { SchemaType::Type(Type::String) })
        .enum_values(Some(texts.chain(nullable.then_some(serde_json::Value::Null))))
        .description(description)
        .build()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_limit_is_of_something() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        for (names, members, limit) in LIMITS {
            for (name, member) in
                names.iter().flat_map(|name| members.iter().map(move |member| (name, member)))
            {
                let schema = &document["components"]["schemas"][name];
                assert!(schema.is_object(), "{name}");
                let place = &schema["properties"][member];
                let keyword = match limit {
                    Limit::Absent => {
                        assert!(place.is_null(), "{name}.{member}");
                        continue;
                    }
                    Limit::Chars(0, _) => "maxLength",
                    Limit::Chars(..) => "minLength",
                    Limit::Text(..) => "pattern",
                    Limit::OneOf(_) => "enum",
                    Limit::Moment => "format",
                    Limit::Between(_) | Limit::AtLeast(_) | Limit::Lifetime(..) => "minimum",
                    Limit::Items(0, _) => "maxItems",
                    Limit::Items(..) => "minItems",
                    Limit::Names(_) => "propertyNames",
                    Limit::Metadata(..) => "maxProperties",
                    Limit::NotNull => "type",
                };
                assert_ne!(place[keyword], Value::Null, "{name}.{member}: {place}");
            }
        }
    }
}
