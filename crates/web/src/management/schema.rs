//! Schemas of objects that may be sent whole or in part, put together from the types that hold what becomes of them.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, SchemaType, Type};

/// An object with the properties of all parts, none of them required but for those that are named. Names that only the
/// server writes are left out.
pub(super) fn object(
    description: &str,
    parts: impl IntoIterator<Item = RefOr<Schema>>,
    required: &[&str],
) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new()
        .description(Some(description))
        .schema_type(SchemaType::Type(Type::Object))
        .build();
    for part in parts {
        let RefOr::T(Schema::Object(part)) = part else { continue };
        for (name, property) in part.properties {
            let property = match object.properties.remove(&name) {
                None => property,
                // Some members of it have an effect and others have none.
                Some(known) => {
                    RefOr::T(Schema::AllOf(AllOfBuilder::new().item(known).item(property).build()))
                }
            };
            object.properties.insert(name, property);
        }
    }
    object.required = required.iter().map(|name| (*name).to_owned()).collect();
    object.additional_properties =
        Some(Box::new(utoipa::openapi::schema::AdditionalProperties::FreeForm(false)));
    RefOr::T(Schema::Object(object))
}

/// A type that stands for such an object in the document.
macro_rules! body {
    ($(#[$doc:meta])* $name:ident, $description:literal, [$($part:ty),+], $required:expr) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::management::schema::object(
                    $description,
                    [$(<$part as utoipa::PartialSchema>::schema()),+],
                    &$required,
                )
            }
        }

        impl utoipa::ToSchema for $name {
            fn schemas(
                schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>,
            ) {
                $(<$part as utoipa::ToSchema>::schemas(schemas);)+
            }
        }
    };
}
pub(super) use body;
