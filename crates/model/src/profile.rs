//! What is stored for the Management API's tools and has no effect on what this server does.

/// A struct whose fields may all be absent, and are then not written either.
macro_rules! optional_fields {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(default)]
        #[expect(missing_docs, reason = "the fields are those of the Management API")]
        pub struct $name {
            $(
                #[serde(skip_serializing_if = "Option::is_none")]
                $(#[$field_meta])*
                pub $field: Option<$type>,
            )*
        }
    };
}

/// An enum whose values are those of the Management API. The case is a token: as a literal, the derive of the schema does not see it.
macro_rules! values {
    ($(#[$meta:meta])* pub enum $name:ident($case:tt) { $($(#[$variant_meta:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = $case)]
        #[expect(missing_docs, reason = "the variants are the values of the Management API")]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }
    };
}
pub(crate) use {optional_fields, values};

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::Schema;

    use crate::{ClientGrantProfile, ClientProfile, ConnectionProfile, ResourceServerProfile, TenantProfile};

    #[test]
    fn each_field_without_effect_is_in_the_docs() {
        let docs = include_str!("../../../docs/management-api-fields.md");
        for schema in [
            ClientProfile::schema(),
            ResourceServerProfile::schema(),
            ClientGrantProfile::schema(),
            ConnectionProfile::schema(),
            TenantProfile::schema(),
        ] {
            let RefOr::T(Schema::Object(object)) = schema else { panic!("no object") };
            assert!(!object.properties.is_empty());
            for name in object.properties.keys() {
                assert!(docs.contains(&format!("`{name}`")), "{name}");
            }
        }
    }
}
