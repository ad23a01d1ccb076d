//! Schemas of objects that may be sent or answered whole or in part, put together from the types that hold what becomes of them, and
//! those of lists.

use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema,
    SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

/// Whether an object has no names but those that are described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// What is sent: others are refused.
    Closed,
    /// What is answered: a later version may say more.
    Open,
}

/// An object with the properties of all parts, none of them required but for those that are named. Names that only the
/// server writes are left out of the parts. Where it is sent, `null` stands for the default of what is not required.
pub(super) fn object(
    description: &str,
    parts: impl IntoIterator<Item = RefOr<Schema>>,
    required: &[&str],
    names: Names,
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
    if names == Names::Closed {
        for (name, property) in &mut object.properties {
            if !required.contains(&name.as_str()) && !is_nullable(property) {
                *property = nullable(property.clone());
            }
        }
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
    RefOr::T(Schema::Object(object))
}

fn null() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null)).build().into()
}

/// Whether `null` may stand there.
pub(super) fn is_nullable(schema: &RefOr<Schema>) -> bool {
    match schema {
        RefOr::T(Schema::Object(object)) => takes_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => takes_null(&array.schema_type),
        RefOr::T(Schema::OneOf(of)) => of.items.iter().any(is_nullable),
        RefOr::T(Schema::AnyOf(of)) => of.items.iter().any(is_nullable),
        RefOr::T(Schema::AllOf(of)) => of.items.iter().all(is_nullable),
        _ => false,
    }
}

fn takes_null(kind: &SchemaType) -> bool {
    match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => true,
    }
}

/// The same, or `null`.
fn nullable(mut schema: RefOr<Schema>) -> RefOr<Schema> {
    let kind = match &mut schema {
        RefOr::T(Schema::Object(object)) if object.enum_values.is_none() => &mut object.schema_type,
        RefOr::T(Schema::Array(array)) => &mut array.schema_type,
        _ => return RefOr::T(OneOfBuilder::new().item(schema).item(null()).build().into()),
    };
    if let SchemaType::Type(one) = kind {
        *kind = SchemaType::Array(vec![one.clone(), Type::Null]);
    }
    schema
}

/// What the answer of a list may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// The rows alone: [`Page::answer`](super::Page::answer) without totals.
    Rows,
    /// `{start, limit, total, NAME}`: [`Page::answer`](super::Page::answer) with totals.
    Totals,
    /// `{start, limit, total, length, NAME}`: [`Page::answer_with_length`](super::Page::answer_with_length) with totals.
    TotalsAndLength,
    /// `{NAME, per_page, page?, total?}`: `actions::ActionsPage::answer`.
    ActionsPage,
    /// `{NAME, next?}`: [`Part::answer`](super::page::Part::answer).
    Next,
    /// `{NAME, next?, total?}`: the same where it says with `include_totals` how many there are.
    NextAndTotal,
}

/// The answer of a list.
pub(super) fn list_of(description: &str, row: &str, name: &str, forms: &[Form]) -> RefOr<Schema> {
    let mut any: Vec<_> = forms.iter().map(|form| form.schema(row, name)).collect();
    let list = match any.as_mut_slice() {
        [Schema::Array(rows)] => {
            rows.description = Some(description.to_owned());
            any.remove(0)
        }
        [Schema::Object(object)] => {
            object.description = Some(description.to_owned());
            any.remove(0)
        }
        _ => any
            .into_iter()
            .fold(AnyOfBuilder::new(), AnyOfBuilder::item)
            .description(Some(description))
            .build()
            .into(),
    };
    RefOr::T(list)
}

impl Form {
    fn schema(self, row: &str, name: &str) -> Schema {
        let rows = || ArrayBuilder::new().items(Ref::from_schema_name(row));
        let object = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object));
        let text =
            |kind, text| ObjectBuilder::new().schema_type(SchemaType::Type(kind)).description(Some(text));
        let number = |about| text(Type::Integer, about);
        let named = object.property(name, rows()).required(name);
        let totals = |named: ObjectBuilder| {
            named
                .property("start", number("The number of the first row."))
                .required("start")
                .property("limit", number("As `per_page` of the query."))
                .required("limit")
                .property("total", number("How many rows there are in all."))
                .required("total")
        };
        let next = |named: ObjectBuilder| {
            let next = text(Type::String, "For `from` of the query; absent: there are no more rows.");
            named.property("next", next)
        };
        let object = match self {
            Self::Rows => return rows().build().into(),
            Self::Totals => totals(named),
            Self::TotalsAndLength => {
                totals(named).property("length", number("How many rows these are.")).required("length")
            }
            Self::ActionsPage => named
                .property("per_page", number("As `per_page` of the query."))
                .required("per_page")
                .property("page", number("The number of the page; absent: 0."))
                .property("total", number("How many rows there are in all; absent: none on this page.")),
            Self::Next => next(named),
            Self::NextAndTotal => next(named).property(
                "total",
                number("How many rows there are in all, if `include_totals` asked for it."),
            ),
        };
        object.build().into()
    }
}

/// A type that stands for an object of several types in the document.
macro_rules! composed {
    ($(#[$doc:meta])* $name:ident, $description:literal, [$($part:ty),+], $required:expr, $names:ident) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::management::schema::object(
                    $description,
                    [$(<$part as utoipa::PartialSchema>::schema()),+],
                    &$required,
                    $crate::management::schema::Names::$names,
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
pub(super) use composed;

/// A type that stands for such an object in the document where it is sent.
macro_rules! body {
    ($(#[$doc:meta])* $name:ident, $description:literal, [$($part:ty),+], $required:expr) => {
        $crate::management::schema::composed!($(#[$doc])* $name, $description, [$($part),+], $required, Closed);
    };
}
pub(super) use body;

/// A type that stands for such an object in the document where it is answered.
macro_rules! answer {
    ($(#[$doc:meta])* $name:ident, $description:literal, [$($part:ty),+], $required:expr) => {
        $crate::management::schema::composed!($(#[$doc])* $name, $description, [$($part),+], $required, Open);
    };
}
pub(super) use answer;

/// A type that stands for the answer of a list in the document: `list!(Name, "description", Row, "name", [forms])`.
macro_rules! list {
    ($(#[$doc:meta])* $name:ident, $description:literal, $row:ty, $list:literal, [$($form:ident),+]) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::management::schema::list_of(
                    $description,
                    &<$row as utoipa::ToSchema>::name(),
                    $list,
                    &[$($crate::management::schema::Form::$form),+],
                )
            }
        }

        impl utoipa::ToSchema for $name {
            fn schemas(
                schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>,
            ) {
                schemas.push((
                    <$row as utoipa::ToSchema>::name().into_owned(),
                    <$row as utoipa::PartialSchema>::schema(),
                ));
                <$row as utoipa::ToSchema>::schemas(schemas);
            }
        }
    };
}
pub(super) use list;
